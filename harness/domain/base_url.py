"""Base URLs: one spelling per server, and the credentials that may stand in one.

The messages never repeat the URL: a key may stand in it.
"""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from harness.domain.secret import Secret
from harness.errors import SettingsError

DEFAULT_PORTS = {"http": 80, "https": 443}
_PATHS_BELOW = (
    "/chat/completions",
    "/completions",
    "/chat",
    "/models",
    "/responses",
    "/embeddings",
)
_VERSION = "/v1"
_CALL = "/chat/completions"


def normalized_base_url(base_url: str) -> str:
    """Return one spelling per server, with scheme and host in lower case.

    It has no default port, no trailing slash and no credentials. The path of the call itself,
    `/chat/completions`, is no part of it. Raises SettingsError, which shows no credential, for what
    is not an http(s) URL of a server and a path.
    """
    parts = _split(base_url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None and parts.port != DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{parts.port}"
    path = parts.path.rstrip("/")
    while path.endswith(_CALL):
        path = path.removesuffix(_CALL).rstrip("/")
    return urlunsplit((parts.scheme, host, path, "", ""))


def note_on(base_url: str) -> str | None:
    """One line for the user about a base URL that is not what servers usually want, or None."""
    normalized = normalized_base_url(base_url)
    parts = urlsplit(normalized)
    if _split(base_url).path.rstrip("/").endswith(_CALL):
        return f"the base URL is taken without the path of the call: {normalized}"
    bare = without_call(normalized)
    if bare != normalized:
        return f"the base URL {normalized} ends in the path of a call, and most servers want {bare}"
    if not parts.path:
        likely = f"{normalized}{_VERSION}"
        return (
            f"the base URL {normalized} has no path, and most servers want {likely}; harness doctor"
            " finds out"
        )
    return None


def credentials(base_url: str) -> Secret | None:
    """`user:password` as the URL holds it, unquoted, or None.

    Raises SettingsError if the URL is none.
    """
    parts = _split(base_url)
    if not (parts.username or parts.password):
        return None
    return Secret(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}")


def without_call(base_url: str) -> str:
    """Return the normalized URL without the path of a call, such as `/chat/completions`."""
    for path in _PATHS_BELOW:
        if base_url.endswith(path):
            return base_url.removesuffix(path)
    return base_url


def likely_base_urls(base_url: str) -> tuple[str, ...]:
    """Other base URLs that may have been meant by a normalized one, the likeliest first."""
    bare = without_call(base_url)
    if bare.endswith(_VERSION):
        other = bare.removesuffix(_VERSION)
    else:
        other = bare + _VERSION
    return tuple(url for url in (bare, other) if url != base_url)


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        raise SettingsError(
            "the base URL cannot be read: write it like https://host:8000/v1"
        ) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
        raise SettingsError(
            "the base URL must be like https://host:8000/v1, with http or https and a host"
        )
    if parts.query or parts.fragment:
        raise SettingsError(
            f"the base URL of {parts.hostname} must end with its path: no `?…` and no `#…`"
        )
    if any(
        character.isspace() or not character.isprintable()
        for character in parts.netloc + parts.path
    ):
        raise SettingsError("the base URL holds white space or a control character")
    return parts
