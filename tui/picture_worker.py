"""The process that decodes a picture and draws it in cells: base64 on stdin, what it looks like as JSON on stdout.

Run as a script. A picture is somebody else's bytes, and what decodes it is written in C: here it can take no more than
so much memory and time, and when it breaks, a terminal does not. And the library that draws asks its terminal, when it
is imported, and writes to it past everybody: here its terminal is a pipe.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import resource
import sys
from collections.abc import Iterable
from typing import Any

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
MOST_PIXELS = 50_000_000
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 20


class Unshown(Exception):
    """Why a picture is not shown, in words that follow a colon."""


def main() -> int:
    """Draw what stdin holds, as the order in the first argument says.

    The order: `columns` and `rows` at most, `cell` (its width and height in pixels), `background` (`#rrggbb`, behind
    what is transparent), `graphics` (the terminal shows true pixels). The last line of the answer is `answered`; before
    it stands what has to be sent to the terminal first.
    """
    for limit, amount in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS)):
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(limit, (amount, amount))
    answer = answered(sys.stdin.buffer.read(), json.loads(sys.argv[1]))
    sys.stdout.write(f"\n{json.dumps(answer)}")
    return 0


def answered(encoded: bytes, order: dict[str, Any]) -> dict[str, Any]:
    """The picture's `rows`, each of `[text, style]`, or an `error`: why it is not shown."""
    try:
        image, size = decoded(encoded, order)
        return {"rows": drawn(image, size, graphics=order["graphics"])}
    except ImportError:
        raise
    except Unshown as why:
        return {"error": str(why)}
    except MemoryError:
        return {"error": "it takes too much memory"}
    except Exception:  # decoders raise what they like
        return {"error": "it is not whole"}


def drawn(image: Any, size: tuple[int, int], *, graphics: bool) -> list[list[tuple[str, str]]]:
    """The rows of a picture at `size`, in cells."""
    from rich.console import Console
    from textual_image.renderable import HalfcellImage, TGPImage

    kind = TGPImage if graphics else HalfcellImage
    console = Console(file=io.StringIO(), width=size[0])
    return in_rows(console.render(kind(image, *size), console.options))


def decoded(encoded: bytes, order: dict[str, Any]) -> tuple[Any, tuple[int, int]]:
    """The picture, upright, its first frame, made as small as it is shown; and its columns and rows then."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # ours is said in words
    try:
        image: Any = Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Unshown("it is no PNG, JPEG, GIF or WebP, or not whole") from error
    if image.width * image.height > MOST_PIXELS:
        raise Unshown(f"{image.width:,}×{image.height:,} pixels are too many")
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):  # 16 bits of gray
        image = image.convert("I").point(_high_byte).convert("L")
    elif image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGBA")  # the colours of a palette cannot be mixed
    columns, rows = fitted(image.size, order)
    cell_width, cell_height = order["cell"]
    # By far the quickest way to few pixels: a JPEG is not even decoded to all of its own.
    image.thumbnail((columns * cell_width, rows * cell_height), reducing_gap=2.0)
    image = image.convert("RGBA")
    image.info = {}  # a terminal is sent its pixels, and nothing else that somebody wrote into the file
    if not order["graphics"]:
        image = Image.alpha_composite(Image.new("RGBA", image.size, order["background"]), image)
    return image, (columns, rows)


def fitted(size: tuple[int, int], order: dict[str, Any]) -> tuple[int, int]:
    """Columns and rows that a picture of that size takes: no more than are there, and none of its pixels blown up."""
    width, height = size
    cell_width, cell_height = order["cell"]
    most = 1.0 if order["graphics"] else float(cell_width)  # half a cell is the smallest that there is to draw with
    scale = min(order["columns"] * cell_width / width, order["rows"] * cell_height / height, most)
    return max(round(width * scale / cell_width), 1), max(round(height * scale / cell_height), 1)


def _high_byte(level: Any) -> Any:
    return level * (1 / 256)


def in_rows(segments: Iterable[Any]) -> list[list[tuple[str, str]]]:
    """Rows of text and style, neighbours of one style in one piece."""
    rows: list[list[tuple[str, str]]] = [[]]
    for text, style, _ in segments:
        back = f" on {style.bgcolor.triplet.hex}" if style and style.bgcolor else ""
        name = f"{style.color.triplet.hex}{back}" if style and style.color else ""
        row = rows[-1]
        if piece := text.rstrip("\n"):
            row[-1:] = [(row[-1][0] + piece, name)] if row and row[-1][1] == name else [*row[-1:], (piece, name)]
        if text.endswith("\n"):
            rows.append([])
    return rows[:-1]


if __name__ == "__main__":
    sys.exit(main())
