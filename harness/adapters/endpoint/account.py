"""What a known provider says of itself and of the account: its models, its clock, the balance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from harness.adapters.endpoint.http import build_http_client
from harness.domain.endpoint import Endpoint
from harness.domain.failures import TransientError
from harness.domain.policy import Carrier, Timeouts
from harness.errors import HarnessError

if TYPE_CHECKING:
    import httpx2

_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a GET brought. `body` is its JSON, or its text where it is none; `at` the server's Date, if it told one."""

    status: int
    body: Any
    at: datetime | None


async def ask_account(
    endpoint: Endpoint,
    path: str,
    *,
    timeouts: Timeouts,
    transport: httpx2.AsyncBaseTransport | None = None,
    carrier: Carrier = "aiohttp",
) -> Answer:
    """GET a path of a known provider with the key that belongs to it. Raises TransientError if it cannot be reached."""
    import httpx2  # noqa: PLC0415 - start-up that only those who ask pay for

    client = build_http_client(timeouts, base_url=endpoint.base_url, transport=transport, carrier=carrier)
    authorization = endpoint.authorization
    headers = {"Authorization": authorization.reveal()} if authorization is not None else {}
    async with client:
        try:
            response = await client.get(f"{endpoint.base_url}{path}", headers=headers, timeout=_TIMEOUT_S)
        except (httpx2.HTTPError, OSError) as error:
            what = endpoint.redact(f"{type(error).__name__}: {error}")
            raise TransientError(f"{endpoint.base_url} cannot be reached: {what}", kind="connection") from None
    # Whatever a server echoes is shown to the user.
    return Answer(status=response.status_code, body=_json_or_text(endpoint.redact(response.text)), at=_date(response))


def model_names(answer: Answer) -> tuple[str, ...]:
    """The ids in the body of `GET /models`. Raises HarnessError for a body of another shape."""
    try:
        return tuple(str(model["id"]) for model in answer.body["data"])
    except (TypeError, KeyError) as error:
        raise HarnessError("the list of models has an unknown shape") from error


def balance_text(answer: Answer) -> tuple[bool, str]:
    """Whether the account may be used, and its balance in words. Raises HarnessError for a body of another shape."""
    try:
        amounts = [f"{info['total_balance']} {info['currency']}" for info in answer.body["balance_infos"]]
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
