"""A check that a server can be reached: its name, a TCP connection, and TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio

from harness.domain.base_url import DEFAULT_PORTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A connection that was opened and closed again.

    `tls` is its version, None where there was none.
    """

    host: str
    port: int
    address: str
    took_s: float
    tls: str | None


class TlsSilenceError(OSError):
    """The server was connected to, and said nothing when TLS was begun."""


class UnreachableError(Exception):
    """The message says what failed, `advice` what to do about it."""

    def __init__(self, said: str, advice: str) -> None:
        super().__init__(said)
        self.advice = advice


async def reach(url: str, *, within_s: float) -> Reached:
    """Connect to the server of a URL and say nothing; TCP and TLS may take so long each.

    Raises UnreachableError.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    began_s = time.perf_counter()
    try:
        address, tls = await _connected(
            host, port, secure=parts.scheme == "https", within_s=within_s
        )
    except OSError as error:
        said, advice = in_words(error, host=host, port=port, within_s=within_s)
        raise UnreachableError(said, advice) from error
    return Reached(
        host=host, port=port, address=address, took_s=time.perf_counter() - began_s, tls=tls
    )


async def speaks_tls(url: str, *, within_s: float) -> bool:
    """Return whether the server of an http:// URL answers to TLS."""
    try:
        await reach(f"https://{urlsplit(url).netloc}", within_s=within_s)
    except UnreachableError as error:
        return isinstance(error.__cause__, ssl.SSLCertVerificationError)
    return True


async def _connected(
    host: str, port: int, *, secure: bool, within_s: float
) -> tuple[str, str | None]:
    """The address that answered, and the version of TLS. Raises OSError, that of the last
    address.
    """
    with anyio.fail_after(within_s):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed: OSError | None = None
    for address in dict.fromkeys(str(info[4][0]) for info in found):
        try:
            return address, await _opened(address, port, host if secure else None, within_s)
        except OSError as error:
            failed = error
    raise failed or OSError("the name has no address")


async def _opened(address: str, port: int, tls_name: str | None, within_s: float) -> str | None:
    with anyio.fail_after(within_s):
        _, writer = await asyncio.open_connection(address, port)
    try:
        if tls_name is None:
            return None
        return await _secured(writer, tls_name, within_s)
    finally:
        # Not `close` and `wait_closed`: after a handshake that was given up, the latter waits for
        # ever.
        writer.transport.abort()
        await asyncio.sleep(0)


async def _secured(writer: asyncio.StreamWriter, name: str, within_s: float) -> str | None:
    """The version of TLS that the server and we agree on. Raises OSError."""
    try:
        with anyio.fail_after(within_s):
            await writer.start_tls(_trusting_context(), server_hostname=name)
    except TimeoutError as error:
        raise TlsSilenceError from error
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    return secured.version()


def _trusting_context() -> ssl.SSLContext:
    """Return an SSL context with the certificates that a run trusts."""
    import httpx2  # noqa: PLC0415 - start-up that only those who connect pay for

    return httpx2.create_ssl_context()


def in_words(error: OSError, *, host: str, port: int, within_s: float) -> tuple[str, str]:
    """Return what failed and what to do about it."""
    where = f"{host}:{port}"
    match error:
        case socket.gaierror():
            return (
                f"the name {host} is not found",
                "look at the spelling of the base URL, and at the network",
            )
        case TlsSilenceError():
            return f"{where} does not answer to TLS", "is it an http:// URL?"
        case TimeoutError():
            said = f"no connection to {where} within {within_s:g} s"
            return (
                said,
                "see that the server is up and the address right, and that no firewall is between",
            )
        case ConnectionRefusedError():
            return (
                f"nothing listens at {where}: connection refused",
                "start the server, or correct the port",
            )
        case ssl.SSLCertVerificationError():
            said = f"the certificate of {host} is not trusted: {error.verify_message}"
            return said, "TLS trusts the store of the operating system; SSL_CERT_FILE names another"
        case ssl.SSLError(reason=reason) if reason in (
            "WRONG_VERSION_NUMBER",
            "RECORD_LAYER_FAILURE",
            "HTTP_REQUEST",
        ):
            return f"{where} does not speak TLS", "is it an http:// URL?"
        case ssl.SSLError():
            said = f"TLS with {where} failed: {error}"
            return said, "see that it is a server of HTTPS; one of plain HTTP has an http:// URL"
        case ConnectionResetError():
            return (
                f"{where} closed the connection as it was opened",
                "see what listens there, and its log",
            )
    return f"no connection to {where}: {error.strerror or error}", "look at the network"
