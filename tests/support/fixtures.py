"""Where the recorded streams lie that tests run on, beside the checkout or where `RIFFLE_FIXTURES` says."""

from __future__ import annotations

import os
from pathlib import Path


def fixtures_dir() -> Path | None:
    """The folder that holds `geppetto` and `providers`; None where there is none."""
    named = os.environ.get("RIFFLE_FIXTURES")
    path = Path(named) if named else Path(__file__).parents[3] / "shared" / "fixtures"
    return path if path.is_dir() else None
