"""The way to a collector, and in words what went wrong on it; a part of the extra, like `otlp`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import requests

_MOVED = "it is at another address, and a redirection is not followed"
_STATUSES = {
    401: "it wants a token: put it into OTEL_EXPORTER_OTLP_HEADERS",
    403: "it does not accept the token of OTEL_EXPORTER_OTLP_HEADERS",
    404: "nothing takes OTLP over HTTP there",
    405: "nothing takes OTLP over HTTP there",
    413: "it takes no requests of this size",
    415: "it takes no protobuf with gzip",
    429: "it asked for a pause",
}


class Connection(requests.Session):
    """Goes to the collector and nowhere else: no proxy, no password file, no redirection.

    `trouble` says what became of the last request that was not taken; it may be asked from another
    thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = 0
        self.trouble: str | None = None

    def forget(self) -> None:
        """Reset `trouble`."""
        self.trouble = None

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """See `requests.Session`."""
        try:
            response = super().request(*arguments, **options)
        except requests.RequestException as error:
            self.trouble = what_broke(error)
            raise
        if not response.ok:
            self.trouble = what_was_answered(response.status_code)
        return response


def what_broke(error: BaseException) -> str:
    """Return in words why there was no answer."""
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.TooManyRedirects):
        return _MOVED
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection: its certificate is not trusted, or it speaks plain HTTP"
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "there is no host of this name"
            case ConnectionRefusedError():
                return "nothing listens there"
            case OSError(errno=int(number)):
                return os.strerror(number).lower()
    return "the connection broke"


def what_was_answered(status: int) -> str:
    """Return in words why an answer took nothing."""
    answered = f"it answered with HTTP {status}"
    said = _STATUSES.get(status)
    return f"{answered} ({said})" if said else answered


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, and what it came from."""
    known: BaseException | None = error
    while known is not None:
        yield known
        known = known.__cause__ or known.__context__
