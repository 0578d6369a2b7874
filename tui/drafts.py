"""Prompts that were sent (the history) and prompts that were begun (the drafts). Both survive a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from tui import paths

HISTORY_LIMIT = 2_000
"""Prompts kept. The file may hold more until the next start trims it."""


class History:
    """Prompts, oldest first, each once. Read on first use: the first frame needs none of it.

    `back` and `forward` walk it; where the walk begins, the draft is laid aside and comes back at its end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._prompts: list[str] | None = None
        self._at: int | None = None
        self._aside = ""

    @property
    def prompts(self) -> list[str]:
        """All of them, oldest first."""
        if self._prompts is None:
            self._prompts = self._load()
        return self._prompts

    def add(self, prompt: str) -> None:
        """Remember `prompt` as the newest. Raises OSError when it cannot be written; it is remembered until quit."""
        self._at = None
        prompts = self.prompts
        if not prompt.strip() or (prompts and prompts[-1] == prompt):
            return
        if prompt in prompts:
            prompts.remove(prompt)
        prompts.append(prompt)
        paths.append_private(self._path, json.dumps(prompt))

    def back(self, draft: str) -> str | None:
        """The prompt before, None at the first. `draft` is what stands in the prompt now."""
        at = len(self.prompts) if self._at is None else self._at
        if at == 0:
            return None
        if self._at is None:
            self._aside = draft
        self._at = at - 1
        return self.prompts[self._at]

    def forward(self) -> str | None:
        """The prompt after, then the draft that was laid aside, then None."""
        if self._at is None:
            return None
        self._at += 1
        if self._at < len(self.prompts):
            return self.prompts[self._at]
        self._at = None
        return self._aside

    def leave(self) -> None:
        """The prompt was changed by hand: the next `back` begins at the newest again."""
        self._at = None

    def _load(self) -> list[str]:
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        newest_first: dict[str, None] = {}
        for line in reversed(lines):
            try:
                prompt = json.loads(line)
            except ValueError:
                continue
            if isinstance(prompt, str):
                newest_first.setdefault(prompt)
        prompts = list(reversed(newest_first))[-HISTORY_LIMIT:]
        if len(lines) > 2 * HISTORY_LIMIT:
            paths.write_private(self._path, "".join(f"{json.dumps(prompt)}\n" for prompt in prompts))
        return prompts


class Drafts:
    """What was begun and not sent, by session."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, session: str) -> str:
        """The draft of `session`, empty where there is none."""
        return self._read().get(session, "")

    def put(self, session: str, draft: str) -> None:
        """Keep `draft`, or forget the old one where it is empty. Raises OSError when that cannot be written."""
        drafts = self._read()
        if drafts.get(session, "") == draft:
            return
        drafts.pop(session, None)
        if draft:
            drafts[session] = draft
        paths.write_private(self._path, json.dumps(drafts, ensure_ascii=False, indent=0))

    def _read(self) -> dict[str, str]:
        # Read anew each time: several terminals keep their drafts in this file.
        try:
            tree = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(tree, dict):
            return {}
        items = cast("dict[Any, Any]", tree).items()
        return {key: value for key, value in items if isinstance(key, str) and isinstance(value, str)}
