"""One archived session as a file: compressed lines of JSON, to be read with zcat, from any place on, and checked.

    {"format":"riffle-session","version":1,"id":…,"meta":[…]}       what is listed
    {"id":…,"ts":…,"fields":[…],"event":{…}}                        every entry, see `archive_lines`
    {"key":"state","type":"hash","value":[…]}                       every other key
    {"parts":[[offset, first id, entries], …],"keys":…, …}          where things stand
    {"entries":…,"sha256":…,"index_at":…}                           the end, always as many bytes

The file is a row of gzip members, each of about `PART_BYTES` of lines, so any part can be read without those before
it. Its last one has a fixed length: a file that is cut off is noticed without reading it.
"""

from __future__ import annotations

import bisect
import contextlib
import gzip
import hashlib
import json
import os
import struct
import tempfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .archive_lines import KeptKey, dump, entry_line, key_line, raws, read_entry_line, read_key_line, texts
from .entry import Fields, pair_up, position
from .errors import DamagedArchive
from .numbers import number
from .stream import START, StreamInfo

FORMAT, VERSION = "riffle-session", 1
PART_BYTES = 256 * 1024
LEVEL = 6
UNFINISHED = ".new"

_END_TEXT = 160
_STORED = struct.Struct("<10sBHH")
_TAIL = struct.Struct("<II")
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END_BYTES = _STORED.size + _END_TEXT + _TAIL.size

RawEntry = tuple[str, Sequence[bytes]]


class ArchiveWriter:
    """Writes one file: the head, every entry, every other key, then `finish`. Nothing is seen of it before."""

    def __init__(self, path: Path, session_id: str, meta: Sequence[bytes]) -> None:
        self._path = path
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=UNFINISHED)  # 0600, follows no link
        self._temporary = Path(name)
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._hash = hashlib.sha256()
        self._offset = self._entries = self._n = 0
        self._lines: list[bytes] = []
        self._first = ""
        self._parts: list[tuple[int, str, int]] = []
        self._keys: list[tuple[str, int]] = []
        self._put([dump({"format": FORMAT, "version": VERSION, "id": session_id, "meta": texts(meta)})])

    def add(self, entries: Sequence[RawEntry]) -> None:
        """The next entries of the stream."""
        size = sum(map(len, self._lines))
        for entry_id, flat in entries:
            line = entry_line(entry_id, flat)
            self._first = self._first or entry_id
            self._lines.append(line)
            self._n = number(pair_up(flat).get(b"n")) or 0
            size += len(line)
            if size >= PART_BYTES:
                self._end_part()
                size = 0

    def add_key(self, key: KeptKey) -> None:
        """Another key; all of them come after the entries."""
        self._end_part()
        self._keys.append((key.name, self._offset))
        self._put([key_line(key)])

    def finish(self, last_id: str) -> None:
        """Make it the session's file, once it is on the disk and reads as it was written. Raises as reading does.

        `last_id` is the newest id that the stream has given: of its last entry, where nobody has deleted that.
        """
        self._end_part()
        at = self._offset
        index = {"parts": self._parts, "keys": self._keys, "entries": self._entries, "last_id": last_id, "n": self._n}
        self._put([dump(index)])
        end = {"entries": self._entries, "sha256": self._hash.hexdigest(), "index_at": at}
        self._file.write(_end_member(end))
        self._file.flush()
        os.fsync(self._file.fileno())
        ArchiveFile(self._temporary).check()
        os.replace(self._temporary, self._path)
        sync_folder(self._path.parent)

    def close(self) -> None:
        """Throw away what was not finished."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _end_part(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self._parts.append((self._offset, self._first, len(lines)))
            self._entries += len(lines)
            self._first = ""
            self._put(lines)

    def _put(self, lines: Sequence[bytes]) -> None:
        text = b"".join(lines)
        self._hash.update(text)
        self._offset += self._file.write(gzip.compress(text, LEVEL, mtime=0))


@dataclass(frozen=True, slots=True)
class _Index:
    """Where a file's parts begin, and what is known of the whole."""

    parts: list[tuple[int, str, int]]
    keys: list[tuple[str, int]]
    at: int
    sha256: str
    info: StreamInfo
    firsts: list[tuple[int, int]]


