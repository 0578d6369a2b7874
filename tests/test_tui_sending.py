"""The session screen over a scripted session: what becomes of a prompt that cannot be sent or that nobody answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from bus.entities import Interruption, UserText
from bus.errors import AccessDenied, StoreUnavailable
from bus.events import Interrupt, RunStopped
from bus.feed import LeaseChanged
from bus.meta import Metadata
from bus.redis.store import Store
from bus.retry import insist
from bus.session import EngineLease, Prompt, Queue, SessionInfo
from tests.support.redis_server import RedisServer
from tests.support.riffle_app import answered, answering, attached, screen
from tests.support.scripted_source import Sent, Story
from tests.support.waiting import wait_until
from tui.openings import Attach
from tui.screens.picker import Picker
from tui.timeline.view import TimelineView
from tui.widgets.queue import QueuePanel

LEASE = EngineLease(engine_id="e1", epoch=1, host="desk", pid=1, version="1", busy=True, started_ms=0)
ANYBODY = Queue((Prompt(id="q1", text="Anybody?", author="ada@desk"),))


async def test_a_prompt_that_cannot_be_sent_is_given_back(own_home: Path) -> None:
    app = screen(own_home)
    app.source.failure = AccessDenied("Redis does not let you in.", "Who are you?")
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press(*"mine", "enter")
        await app.note("Redis does not let you in. Who are you?")
        await wait_until(lambda: app.prompt.text == "mine")
        await pilot.press("enter")
        await wait_until(lambda: len(app.source.prompt_ids) == 2 and app.prompt.text == "mine")
        await pilot.press("!", "enter")
        await wait_until(lambda: len(app.source.prompt_ids) == 3 and app.prompt.text == "mine!")
        await pilot.press("ctrl+c", *"mine!", "enter")
        await wait_until(lambda: len(app.source.prompt_ids) == 4)
        first, unchanged, changed, typed_again = app.source.prompt_ids
        assert first == unchanged
        assert len({first, changed, typed_again}) == 3


async def test_what_is_sent_while_redis_is_away_waits_in_sight_and_goes_once_in_order(own_home: Path) -> None:
    app = screen(own_home)
    app.source.failure = StoreUnavailable("Redis does not answer.", "Is it running?")
    async with app.run_test() as pilot:
        await app.opened()
        panel = app.session_screen.query_one(QueuePanel)
        await pilot.press(*"one", "enter")
        assert panel.render().plain.split() == ["sent", "one", "↑", "edit"]
        await pilot.press(*"two", "enter", *"three", "enter")
        await app.note("Redis does not answer. Is it running? The prompt is sent when Redis is back.")
        await pilot.press("up")
        await wait_until(lambda: app.prompt.text == "three")
        assert [prompt.text for prompt in panel.queue.prompts] == ["one", "two"]
        waited = [prompt.id for prompt in panel.queue.prompts]
        await wait_until(lambda: app.source.prompt_ids.count(waited[0]) > 1)
        app.source.failure = None
        await wait_until(lambda: not panel.queue.prompts)
        assert [sent.text for sent in app.source.sent] == ["one", "two"]
        assert [prompt.id for prompt in app.source.unbegun] == waited
        assert [note.endswith("Redis is back.") for note in app.notes].count(True) == 1
        app.source.failure = StoreUnavailable("Redis does not answer.")
        await pilot.press("enter")
        await wait_until(lambda: app.notes[-1] == "Redis does not answer. The prompt is sent when Redis is back.")
        await app.session_screen.stop()
        assert app.prompt.text == "three"


async def test_what_was_sent_while_a_real_redis_was_away_is_in_its_queue_once(
    own_home: Path, redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.submit.PATIENCE_SECONDS", 0.2)
    session = await store.create_session(SessionInfo(id="", answering="pool"))
    async with attached(own_home, redis_server.url, Attach(session=session.id)) as app:
        await wait_until(lambda: "live" in app.status)
        redis_server.kill9()
        await wait_until(lambda: "reconnecting" in app.status)
        await app.press(*"one", "enter", *"two", "enter")
        panel = app.session_screen.query_one(QueuePanel)
        assert [prompt.text for prompt in panel.queue.prompts] == ["one", "two"]
        await app.note("The prompt is sent when Redis is back.")
        assert [prompt.text for prompt in panel.queue.prompts] == ["one", "two"]
        waited = [prompt.id for prompt in panel.queue.prompts]
        redis_server.start()
        await wait_until(lambda: not app.session_screen.going)
        await wait_until(lambda: [prompt.id for prompt in app.folded.queue.prompts] == waited)
        assert app.prompt.text == ""
    assert [prompt.id for prompt in (await insist(lambda: store.queue(session.id))).prompts] == waited


async def test_a_lost_engine_is_told_and_the_prompt_can_be_asked_again(own_home: Path) -> None:
    app = screen(own_home, LeaseChanged(LEASE), answering().take())
    async with app.run_test() as pilot:
        await app.read(2)
        app.source.push(LeaseChanged(None))
        await wait_until(lambda: "engine lost" in app.status)
        kinds = [type(entity) for entity in app.folded.timeline.entities]
        assert Interruption in kinds
        await pilot.press("f5")
        await wait_until(lambda: app.source.sent)
        await pilot.press("f5")
        await app.note("It is asked again already")
        assert app.source.sent == [Sent("Why is water wet?", "", "t1")]


async def test_an_answer_that_goes_on_after_all_is_not_asked_again(own_home: Path) -> None:
    story = answering()
    app = screen(own_home, LeaseChanged(LEASE), story.take())
    async with app.run_test() as pilot:
        await app.read(2)
        app.source.push(LeaseChanged(None, sure=False))
        await pilot.press("f5")
        await app.note("The answer is still coming")
        assert "engine lost" not in app.status
        app.source.push(LeaseChanged(None))
        await wait_until(lambda: "engine lost" in app.status)
        await pilot.press("f5")
        await wait_until(lambda: app.source.unbegun)
        app.source.push_queue(Queue(tuple(app.source.unbegun)))
        app.source.push(story.say(" wet").take(), LeaseChanged(LEASE))
        await app.note("The engine is there after all")
        await wait_until(lambda: not app.folded.queue.prompts and "engine lost" not in app.status)
        assert app.source.calls.count("withdraw") == 1


async def test_a_retry_asks_the_prompt_of_the_turn_that_it_stands_in(own_home: Path) -> None:
    story = Story().ask("The first").say("half")
    stopped = Metadata(message_id="m1", session_id="s1", turn_id="t1")
    story.add(Interrupt(meta=stopped, text="half")).add(RunStopped(meta=stopped, reason="interrupt"))
    app = screen(own_home, story.ask("The second").say("whole").finish().take())
    async with app.run_test() as pilot:
        await app.read(5)
        (cut,) = [entity for entity in app.folded.timeline.entities if isinstance(entity, Interruption)]
        view = app.session_screen.view
        assert view is not None and view.can_retry
        view.post_message(TimelineView.RetryRequested(cut))
        await wait_until(lambda: app.source.sent)
        await pilot.press("f5")
        await wait_until(lambda: len(app.source.sent) == 2)
        assert app.source.sent == [Sent("The first", "", "t1"), Sent("The second", "", "t2")]
        assert [e.text for e in app.folded.timeline.entities if isinstance(e, UserText)] == ["The first", "The second"]


async def test_an_engine_is_offered_where_none_answers(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.sending.PATIENCE_SECONDS", 0.01)
    app = screen(own_home, answered().take(), opening=Attach(session="x"))
    async with app.run_test() as pilot:
        await app.read(3)
        app.source.engine_wanted = True
        app.source.push_queue(ANYBODY)
        await wait_until(
            lambda: isinstance(app.screen, Picker) and any(o.option_count for o in app.screen.query(OptionList))
        )
        await pilot.pause()
        await pilot.press("down", "enter")
        await wait_until(lambda: "allow_engine" in app.source.calls)


async def test_where_no_engine_may_be_started_it_is_said_what_a_prompt_waits_for(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.sending.PATIENCE_SECONDS", 0.01)
    app = screen(own_home, answered().take())
    async with app.run_test():
        await app.read(3)
        app.source.unanswered = "It waits until bob@there opens it again."
        app.source.push_queue(ANYBODY)
        await app.note("No engine is there: the prompt waits. It waits until bob@there opens it again.")
