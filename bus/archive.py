"""The archive: a folder with one file for each session that ended and was moved out of Redis.

Pure files: who moves what, and when, is in `redis/archiving`. Where Redis holds a session too, its file is old and not
looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .archive_file import UNFINISHED, ArchiveFile, ArchiveWriter, damaged, sync_folder
from .entry import WATERMILL, Fields, pair_up, read_entry
from .errors import DamagedArchive, StoreRefused
from .locks import open_lock, try_lock
from .session import SessionInfo, read_info
from .stream import START, AppendResult, Batch, Entry, Page, StreamInfo, page_of

SUFFIX = ".jsonl.gz"
LEFT_OVER_SECONDS = 3600.0
"""A file that is still unfinished after so long was left by a crash."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of the archive: whose it is, its size in bytes, when it was written or last loaded (Unix s)."""

    session_id: str
    path: Path
    size: int
    mtime: float


class Archive:
    """The files in `folder`, which is made when the first one is written. Blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._damaged: dict[str, DamagedArchive] = {}
        self._listed: dict[str, tuple[tuple[float, int], SessionInfo]] = {}

    @property
    def damaged(self) -> list[DamagedArchive]:
        """What is wrong with files that the last listing left out."""
        return list(self._damaged.values())

    def damaged_as(self, name: str) -> DamagedArchive | None:
        """What is wrong with the file whose session `name` means: its id or its title, or how one of them begins."""
        lowered = name.lower()
        for session_id, error in self._damaged.items():
            if session_id.lower().startswith(lowered) or _title(self.path(session_id)).lower().startswith(lowered):
                return error
        return None

    def path(self, session_id: str) -> Path:
        """Where the session's file lies, or would lie."""
        return self.folder / f"{session_id}{SUFFIX}"

    def holds(self, session_id: str) -> bool:
        """Whether the session has a file."""
        try:
            # Not every name that somebody asks for is an id.
            return os.sep not in session_id and stat.S_ISREG(self.path(session_id).lstat().st_mode)
        except (OSError, ValueError):  # most of all: there is none
            return False

    def files(self) -> list[KeptFile]:
        """All files."""
        found: list[KeptFile] = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as listing:
            for item in listing:
                if item.name.endswith(SUFFIX) and item.is_file(follow_symlinks=False):
                    facts = item.stat(follow_symlinks=False)
                    session_id = item.name.removesuffix(SUFFIX)
                    found.append(KeptFile(session_id, Path(item.path), facts.st_size, facts.st_mtime))
        return found

    def sessions(self) -> list[SessionInfo]:
        """What is listed of all sessions here. A damaged file is left out, and said in `damaged`."""
        known, self._listed, self._damaged = self._listed, {}, {}
        for file in self.files():
            state = (file.mtime, file.size)
            try:
                old = known.get(file.session_id)
                info = old[1] if old and old[0] == state else _info(file.path, file.session_id)
            except DamagedArchive as error:
                self._damaged[file.session_id] = error
            except FileNotFoundError:
                continue
            else:
                self._listed[file.session_id] = state, info
        return [info for _, info in self._listed.values()]

    def session(self, session_id: str) -> SessionInfo | None:
        """What is listed of one session; raises `DamagedArchive`."""
        if not self.holds(session_id):
            return None
        try:
            return _info(self.path(session_id), session_id)
        except FileNotFoundError:
            return None

    def open(self, session_id: str) -> ArchiveFile:
        """The session's file, to be read."""
        return ArchiveFile(self.path(session_id))

    @contextlib.contextmanager
    def writer(self, session_id: str, meta: Sequence[bytes]) -> Generator[ArchiveWriter]:
        """Writes the session's file; what is not finished is thrown away."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Where names differ in case only, and the disk knows no difference, the file is another session's.
        if self.holds(session_id):
            _info(self.path(session_id), session_id)
        writer = ArchiveWriter(self.path(session_id), session_id, meta)
        try:
            yield writer
        finally:
            writer.close()

    def remove(self, session_id: str) -> None:
        """Remove the session's file, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            self.path(session_id).unlink()
            sync_folder(self.folder)

    def touch(self, session_id: str) -> None:
        """The session was loaded from its file now."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(session_id))

    @contextlib.contextmanager
    def tidying(self) -> Generator[bool]:
        """Hold the folder's lock, which only one process has; False: another one tidies up."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open_lock(self.folder / ".lock")
        try:
            mine = try_lock(lock)
            if mine:
                self._clear_left_overs()
            yield mine
        finally:
            os.close(lock)

    def _clear_left_overs(self) -> None:
        for path in self.folder.glob(f".*{UNFINISHED}"):
            if path.stat().st_mtime < time.time() - LEFT_OVER_SECONDS:
                path.unlink()


class ArchiveStream:
    """The events in a file: keeps the contract of `Stream`, but for `append`, which is refused."""

    def __init__(self, file: ArchiveFile) -> None:
        self._file = file

    @property
    def key(self) -> str:
        """The file's path."""
        return str(self._file.path)

    async def append(self, batch: Batch) -> AppendResult:
        """Nothing can be added to a file."""
        raise StoreRefused(f"The session in {self.key} has ended.", "A prompt brings it back into Redis.")

    async def read(self, after: str = START, count: int = 500) -> list[Entry]:
        """The next entries after the position `after`, `count` at most; empty at the end."""
        return _entries(await asyncio.to_thread(self._file.read, after, count))

    async def fetch(self, after: str, count: int) -> Page:
        """As `read`."""
        return page_of(await self.read(after, count))

    async def read_last(self, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        return _entries(await asyncio.to_thread(self._file.read_last, count))

    async def wait(self, after: str, timeout: float, count: int = 500) -> list[Entry]:  # noqa: ASYNC109
        """As `read`; when there is nothing, `timeout` seconds later."""
        entries = await self.read(after, count)
        if not entries:
            await asyncio.sleep(timeout)
        return entries

    async def info(self) -> StreamInfo:
        """Its ends and its size."""
        return await asyncio.to_thread(self._file.info)

    async def get_block(self, key: str) -> bytes | None:
        """The block that lay under that key."""
        _, _, name = key.partition("}:")
        found = await asyncio.to_thread(self._file.key, name)
        return found.value[0] if found and found.value else None


def is_archive(path: Path) -> bool:
    """Whether the file is compressed, as those of an archive are."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _entries(raw: Sequence[tuple[str, Fields]]) -> list[Entry]:
    return [read_entry(entry_id, fields, WATERMILL) for entry_id, fields in raw]


def _info(path: Path, session_id: str) -> SessionInfo:
    found, meta = ArchiveFile(path).meta()
    if found != session_id:
        raise damaged(path, f"holds the session {found}, which its name does not say")
    return read_info(found, pair_up(meta), live=False)


def _title(path: Path) -> str:
    """The title in a damaged file; empty where it cannot be read any more."""
    try:
        session_id, meta = ArchiveFile(path).head()
    except (DamagedArchive, FileNotFoundError):
        return ""
    return read_info(session_id, pair_up(meta), live=False).title
