"""Recordings that are cut, damaged and split: a sample of what `python -m tests.fuzz` does to all of them."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.cases import cases
from tests.support import recordings

pytestmark = recordings.needed

SEED = 20261121


def _sample() -> list[str]:
    """A fifth of those that are not long; every one is broken in the whole run."""
    short = [slug for slug in recordings.SLUGS if len(recordings.body(slug)) < 60_000]
    return sorted(random.Random(SEED).sample(short, len(short) // 5))


@pytest.mark.filterwarnings("ignore:The model .* is deprecated")
@pytest.mark.parametrize("slug", _sample())
def test_a_broken_recording_ends_and_says_nothing_that_was_not_sent(slug: str) -> None:
    for name, check in cases(slug, SEED, share=0.25):
        try:
            check()
        except Exception as error:
            pytest.fail(f"{name} (seed {SEED}): {type(error).__name__}: {error}")
