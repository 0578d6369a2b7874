"""Recordings served on loopback, through the real command line: what is printed folds to what it should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.command_line import differences, words_for
from tests.support import recordings
from tests.support.provider import provider_server
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home

pytestmark = [recordings.needed, pytest.mark.timeout(120), pytest.mark.xdist_group("recordings")]

SAMPLE = [
    "chat-groq-r1-think-tags",
    "chat-openai-sdk-tools-parallel",
    "chat-openrouter-claude-reasoning",
    "resp-azure-encrypted-parallel-part1",
    "anth-sonnet45-pause-turn-1",
    "derived-anth-truncated-mid-event",
]
"""Of each API the ways to think, to call tools and to end; `python -m tests.fuzz --command` runs them all."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A user whose providers play the recordings."""
    server = RedisServer()
    with provider_server() as env:
        home = Home(tmp_path_factory.mktemp("home"), {"RIFFLE_REDIS_URL": server.url, **env})
        yield home
        home.close()
    server.close()


@pytest.mark.filterwarnings("ignore:The model .* is deprecated")
@pytest.mark.parametrize("slug", [slug for slug in SAMPLE if slug in recordings.SLUGS])
def test_what_is_printed_folds_to_what_it_should(home: Home, slug: str) -> None:
    assert differences(slug, home.call(*words_for(slug))) == {}
