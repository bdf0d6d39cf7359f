"""Everything but the chat: keys, the list of models, the balance, and what is not there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from harness.testing.deepseek.validation import CONTEXT_TOKENS, MAX_OUTPUT_TOKENS, MODELS, Rejection

CHAT = ("POST", "/chat/completions")

_TITLES = {"deepseek-flash": "DeepSeek-V4.1-Flash", "deepseek-v4-pro": "DeepSeek-V4-Pro"}


def route_of(path: str) -> str:
    """The path without what may stand around it: `/v1`, `/beta`, a query, a last slash."""
    return path.partition("?")[0].rstrip("/").removeprefix("/beta").removeprefix("/v1")


def check_key(authorization: str, keys: Collection[str] | None) -> None:
    """Raises Rejection (401) for no key, or one that is not known (`keys` None: every key is)."""
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Rejection(401, "Authentication Fails (auth header format should be Bearer sk-...)")
    if keys is not None and key.strip() not in keys:
        raise Rejection(
            401, f"Authentication Fails, Your api key: ****{key.strip()[-4:]} is invalid"
        )


def side_route(method: str, route: str, *, balance_usd: float) -> dict[str, Any]:
    """The JSON of the routes beside the chat. Raises Rejection for those that do not exist."""
    if (method, route) == ("GET", "/models"):
        return {"object": "list", "data": [_model(name) for name in MODELS]}
    if (method, route) == ("GET", "/user/balance"):
        return _balance(balance_usd)
    if (method, route) == ("POST", "/completions"):
        raise Rejection(
            400,
            'completions api is only available when using beta api (set base_url="https://api.deepseek.com/beta")',
        )
    if route in ("/models", "/user/balance", CHAT[1]):
        raise Rejection(405, "Method Not Allowed")
    raise Rejection(404, "Not Found")


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "owned_by": "deepseek",
        "name": _TITLES[name],
        "context_window": CONTEXT_TOKENS,
        "max_output_tokens": MAX_OUTPUT_TOKENS,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "effort": {"supported_levels": ["low", "high", "max"], "default_level": "high"},
    }


def _balance(usd: float) -> dict[str, Any]:
    total = f"{max(usd, 0):.2f}"
    info = {
        "currency": "USD",
        "total_balance": total,
        "granted_balance": "0.00",
        "topped_up_balance": total,
    }
    return {"is_available": usd > 0, "balance_infos": [info]}
