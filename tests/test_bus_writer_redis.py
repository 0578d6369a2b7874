"""The writer over a real Redis: replies that are lost, servers that are killed, emptied, put back or refuse."""

from __future__ import annotations

import pytest

from bus.errors import AccessWithdrawn, WrongKeyType
from bus.events import Final, Info, RunFinished, Start
from bus.redis.store import Store, open_store
from bus.retry import insist
from bus.writer import Writer
from tests.support.partials import partial, text_of
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.every_redis


async def test_r08_a_lost_reply_duplicates_nothing(redis_server: RedisServer) -> None:
    async with Proxy(redis_server.socket) as proxy:
        store = await open_store(proxy.url, client_name="t")
        async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
            for i in range(40):
                proxy.lose_replies_to = b"riffle:{s1}:events" if i % 4 == 0 else None
                await writer.publish(Info(message=str(i)))
                if proxy.lose_replies_to:
                    losses = proxy.losses
                    await wait_until(lambda losses=losses: proxy.losses > losses)
                    proxy.lose_replies_to = None
                await writer.flush()
        entries = await store.stream("s1").read()
        await store.close()
    assert proxy.losses >= 10
    assert [entry.event for entry in entries] == [Info(message=str(i)) for i in range(40)]


async def test_r07_a_reply_may_be_cut_at_every_byte(redis_server: RedisServer) -> None:
    async with Proxy(redis_server.socket) as proxy:
        store = await open_store(proxy.url, client_name="t")
        async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
            for proxy.cut_after in range(24):
                losses = proxy.losses
                proxy.lose_replies_to = b"riffle:{s1}:events"
                await writer.publish(Info(message=str(proxy.cut_after)))
                await wait_until(lambda losses=losses: proxy.losses > losses)
                proxy.lose_replies_to = None
                await writer.flush()
        entries = await insist(store.stream("s1").read)  # its connection, too, may have been cut
        await store.close()
    assert [entry.event for entry in entries] == [Info(message=str(i)) for i in range(24)]


async def test_r01_kill_9_in_the_middle_of_writing_loses_and_doubles_nothing(
    redis_server: RedisServer, store: Store
) -> None:
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        for i in range(300):
            await writer.publish(partial(f"{i} "))
            if i % 100 == 50:
                redis_server.restart()
            if i % 3 == 0:
                await writer.flush()
    entries = await store.stream("s1").read()
    assert text_of(entries) == "".join(f"{i} " for i in range(300))
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))


async def test_r03_a_redis_that_comes_back_empty_is_given_the_running_turn_again(
    redis_server: RedisServer, store: Store
) -> None:
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(Start())
        await writer.publish(partial("before "))
        await writer.flush()
        redis_server.restart(empty=True)
        await writer.publish(partial("after"))
    entries = await store.stream("s1").read()
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert text_of(entries) == "before after"


async def test_r04_what_an_older_redis_lacks_is_written_again(redis_server: RedisServer, store: Store) -> None:
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(partial("one "))
        await writer.flush()
        old = redis_server.save_data()
        await writer.publish(partial("two "))
        await writer.flush()
        redis_server.restart(data=old)
        await writer.publish(partial("three"))
    assert text_of(await store.stream("s1").read()) == "one two three"


async def test_r03_what_nobody_holds_any_more_leaves_a_hole_in_the_numbers(
    redis_server: RedisServer, store: Store
) -> None:
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        for event in (Start(), Info(message="x"), Final(text=""), RunFinished()):
            await writer.publish(event)
        await writer.flush()
        redis_server.restart(empty=True)
        await writer.publish(Start())
        await writer.flush()
        redis_server.restart(empty=True)
        await writer.publish(partial("on"))
    start, delta = await store.stream("s1").read()
    assert [(start.seq, start.n), (delta.seq, delta.n)] == [(5, 5), (6, 6)]


async def test_r04_what_earlier_engines_wrote_and_redis_lost_leaves_a_hole_too(
    redis_server: RedisServer, store: Store
) -> None:
    async with Writer(store.stream("s1"), writer="old", epoch=1) as old:
        await old.publish(Info(message="1"))
        await old.publish(Info(message="2"))
        await old.flush()
        saved = redis_server.save_data()
        await old.publish(Info(message="3"))
    async with Writer(store.stream("s1"), writer="new", epoch=2) as new:
        await new.publish(Info(message="4"))
        await new.flush()
        redis_server.restart(data=saved)
        await new.publish(Info(message="5"))
    assert [(entry.epoch, entry.n) for entry in await store.stream("s1").read()] == [(1, 1), (1, 2), (2, 4), (2, 5)]


async def test_r16_a_refusal_for_good_reaches_the_publisher(redis_server: RedisServer, store: Store) -> None:
    redis_server.command("SET riffle:{s1}:events text")
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(Start())
        with pytest.raises(WrongKeyType):
            await writer.flush()


async def test_a_password_that_is_changed_and_changed_back_costs_nothing(redis_server: RedisServer) -> None:
    redis_server.command("ACL", "SETUSER", "ada", "on", ">one", "~*", "&*", "+@all")
    store = await open_store(redis_server.url.replace("unix://", "unix://ada:one@"), client_name="t")
    async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
        await writer.publish(Info(message="before"))
        await writer.flush()
        redis_server.command("ACL", "SETUSER", "ada", "resetpass", ">two")
        redis_server.command("CLIENT", "KILL", "USER", "ada")
        await writer.publish(Info(message="meanwhile"))
        await wait_until(lambda: isinstance(writer.trouble, AccessWithdrawn))
        redis_server.command("ACL", "SETUSER", "ada", "resetpass", ">one")
        await writer.flush()
    entries = await store.stream("s1").read()
    await store.close()
    assert [entry.event for entry in entries] == [Info(message="before"), Info(message="meanwhile")]
