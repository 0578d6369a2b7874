"""`make bench`: measure, print a table, write JSON to tests/bench/results/."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from .attach import measure_attach
from .delivery import measure_delivery
from .engine import measure_engine
from .flood import measure_flood
from .fold import measure_fold
from .outage import measure_outage
from .product import measure_product
from .startup import measure_idle, measure_startup
from .table import Figures, show
from .timeline import measure_timeline

SECTIONS: dict[str, Callable[[bool], Figures]] = {
    "startup": lambda quick: measure_startup(repeats=1 if quick else 7),
    "attach": lambda quick: measure_attach(quick=quick),
    "idle": lambda quick: measure_idle(seconds=2.0 if quick else 10.0),
    "product": lambda quick: measure_product(quick=quick),
    "timeline": lambda quick: measure_timeline(quick=quick),
    "flood": lambda quick: measure_flood(quick=quick),
    "delivery": lambda quick: measure_delivery(quick=quick),
    "outage": lambda quick: measure_outage(quick=quick),
    "fold": lambda quick: measure_fold(quick=quick),
    "engine": lambda quick: measure_engine(quick=quick),
}


def main() -> None:
    """Run the sections asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("section", nargs="*", help=f"which: {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="less of everything: a first look, within 40 s")
    parser.add_argument("--peer", action="store_true", help="Textual's own Markdown widget beside, in `product`")
    chosen = parser.parse_args()
    unknown = set(chosen.section) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    results: dict[str, Figures] = {}
    for name in chosen.section or SECTIONS:
        with_peer = chosen.peer and name == "product"
        results[name] = measure_product(quick=chosen.quick, peer=True) if with_peer else SECTIONS[name](chosen.quick)
        show(name, results[name])
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    written = {name: {label: asdict(figure) for label, figure in found.items()} for name, found in results.items()}
    (folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json").write_text(json.dumps(written, indent=1))


if __name__ == "__main__":
    main()
