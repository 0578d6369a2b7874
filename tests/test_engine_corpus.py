"""Every recording of a real provider stream, through the real SDKs and our adapters, against its expected outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import recordings
from tests.support.provider_http import Answer, FakeServer, ask, fold

pytestmark = recordings.needed


@pytest.mark.filterwarnings("ignore:The model .* is deprecated")
@pytest.mark.parametrize("slug", recordings.SLUGS)
async def test_a_recording_folds_to_what_it_should(slug: str, record_property: Callable[[str, object], None]) -> None:
    record_property("recording", slug)
    answer = Answer(body=recordings.body(slug), size=1000)
    events = await ask(recordings.api(slug), FakeServer(answer))
    assert answer.closed
    assert recordings.differences(slug, fold(events)) == {}
