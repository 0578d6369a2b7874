"""How many tokens a model takes, for models whose provider does not tell when it lists them. Facts of November 2026.

Only what a provider's own pages say; of a model that is not here nobody knows, and nothing is shown.
"""

from __future__ import annotations

import re

_WINDOWS: tuple[tuple[str, int], ...] = (
    # platform.claude.com/docs/en/build-with-claude/context-windows and /models/overview: 1M from the 4.6 generation on,
    # Haiku from 5.5 on; all others 200k.
    (r"claude-(fable|mythos)-", 1_000_000),
    (r"claude-(opus|sonnet)-(4-[6-9]|[5-9])", 1_000_000),
    (r"claude-haiku-5-5", 1_000_000),
    (r"claude-", 200_000),
    # developers.openai.com/api/docs/models: each model's own page.
    (r"gpt-(5\.6|6(\.\d)?)-(sol|terra|luna|astra)", 1_050_000),
    (r"gpt-5(\.[12])?(-(mini|nano|pro|codex))?(-20|$)", 400_000),
    (r"gpt-4\.1", 1_047_576),
    (r"gpt-4o|gpt-4-turbo|gpt-5(\.[12])?-chat|chatgpt-4o|o1-(mini|preview)", 128_000),
    (r"o[134](-(mini|pro))?(-20|$)", 200_000),
    # Ours: small, so that compacting can be tried.
    (r"demo", 8_000),
)


def known_window(model: str) -> int:
    """The context window of `model`, by the name that its provider knows it by; 0: nobody knows."""
    # Gateways put the maker in front: anthropic/claude-sonnet-5-5.
    name = model.rpartition("/")[2].lower()
    return next((tokens for pattern, tokens in _WINDOWS if re.match(pattern, name)), 0)
