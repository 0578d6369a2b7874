"""`make bench`: measure, print a table, write JSON to tests/bench/results/."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from .startup import measure_idle, measure_startup

SECTIONS: dict[str, Callable[[], dict[str, float]]] = {"startup": measure_startup, "idle": measure_idle}


def main() -> None:
    """Run the sections asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("section", nargs="*", help=f"which: {', '.join(SECTIONS)}")
    chosen = parser.parse_args().section or list(SECTIONS)
    results: dict[str, dict[str, float]] = {}
    for name in chosen:
        results[name] = SECTIONS[name]()
        print(f"\n{name}")
        for label, value in results[name].items():
            print(f"  {label:<44} {value:10.2f}")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