class ArchiveFile:
    """Reads the file at `path`. What was read last is kept, so that reading on costs each part once.

    Every call raises `DamagedArchive` where the file is not whole, `FileNotFoundError` where it is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[int, int, int] | None = None
        self._index: _Index | None = None
        self._part: tuple[int, list[tuple[str, Fields]]] | None = None

    def meta(self) -> tuple[str, list[bytes]]:
        """The session's id, and its meta: names and values. Reads only the head, and sees whether there is an end."""
        with self._open() as file:
            _read_end(file, self.path)
            return self._head(file)

    def head(self) -> tuple[str, list[bytes]]:
        """As `meta`, also of a file whose end is missing."""
        with self._open() as file:
            return self._head(file)

    def info(self) -> StreamInfo:
        """The ends and the size of the stream."""
        with self._open() as file:
            return self._find(file).info

    def read(self, after: str, count: int) -> list[tuple[str, Fields]]:
        """The next entries after the position `after`, `count` at most."""
        wanted = position(after)
        found: list[tuple[str, Fields]] = []
        with self._open() as file:
            index = self._find(file)
            for number in range(max(0, bisect.bisect_right(index.firsts, wanted) - 1), len(index.parts)):
                found += [item for item in self._entries(file, index, number) if position(item[0]) > wanted]
                if len(found) >= count:
                    break
        return found[:count]

    def read_last(self, count: int) -> list[tuple[str, Fields]]:
        """The newest `count` entries, oldest first."""
        found: list[tuple[str, Fields]] = []
        with self._open() as file:
            index = self._find(file)
            for number in reversed(range(len(index.parts))):
                if len(found) >= count:
                    break
                found = self._entries(file, index, number) + found
        return found[-count:] if count else []

    def entries(self) -> Iterator[list[RawEntry]]:
        """All entries with their fields as they were, in pieces."""
        with self._open() as file:
            index = self._find(file)
            for number in range(len(index.parts)):
                yield [self._line(read_entry_line, line) for line in self._lines(file, index, number)]

    def keys(self) -> Iterator[KeptKey]:
        """All other keys."""
        with self._open() as file:
            for _, offset in self._find(file).keys:
                yield self._line(read_key_line, _member(file, offset, self.path))

    def key(self, name: str) -> KeptKey | None:
        """The key of that name."""
        with self._open() as file:
            for known, offset in self._find(file).keys:
                if known == name:
                    return self._line(read_key_line, _member(file, offset, self.path))
        return None

    def check(self) -> None:
        """Read all of it, and raise where it is not what was written."""
        with self._open() as file:
            index = self._find(file)
            file.seek(0)
            digest, lines = hashlib.sha256(), 0
            with gzip.GzipFile(fileobj=file) as plain:
                try:
                    for line in plain:
                        if line.startswith(b'{"entries":'):
                            break
                        digest.update(line)
                        lines += line.startswith(b'{"id":')
                except (OSError, EOFError, zlib.error):
                    raise damaged(self.path, "cannot be unpacked") from None
            if digest.hexdigest() != index.sha256 or lines != index.info.length:
                raise damaged(self.path, "is not what was written")

    @contextlib.contextmanager
    def _open(self) -> Generator[BinaryIO]:
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise damaged(self.path, f"cannot be opened ({error.strerror})") from None
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            # Another file of the same name has its parts elsewhere.
            now = (facts.st_ino, facts.st_ctime_ns, facts.st_size)
            if now != self._known:
                self._known, self._index, self._part = now, None, None
            yield file

    def _head(self, file: BinaryIO) -> tuple[str, list[bytes]]:
        try:
            tree = json.loads(_member(file, 0, self.path))
            if tree["format"] != FORMAT:
                raise damaged(self.path, "is no session of riffle")
            if tree["version"] > VERSION:
                raise DamagedArchive(f"The file {self.path} was written by a newer riffle.", "Update to read it.")
            return str(tree["id"]), raws(tree["meta"])
        except (ValueError, LookupError, TypeError):
            raise damaged(self.path, "cannot be read") from None

    def _find(self, file: BinaryIO) -> _Index:
        if self._index is None:
            self._head(file)
            end = _read_end(file, self.path)
            try:
                tree = json.loads(_member(file, end["index_at"], self.path))
                parts = [(int(offset), str(first), int(count)) for offset, first, count in tree["parts"]]
                info = StreamInfo(tree["entries"], parts[0][1] if parts else START, tree["last_id"], tree["n"])
                keys = [(str(name), int(offset)) for name, offset in tree["keys"]]
                firsts = [position(first) for _, first, _ in parts]
            except (ValueError, LookupError, TypeError):
                raise damaged(self.path, "cannot be read") from None
            self._index = _Index(parts, keys, end["index_at"], end["sha256"], info, firsts)
        return self._index

    def _entries(self, file: BinaryIO, index: _Index, number: int) -> list[tuple[str, Fields]]:
        if self._part is None or self._part[0] != number:
            lines = self._lines(file, index, number)
            raw = [self._line(read_entry_line, line) for line in lines]
            self._part = number, [(entry_id, pair_up(flat)) for entry_id, flat in raw]
        return self._part[1]

    def _lines(self, file: BinaryIO, index: _Index, number: int) -> list[bytes]:
        offset, _, count = index.parts[number]
        lines = _member(file, offset, self.path).split(b"\n")[:-1]
        if len(lines) != count:
            raise damaged(self.path, "lacks entries")
        return lines

    def _line(self, read: Any, line: bytes) -> Any:
        try:
            return read(line)
        except (ValueError, LookupError, TypeError):
            raise damaged(self.path, "cannot be read") from None


def damaged(path: Path, how: str) -> DamagedArchive:
    """The error for a file that is not whole."""
    return DamagedArchive(f"The file {path} {how}.", "Put it back from a backup, or move it away.")


def sync_folder(folder: Path) -> None:
    """See to it that what was renamed or removed there stays so through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _member(file: BinaryIO, offset: int, path: Path) -> bytes:
    """The text of the gzip member at `offset`."""
    file.seek(offset)
    unpack = zlib.decompressobj(wbits=31)
    pieces: list[bytes] = []
    try:
        while not unpack.eof and (raw := file.read(PART_BYTES if pieces else 4096)):
            pieces.append(unpack.decompress(raw))
    except zlib.error:
        raise damaged(path, "cannot be unpacked") from None
    if not unpack.eof:
        raise damaged(path, "is cut off")
    return b"".join(pieces)


def _end_member(end: dict[str, Any]) -> bytes:
    """A gzip member that is not compressed, so that it always has `_END_BYTES`."""
    text = dump(end)[:-1].ljust(_END_TEXT - 1) + b"\n"
    head = _STORED.pack(_GZIP_HEAD, 1, len(text), ~len(text) & 0xFFFF)
    return head + text + _TAIL.pack(zlib.crc32(text), len(text))


def _read_end(file: BinaryIO, path: Path) -> dict[str, Any]:
    try:
        file.seek(-_END_BYTES, os.SEEK_END)
        tree = json.loads(gzip.decompress(file.read()))
        return {"entries": int(tree["entries"]), "sha256": str(tree["sha256"]), "index_at": int(tree["index_at"])}
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
        raise damaged(path, "is cut off") from None
    finally:
        file.seek(0)
