"""`riffle models`: what each provider offers, asked now or within the last day, as a table or as JSON."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace

from engine.catalogue import NotListed, offers
from engine.failures import about
from engine.models import Endpoint, endpoint, provider_names
from engine.providers import reach
from engine.servers import SERVERS
from tui.clean import clean_line
from tui.cli.commands import Models
from tui.cli.context import Context
from tui.cli.errors import FAILED, OK, complain
from tui.cli.printing import json_text, say
from tui.models import Cache, Listing, is_fresh

DEMO = Listing(
    provider="demo",
    label="the demo",
    base_url="",
    state="live",
    models=(("demo", 0), ("demo:fast", 0), ("demo:long", 0)),
)


async def models(command: Models, ctx: Context) -> int:
    """List what one provider offers, or what all of them do."""
    if command.provider == "demo":
        return _told([DEMO], command)
    places = _places(command, ctx)
    asking = [asyncio.ensure_future(_listing(place, command, ctx)) for place in places]
    if command.json:
        # As they come: whoever reads this need not wait for the slowest.
        for done in asyncio.as_completed(asking):
            _write(await done)
    listings = list(await asyncio.gather(*asking))
    return _told(listings if command.provider else [*listings, DEMO], command)


def _places(command: Models, ctx: Context) -> list[Endpoint]:
    settings = ctx.config.providers
    if command.provider:
        return [reach(command.provider, os.environ, settings)]
    found = {name: endpoint(name, os.environ, settings) for name in provider_names(settings)}
    places = {name: place for name, place in found.items() if place is not None}
    responses, chat = places["openai"], places["openai-chat"]
    if responses.base_url == chat.base_url:
        # One list, under the name of the API that is better there: compatible servers know Chat Completions.
        del places["openai-chat" if responses.base_url == SERVERS["openai"].base_url else "openai"]
    return list(places.values())


async def _listing(place: Endpoint, command: Models, ctx: Context) -> Listing:
    """What `place` offers: asked, or from the cache. A server of this machine is always asked: that costs nothing."""
    cache, now = Cache(ctx.paths), time.time_ns() // 1_000_000
    listing = Listing(provider=place.name, label=place.label, base_url=about(place, "").address, state="live")
    if place.key_needed and not place.key:
        return replace(listing, state="no-key", key_variable=place.key_variable)
    known = await asyncio.to_thread(cache.read, place.name, listing.base_url)
    if known and is_fresh(known, now) and not (command.refresh or place.is_local):
        return replace(known, state="cached")
    try:
        found = await offers(place)
    except NotListed as problem:
        failure = problem.failure
        ready_made = place.name in SERVERS and place.name not in ctx.config.providers
        if failure.code == "unreachable" and place.is_local and ready_made and not command.provider:
            return replace(listing, state="not-running")
        hint = "Is it running?" if failure.code == "unreachable" and place.is_local else failure.hint or ""
        return replace(known or listing, state="failed", reason=failure.message, hint=hint)
    models = tuple((f"{place.name}:{offer.name}", offer.context or 0) for offer in found)
    listing = replace(listing, models=models, asked_ms=now)
    await asyncio.to_thread(cache.write, listing)
    return listing


def _write(listing: Listing) -> None:
    sys.stdout.write(json_text(listing.json()) + "\n")
    sys.stdout.flush()


def _told(listings: list[Listing], command: Models) -> int:
    """Print what was found; the exit code. Asked for by name, a provider that says nothing is a failure."""
    if command.json:
        for listing in listings:
            if listing is DEMO:
                _write(listing)
    else:
        _table([model for listing in listings for model in listing.models])
        _remarks(listings)
    silent = bool(command.provider) and not listings[0].models
    return FAILED if silent and listings[0].state == "failed" else OK


def _table(rows: list[tuple[str, int]]) -> None:
    if not rows:
        return
    names = [clean_line(name) for name, _ in rows]
    width = max(len("MODEL"), *map(len, names))
    say(f"{'MODEL':<{width}}  {'CONTEXT':>10}", "bold")
    for name, (_, context) in zip(names, rows, strict=True):
        say(f"{name:<{width}}  {f'{context:,}' if context else '':>10}".rstrip())


def _remarks(listings: Iterable[Listing]) -> None:
    """On stderr: who was silent and why, who has no key, which servers are not there."""
    for listing in listings:
        match listing.state:
            case "failed":
                shown = f" What is shown of it is {_age(listing.asked_ms)} old." if listing.models else ""
                complain(f"{listing.reason}{shown}", listing.hint)
            case "live" if not listing.models:
                complain(f"{listing.label} lists no model at {listing.base_url}.")
            case _:
                pass
    if without := [f"{one.provider} ({one.key_variable})" for one in listings if one.state == "no-key"]:
        complain(f"No key is set for {', '.join(without)}.")
    if absent := [one.provider for one in listings if one.state == "not-running"]:
        complain(f"Not running on this machine: {', '.join(absent)}.")


def _age(asked_ms: int) -> str:
    minutes = max(0, time.time_ns() // 1_000_000 - asked_ms) // 60_000
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
