"""Characters whose width terminals do not agree on, written so that what stands behind them stands where it should.

`⚠️` is two cells by Unicode, and one in tmux, screen and xterm; `👍🏽` is two, or four. The rest of such a row would be
shifted, and columns, backgrounds and the scrollbar with it.
"""

from __future__ import annotations

import re

from rich.cells import split_graphemes

_STYLED = re.compile(r"\x1b\[[\d;]*m|[^\x1b]+")

# Joiners, what makes an emoji of a sign, skin tones, flags, keys, and what is new.
_EMOJI = re.compile("[\u200d\ufe0f\u20e3\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U0001fa70-\U0001faff]")

# Scripts in which signs that take a cell alone may take none behind a letter.
_LETTERS = re.compile("[\u0900-\u0dff\u0e33\u0eb3\u1000-\u109f\u1160-\u11ff\u1780-\u17ff\u1a00-\u1cff\ua800-\uabff]")

_LINES = re.compile("[\u2500-\u259f]")


def steadied(raw: str, y: int, x: int) -> str:
    """`raw` (text and styles, without a place), which is to stand at a place (from 0), with places between it."""
    if not (_EMOJI.search(raw) or _LETTERS.search(raw)):
        return raw
    parts: list[str] = []
    after_letters, blanks = False, 0
    for match in _STYLED.finditer(raw):
        if match[0][0] == "\x1b":
            parts.append(match[0])
            continue
        text = match[0]
        for start, end, width in split_graphemes(text)[0]:
            cluster = text[start:end]
            here = f"\x1b[{y + 1};{x + 1}H"
            x += width
            if _EMOJI.search(cluster):
                # What the terminal leaves out of it is blank; what it adds is written over.
                parts.append(f"{' ' * width}{here}{cluster}\x1b[{y + 1};{x + 1}H")
                after_letters = False
                continue
            # Letters may take more cells than they should: of a gap behind them they get what they need.
            is_end_of_gap = blanks > 1 and (cluster != " " or start == 0)
            if after_letters and (is_end_of_gap or _LINES.match(cluster)):
                parts.append(here)
                after_letters = False
            after_letters = after_letters or _LETTERS.search(cluster) is not None
            blanks = blanks + 1 if cluster == " " else 0
            parts.append(cluster)
    return "".join(parts)
