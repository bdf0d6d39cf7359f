"""Facts that a server tells of itself and of the account: its models, its clock, the balance."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import anyio

from harness.domain.endpoint import Endpoint
from harness.domain.failures import TransientError
from harness.domain.policy import Carrier, Timeouts
from harness.endpoint.http import build_http_client
from harness.errors import HarnessError

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 15.0
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a GET. `body` is its JSON, or its text where it is none.

    `at` the server's Date, if it told one. `location` is where a redirect would lead.
    """

    status: int
    body: Any
    at: datetime | None
    location: str | None = None


async def ask_account(
    endpoint: Endpoint,
    path: str,
    *,
    timeouts: Timeouts,
    base_url: str | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    carrier: Carrier = "aiohttp",
) -> Answer:
    """GET a path of an endpoint with the key that belongs to it.

    `base_url` is another one of the same server. Raises TransientError if it cannot be reached, or
    does not answer in time.
    """
    import httpx2  # noqa: PLC0415 - start-up that only those who ask pay for

    client = build_http_client(
        timeouts, base_url=endpoint.base_url, transport=transport, carrier=carrier
    )
    headers = endpoint.headers()
    url = f"{base_url or endpoint.base_url}{path}"
    async with client:
        try:
            with anyio.fail_after(TIMEOUT_S):
                response = await client.get(url, headers=headers, timeout=TIMEOUT_S)
        except TimeoutError:
            raise TransientError(
                f"{url} did not answer within {TIMEOUT_S:g} s", kind="timeout"
            ) from None
        except (httpx2.HTTPError, OSError) as error:
            what = endpoint.redact(f"{type(error).__name__}: {error}")
            raise TransientError(
                f"{endpoint.base_url} cannot be reached: {what}", kind="connection"
            ) from None
    # Whatever a server echoes is shown to the user.
    return Answer(
        status=response.status_code,
        body=_json_or_text(endpoint.redact(response.text)),
        at=_date(response),
        location=endpoint.redact(response.headers.get("location", "")) or None,
    )


def model_names(answer: Answer) -> tuple[str, ...]:
    """The ids in the body of `GET /models`. Raises HarnessError for a body of another shape."""
    try:
        return tuple(str(model["id"]) for model in answer.body["data"])
    except (TypeError, KeyError) as error:
        raise HarnessError("the list of models has an unknown shape") from error


def words_of(answer: Answer) -> str:
    """Return the message of an answer that is no success, or the beginning of its text.

    It is on one line.
    """
    body = answer.body
    if isinstance(body, str):
        title = _TITLE.search(body)
        return _one_line(body if title is None else title[1])
    error = body
    if isinstance(body, Mapping):
        error = body.get("error", body)
    if isinstance(error, Mapping):
        error = next(
            (error[name] for name in ("message", "detail", "code", "type") if error.get(name)),
            error,
        )
    if not error:
        return ""
    return _one_line(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= 200:
        return line
    return f"{line[:200]}…"


def balance_text(answer: Answer) -> tuple[bool, str]:
    """Return whether the account may be used, and its balance in words.

    Raises HarnessError for a body of another shape.
    """
    try:
        amounts = [
            f"{info['total_balance']} {info['currency']}" for info in answer.body["balance_infos"]
        ]
        return bool(answer.body["is_available"]), ", ".join(amounts) or "nothing"
    except (TypeError, KeyError) as error:
        raise HarnessError("the balance has an unknown shape") from error


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _date(response: httpx2.Response) -> datetime | None:
    stamp = response.headers.get("date")
    if stamp is None:
        return None
    try:
        return parsedate_to_datetime(stamp)
    except (ValueError, OverflowError):
        return None
