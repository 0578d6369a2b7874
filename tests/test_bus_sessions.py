"""Sessions: made, listed, found by name, changed, deleted for good."""

from __future__ import annotations

import pytest

from bus.errors import AmbiguousSession, StoreRefused, UnknownSession
from bus.redis.sessions import new_session_id, title_of
from bus.redis.store import Store
from bus.session import Prompt, SessionInfo
from bus.stream import START
from tests.support.redis_server import RedisServer


async def make(store: Store, session_id: str = "", title: str = "", updated_ms: int = 0) -> SessionInfo:
    return await store.create_session(SessionInfo(id=session_id, title=title, updated_ms=updated_ms))


async def test_a_new_session_has_all_that_was_said_and_the_rest_filled_in(store: Store) -> None:
    made = await store.create_session(
        SessionInfo(id="", model="demo", answering="pool", owner="ann@box", cwd="/home/ann", version="0.1.0")
    )
    assert made.id
    assert made.created_ms == made.updated_ms > 0
    assert len(made.stream_epoch) == 32
    assert await store.session(made.id) == made
    assert await store.session("other") is None


async def test_sessions_are_listed_newest_first(store: Store) -> None:
    for name, updated in (("a", 100), ("b", 300), ("c", 200)):
        await make(store, name, updated_ms=updated)
    assert [info.id for info in await store.sessions()] == ["b", "c", "a"]


async def test_a_lost_index_is_repaired_by_a_scan(redis_server: RedisServer, store: Store) -> None:
    await make(store, "a")
    redis_server.command("DEL riffle:sessions")
    redis_server.command("ZADD riffle:sessions 5 ghost")
    assert [info.id for info in await store.sessions()] == ["a"]
    assert redis_server.command("ZSCORE riffle:sessions a")
    assert redis_server.command("ZCARD riffle:sessions") == "1"


async def test_names_mean_id_then_title_then_beginnings(store: Store) -> None:
    await make(store, "abc1", title="Soup")
    await make(store, "abd2", title="abc1")
    await make(store, "xyz3", title="Soufflé for two")
    for name, found in [
        ("Soup", "abc1"), ("abc1", "abc1"), ("ABD2", "abd2"), ("xy", "xyz3"), ("soufflé", "xyz3"), ("abd", "abd2")
    ]:  # fmt: skip
        assert (await store.find(name)).id == found, name


@pytest.mark.parametrize("name", ["ab", "sou", "Twice"])
async def test_what_means_several_names_them(store: Store, name: str) -> None:
    await make(store, "abc1", title="Soup")
    await make(store, "abd2", title="Soufflé")
    await make(store, "x1", title="Twice")
    await make(store, "x2", title="Twice")
    with pytest.raises(AmbiguousSession, match="2 sessions") as caught:
        await store.find(name)
    assert caught.value.hint.count("(") == 2


@pytest.mark.parametrize("name", ["zzz", ""])
async def test_what_means_none_says_so(store: Store, name: str) -> None:
    with pytest.raises(UnknownSession, match="no session") as caught:
        await store.find(name)
    assert caught.value.hint == "There are no sessions yet."
    await make(store, "abc1")
    with pytest.raises(UnknownSession) as caught:
        await store.find(name)
    assert "riffle sessions list" in caught.value.hint


async def test_fields_are_changed(store: Store) -> None:
    await make(store, "a", title="Old")
    await store.rename_session("a", "New")
    await store.update_session("a", model="openai:x", answering="pool")
    info = await store.session("a")
    assert info
    assert (info.title, info.model, info.answering) == ("New", "openai:x", "pool")
    with pytest.raises(ValueError, match="Not to be set"):
        await store.update_session("a", nonsense=1)


async def test_a_deleted_session_is_gone_and_stays_gone(redis_server: RedisServer, store: Store) -> None:
    await make(store, "a")
    stream = store.stream("a")
    await store.submit("a", Prompt(id="p", text="x", author="me"))
    await stream.put_block(stream.block_key(), b"big")
    await store.delete_session("a")
    assert await store.sessions() == []
    for again in (
        store.submit("a", Prompt(id="p2", text="x", author="me")),
        store.rename_session("a", "x"),
        store.seat("a", engine_id="e").__aenter__(),
    ):
        with pytest.raises(UnknownSession, match="was deleted"):
            await again
    assert redis_server.command("DBSIZE") == "1"  # the tombstone
    assert (await stream.info()).last_id == START


@pytest.mark.parametrize("name", ["*", "a?", "[a]", "a\\", "a b", "a}b", "ä", "a/b", "a\n"])
async def test_an_id_that_could_mean_others_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreRefused, match="cannot have the id"):
        await make(store, name)
    await make(store, "aA_9.-")
    assert (await store.find("aA_9.-")).id == "aA_9.-"


@pytest.mark.parametrize("name", ["*", "[a-z]1", "?1", "^1", "\\a1"])
async def test_deleting_what_looks_like_a_pattern_deletes_only_that(
    redis_server: RedisServer, store: Store, name: str
) -> None:
    await make(store, "a1")
    redis_server.command(f"HSET riffle:{{{name}}}:meta title foreign")
    redis_server.command(f"SET riffle:{{{name}}}:block:1 x")
    assert [info.id for info in await store.sessions()] == ["a1"]
    await store.delete_session(name)
    assert [info.id for info in await store.sessions()] == ["a1"]
    assert redis_server.command("DBSIZE") == "3"  # the session, the index, the tombstone


def test_ids_sort_by_time_and_are_short() -> None:
    ids = [new_session_id(1_800_000_000 + seconds) for seconds in (0, 1, 31, 32, 1000, 10**6, 10**8)]
    assert ids == sorted(ids)
    assert all(len(name) == 14 and name.isalnum() and name.islower() for name in ids)
    assert len({new_session_id(1_800_000_000) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("prompt", "title"),
    [("\n  Why?  \nmore", "Why?"), ("", ""), ("x" * 61, "x" * 59 + "…"), ("y" * 60, "y" * 60)],
)
def test_a_title_is_the_first_line(prompt: str, title: str) -> None:
    assert title_of(prompt) == title


async def test_odd_meta_is_read_all_the_same(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("HSET riffle:{odd}:meta created_ms yesterday messages -1 answering anyone")
    (info,) = await store.sessions()
    assert (info.id, info.created_ms, info.messages, info.answering) == ("odd", 0, 0, "private")


async def test_the_server_is_described(store: Store) -> None:
    info = await store.server_info()
    assert info.version.startswith(("6.", "7.", "8."))
    assert (info.durability, info.maxmemory_policy, info.role) == ("process", "noeviction", "master")
