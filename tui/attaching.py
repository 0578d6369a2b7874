"""From `@path` in a prompt to the files that go with it: found, checked, read. What may not go is said in words.

`@@` is a plain `@`. What stands behind an `@` and is no file stays text, unless it can only be meant as a path.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.privacy import holds_secrets, is_private

MOST_FILES = 10
MOST_BYTES = 20 * 1024 * 1024
"""Of one prompt, all files together."""

LARGEST = {"image": 5 * 1024 * 1024, "application": 20 * 1024 * 1024, "text": 512 * 1024}
"""Bytes of one file, by the first word of its type. Anthropic takes pictures up to 5 MB."""

OFFERED = 50
"""So many names are offered for completion."""

_MENTION = re.compile(r"""(?<!\S)@(?:"([^"\n]+)"|((?:\\.|[^\s\\"])+))""")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_PUNCTUATION = ".,;:!?)]}'’”»"
_PATH_LIKE = re.compile(r"(~|\.{0,2})/|.*\.(png|jpe?g|gif|webp|pdf|txt|md|csv|json|toml|yaml|yml|log)$", re.I | re.S)


_PLAIN = "(To send a word that begins with @, write @@.)"
_OTHER_NAME = "If this one does not, copy it to another name."


class NotAttached(Exception):
    """A file cannot go with the prompt; the message says which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A file that goes with a prompt, with its bytes. `name` is as it was written."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


def pick(text: str, folder: Path) -> tuple[str, list[Picked]]:
    """The prompt as it is sent, and the files that it names, from `folder` on. Blocks; raises `NotAttached`."""
    found: dict[Path, Picked] = {}
    for name, quoted in _names(text):
        path = _path(name, folder, quoted=quoted)
        if path is not None and path not in found:
            if len(found) == MOST_FILES:
                raise NotAttached(f"More than {MOST_FILES} files cannot go with one prompt.")
            found[path] = _read(name, path)
    if sum(len(file.data) for file in found.values()) > MOST_BYTES:
        raise NotAttached(f"The files are more than {_size(MOST_BYTES)} together. Send them with several prompts.")
    return re.sub(r"(?<!\S)@@", "@", text), list(found.values())


def plain(text: str) -> str:
    """`text`, written so that it names no files."""
    return re.sub(r"(?<!\S)@", "@@", text)


def _names(text: str) -> Iterator[tuple[str, bool]]:
    """What stands behind each `@`, and whether that is in quotes."""
    for match in _MENTION.finditer(text):
        quoted, plain = match.groups()
        if quoted:
            yield quoted, True
        elif not plain.startswith("@"):
            yield re.sub(r"\\(.)", r"\1", plain), False


def _path(name: str, folder: Path, *, quoted: bool) -> Path | None:
    """The file that `name` means; None where it means none. Raises `NotAttached` where it is a path to nothing."""
    for candidate in dict.fromkeys((name, name.rstrip(_PUNCTUATION))):
        try:
            path = (folder / Path(candidate).expanduser()).resolve()
            if candidate and path.exists():
                return path
        except (OSError, RuntimeError, ValueError):  # too long, a loop of links, no such home, a NUL
            continue
    first, slash, _ = name.partition("/")
    if quoted or _PATH_LIKE.match(name) or (slash and first and (folder / first).is_dir()):
        raise NotAttached(f"There is no file {name}. {_PLAIN}")
    return None


def _read(name: str, path: Path) -> Picked:
    if is_private(path) or is_private(Path(os.path.abspath(Path(name).expanduser()))):
        raise NotAttached(f"{name} is not sent: files of that name mostly hold secrets. {_OTHER_NAME}")
    try:
        # A pipe without a writer would be waited for at its opening.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            kind = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(kind):
                raise NotAttached(f"{name} is not a regular file.")
            data = file.read(max(LARGEST.values()) + 1)
    except IsADirectoryError:
        raise NotAttached(f"{name} is a folder: only files can be attached. {_PLAIN}") from None
    except OSError as error:
        raise NotAttached(f"{name} cannot be read: {error.strerror or error}.") from None
    media_type = _media_type(name, data)
    largest = LARGEST[media_type.partition("/")[0]]
    if len(data) > largest:
        raise NotAttached(f"{name} is larger than {_size(largest)}, which is the limit for {_kind(media_type)}.")
    if media_type.startswith("text/") and holds_secrets(data):
        raise NotAttached(f"{name} is not sent: there is a private key in it.")
    return Picked(name, media_type, data)


def _media_type(name: str, data: bytes) -> str:
    """What the bytes are, whatever the name says."""
    if not data:
        raise NotAttached(f"{name} is empty.")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    try:
        # The last character may be cut in half by the limit.
        data.decode() if len(data) <= LARGEST["text"] else data[: LARGEST["text"]].decode(errors="ignore")
        if b"\0" not in data:
            return "text/plain"
    except UnicodeDecodeError:
        pass
    raise NotAttached(f"{name} is neither text nor a picture (PNG, JPEG, GIF, WebP) nor a PDF.")


def _kind(media_type: str) -> str:
    return {"image": "pictures", "application": "PDFs", "text": "texts"}[media_type.partition("/")[0]]


def _size(count: int) -> str:
    return f"{count // (1024 * 1024)} MB" if count >= 1024 * 1024 else f"{count // 1024} kB"


# -- what is dropped or typed ------------------------------------------------------------------------------------


def dropped(text: str) -> str | None:
    """What is inserted for a paste that is nothing but paths of files, as terminals paste what is dropped on them."""
    line = text.strip()
    if not line.startswith(("/", "~/", "file://", "'/", '"/')) or "\n" in line or len(line) > 4096:
        return None
    try:
        paths = [_dropped_path(word) for word in ([line] if Path(line).is_file() else shlex.split(line))]
        if not paths or not all(Path(path).expanduser().is_file() for path in paths):
            return None
    except (ValueError, OSError, RuntimeError):  # an open quote, a name that is too long, no such home
        return None
    return " ".join(map(mention, paths)) + " "


def _dropped_path(word: str) -> str:
    return unquote(urlsplit(word).path) if word.startswith("file://") else word


def mention(path: str) -> str:
    """How `path` is written in a prompt."""
    return f'@"{path}"' if re.search(r"[\s\\]", path) else f"@{path}"


def begun(text: str) -> tuple[str, str] | None:
    """The path that is being written at the end of `text`, and what stands before its `@`; None: none is."""
    match = re.search(r"""(?<!\S)@(?:"([^"\n]*)|((?!@|")\S*))$""", text)
    return match and (text[: match.start()], match[2] if match[1] is None else match[1])


def completions(path: str, folder: Path) -> list[str]:
    """What a path that was begun may become: files, and folders with a slash at the end. Blocks."""
    head, slash, start = path.rpartition("/")
    try:
        where = folder / Path(head + slash).expanduser()
        with os.scandir(where) as entries:
            names = [
                entry.name + ("/" if entry.is_dir() else "")
                for entry in entries
                if entry.name.lower().startswith(start.lower()) and (start.startswith(".") or entry.name[0] != ".")
            ]
    except (OSError, RuntimeError, ValueError):
        return []
    return [head + slash + name for name in sorted(names, key=str.lower)[:OFFERED]]
