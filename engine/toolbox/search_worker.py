"""The process behind `search_files`: reads its order as JSON from stdin, prints `file:line: text` for every match.

Run as a script, isolated: it imports the standard library only. A pattern that is wrong ends it with exit code 2 and
one line on stderr.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Iterator

LINE_BYTES = 100_000
SHOWN_CHARACTERS = 300


def main() -> int:
    order = json.load(sys.stdin)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    try:
        source = order["pattern"] if order["regex"] else re.escape(order["pattern"])
        pattern = re.compile(source, re.IGNORECASE if order["ignore_case"] else 0)
    except re.error as error:
        print(f"The regular expression is wrong: {error}.", file=sys.stderr)  # noqa: T201
        return 2
    left = order["limit"]
    for match in matches(order["root"], order["files"], pattern):
        if not left:
            print(f"[stopped after {order['limit']} matches; use a narrower pattern, path or glob]")  # noqa: T201
            return 0
        left -= 1
        print(match)  # noqa: T201
    return 0


def matches(root: str, files: list[str], pattern: re.Pattern[str]) -> Iterator[str]:
    for name in files:
        for number, line in enumerate(lines(os.path.join(root, name)), start=1):
            if found := pattern.search(line):
                start = max(0, found.start() - SHOWN_CHARACTERS // 2) if len(line) > SHOWN_CHARACTERS else 0
                yield f"{name}:{number}: {line[start : start + SHOWN_CHARACTERS]}"


def lines(path: str) -> Iterator[str]:
    """The lines of a text file; none of a file that cannot be read or is not text."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except OSError:
        return
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or b"\0" in file.read(8192):
            return
        file.seek(0)
        while line := file.readline(LINE_BYTES):
            yield line.decode("utf-8", errors="replace").rstrip("\r\n")


if __name__ == "__main__":
    sys.exit(main())
