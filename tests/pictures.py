"""The pictures of the README and the docs: those snapshots of the tests that are made for it, under plain names.

`make snapshots` draws the snapshots anew and then runs this.
"""

from __future__ import annotations

from pathlib import Path

SNAPSHOTS = Path(__file__).parent / "__snapshots__" / "test_tui_snapshots"
FOLDER = Path(__file__).parents[1] / "docs" / "pictures"


def pictures() -> dict[Path, Path]:
    """Each picture, and the snapshot that it is."""
    found = sorted(SNAPSHOTS.glob("test_readme[[]*.svg"))
    return {FOLDER / f"{snapshot.stem.partition('[')[2].rstrip(']')}.svg": snapshot for snapshot in found}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    for picture, snapshot in pictures().items():
        picture.write_bytes(snapshot.read_bytes())
