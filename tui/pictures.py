"""Pictures that a model made: what they are, and how one becomes a file."""

from __future__ import annotations

import base64
import binascii
import struct
from pathlib import Path

_KINDS = ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"RIFF", "WebP"))
_ENDINGS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WebP": "webp"}

_START_CHARACTERS = 64
"""So much of a picture in base64 says what it is."""


def described(encoded: str) -> str:
    """Type, columns and rows of pixels where the first bytes say them, and size of a picture in base64."""
    start = _start(encoded)
    pixels = ""
    if _kind(start) == "PNG" and start[12:16] == b"IHDR":
        pixels = "{}×{}, ".format(*struct.unpack(">II", start[16:24]))
    return f"{_kind(start) or 'picture'}, {pixels}{len(encoded) * 3 // 4 / 1000:,.0f} kB"


def save(encoded: str, folder: Path) -> Path:
    """Write a picture to a new file in `folder`. Raises `OSError`, and `ValueError` where it is no picture."""
    start = _start(encoded)
    if not (kind := _kind(start)):
        raise ValueError("It is of a kind that riffle does not know.")
    try:
        data = base64.b64decode(_padded(encoded), validate=True)
    except binascii.Error as error:
        raise ValueError("It is not whole.") from error
    number = 1
    while True:
        path = folder / f"riffle-picture-{number}.{_ENDINGS[kind]}"
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            number += 1
        else:
            return path


def _start(encoded: str) -> bytes:
    try:
        return base64.b64decode(_padded(encoded[:_START_CHARACTERS]))
    except ValueError:
        return b""


def _padded(encoded: str) -> str:
    return encoded + "=" * (-len(encoded) % 4)


def _kind(start: bytes) -> str:
    return next((name for signature, name in _KINDS if start.startswith(signature)), "")
