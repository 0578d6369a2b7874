"""A port that speaks TLS, and one that does not: neither says so to whoever speaks the other one, so we look."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from ..errors import StoreRefused
from .address import Address, Place

LOOK_SECONDS = 1.0


async def mismatch(address: Address) -> StoreRefused | None:
    """The error for an address without TLS that leads to a TLS port, or the other way round.

    No user, no password and no command but PING is sent, and nothing is ever connected to in another way than the
    address says.
    """
    place = address.places[0]
    plain = f"redis{address.url.partition('://')[0].removeprefix('rediss').removeprefix('redis')}://"
    tls = plain.replace("redis", "rediss", 1)
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            if address.tls and await _speaks_plainly(place):
                return StoreRefused(f"Redis at {address.safe} does not speak TLS.", f"Write {plain} instead of {tls}.")
            if not address.tls and place.port and await _speaks_tls(place):
                return StoreRefused(f"Redis at {address.safe} speaks only TLS.", f"Write {tls} instead of {plain}.")
    return None


async def _speaks_plainly(place: Place) -> bool:
    reader, writer = await asyncio.open_connection(*place)
    try:
        writer.write(b"PING\r\n")
        return await reader.read(1) in (b"+", b"-")
    finally:
        writer.transport.abort()


async def _speaks_tls(place: Place) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(*place, ssl=context)
    writer.transport.abort()
    return True
