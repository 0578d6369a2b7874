"""TLS: certificates that can be trusted and others, and ports that speak it or do not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.errors import BusError, StoreRefused, StoreUnavailable
from bus.events import Info
from bus.redis.connection import Connection
from bus.redis.store import open_store
from bus.redis_binary import VARIABLE, installed
from bus.writer import Writer
from tests.support.certificates import Authority
from tests.support.redis_server import RedisServer
from tests.support.replicas import free_port
from tests.support.viewer import Viewer


class TlsServer(RedisServer):
    """A server that speaks TLS at `tls_port`, and does not at `plain_port`. Its certificate is for `localhost`."""

    def __init__(self, authority: Authority, *extra: str) -> None:
        self.tls_port, self.plain_port = free_port(), free_port()
        own = authority.sign("localhost")
        super().__init__(
            *("--bind", "127.0.0.1", "--port", str(self.plain_port), "--tls-port", str(self.tls_port)),
            *("--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key)),
            *("--tls-ca-cert-file", str(authority.certificate), *extra),
        )


def binary_with_tls(folder: Path) -> str:
    """A redis-server of this machine that was built with TLS; the bundled one is not."""
    for path in installed():
        # Without certificates one that knows TLS ends at once as well: it says that they are missing.
        tried = subprocess.run(
            [path, "--port", "0", "--tls-port", str(free_port()), "--dir", str(folder)],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        if "Failed to configure TLS" in tried.stdout:
            return path
    pytest.skip("no redis-server on PATH was built with TLS (the bundled one was not): apt-get install redis-server")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if not shutil.which("openssl"):
        pytest.skip("there is no `openssl` program to make certificates with")
    return Authority(tmp_path_factory.mktemp("authority"), "good")


@pytest.fixture(scope="module")
def shared_server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, binary_with_tls(tmp_path_factory.mktemp("try")))
        server = TlsServer(authority, "--tls-auth-clients", "no")
    yield server
    server.close()


@pytest.fixture
def server(shared_server: TlsServer) -> TlsServer:
    return shared_server


async def test_an_answer_is_written_and_seen_over_tls(server: TlsServer, authority: Authority) -> None:
    url = f"rediss://localhost:{server.tls_port}?ssl_ca_certs={authority.certificate}"
    store = await open_store(url, client_name="t")
    async with Viewer(store.watch(store.stream("s1"))) as viewer:
        async with Writer(store.stream("s1"), writer="w", epoch=1) as writer:
            await writer.publish(Info(message="1"))
        await viewer.sees("1")
    await store.close()


async def test_r22_an_unknown_authority_is_refused(server: TlsServer, authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    for query in ("", f"?ssl_ca_certs={other.certificate}"):
        with pytest.raises(StoreRefused, match=r"The certificate of Redis at .* cannot be trusted: ") as caught:
            await open_store(f"rediss://localhost:{server.tls_port}{query}", client_name="t")
        assert "?ssl_ca_certs=/path/to/ca.pem" in caught.value.hint


async def test_r22_another_host_than_the_certificate_names_is_refused(server: TlsServer, authority: Authority) -> None:
    url = f"rediss://127.0.0.1:{server.tls_port}?ssl_ca_certs={authority.certificate}"
    with pytest.raises(StoreRefused, match=r"IP address mismatch, certificate is not valid for '127.0.0.1'") as caught:
        await open_store(url, client_name="t")
    assert caught.value.hint == "Write the host as the certificate names it."


async def test_r22_a_certificate_file_that_cannot_be_used_is_named(server: TlsServer, tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match=r"certificate file .* cannot be used: No such file"):
        await open_store(f"rediss://localhost:{server.tls_port}?ssl_ca_certs=/nowhere/ca.pem", client_name="t")
    odd = tmp_path / "odd.pem"
    odd.write_text("odd")
    with pytest.raises(StoreRefused, match=r"certificate file .* cannot be used"):
        await open_store(f"rediss://localhost:{server.tls_port}?ssl_ca_certs={odd}", client_name="t")


async def test_r22_a_port_without_tls_is_told_and_gets_no_password(server: TlsServer) -> None:
    url = f"rediss://ada:hunter2@localhost:{server.plain_port}"
    with pytest.raises(StoreRefused, match="does not speak TLS") as caught:
        await open_store(url, client_name="t")
    assert caught.value.hint == "Write redis:// instead of rediss://."
    # Later, one that does not answer may just be stopped: worth another try.
    connection = Connection(url, client_name="t")
    with pytest.raises(StoreUnavailable, match="does not answer in TLS"):
        await connection.call("PING")
    await connection.close()
    assert "hunter2" not in server.command("ACL LOG")


async def test_r22_a_port_that_wants_tls_is_told(server: TlsServer) -> None:
    with pytest.raises(StoreRefused, match="speaks only TLS") as caught:
        await open_store(f"redis://ada:hunter2@localhost:{server.tls_port}", client_name="t")
    assert caught.value.hint == "Write rediss:// instead of redis://."


async def test_r22_a_server_that_wants_a_certificate_of_ours(server: TlsServer, authority: Authority) -> None:
    url = f"rediss://localhost:{server.tls_port}?ssl_ca_certs={authority.certificate}"
    server.command("CONFIG SET tls-auth-clients yes")
    try:
        # Whether its reason arrives before the connection is gone is a matter of luck; the hint is the same.
        with pytest.raises(BusError, match=r"wants a certificate of yours|closed the connection") as caught:
            await open_store(url, client_name="t")
        assert "ssl_certfile" in caught.value.hint
        own = authority.sign("ada")
        store = await open_store(f"{url}&ssl_certfile={own.certificate}&ssl_keyfile={own.key}", client_name="t")
        await store.close()
    finally:
        server.command("CONFIG SET tls-auth-clients no")
