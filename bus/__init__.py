"""What happened, how it travels, what it adds up to.

Names load their module on first use, so that `import bus` itself costs nothing: redis and pydantic come in only with
the names that need them.
"""

from __future__ import annotations

__all__: list[str] = []
