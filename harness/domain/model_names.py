"""A comparison of model names: the one that was asked for, and the one that an answer names.

Servers restyle names: they put a path before them, a date, a build or a route behind them, dots for
dashes. A name is read as its words, its version and its build. Two names are the same model where
the words are the same, and neither names a version or a build that the other contradicts: `gpt-4o`
may be answered by `gpt-4o-2024-08-06`, but `gpt-4o-2024-05-13` may not. What cannot be told by its
name is an alias, which an endpoint's table documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

NO_ALIASES: Mapping[str, str] = MappingProxyType({})

ASKS_FOR_ANY = frozenset(
    {
        # Routers that choose by themselves.
        *("auto", "openrouter/auto", "openrouter/free", "model-router"),
        # Stand for the one model of a local server.
        *("default", "default_model", "local-model", "tgi"),
    }
)
"""Names by which nobody chose a model: whatever answers is what was asked for."""

SAID_BY_HABIT = frozenset({"gpt-3.5-turbo", "gpt-3.5-turbo-0613"})
"""Names that local servers give whatever they serve (llama.cpp before December 2025, for one)."""

_ROUTES = frozenset(
    (
        "latest",
        "free",
        "nitro",
        "floor",
        "online",
        "exacto",
        "extended",
        "beta",
        "thinking",
        "cloud",
        "hf-inference",
    )
)
"""Words behind a colon that choose a route to the model, not another model."""

_OF_OPENAI = re.compile(r"(?:^|[-/])(?:gpt|chatgpt|o\d)(?:-|$)")
_OWNERS = re.compile(
    r"^(?:(?:us|eu|apac|global|au|jp|ca)-)?(?:meta|google|openai|anthropic|mistralai|microsoft|nvidia|amazon|xai)-(?=.)"
)
_FILE = re.compile(r"(?:-\d{5}-of-\d{5})?\.(?:gguf|ggml|safetensors|bin|onnx|llamafile|pt)$")
_VERSION = (
    r"\d{4}-\d{2}-\d{2}|(?:0\d|1[0-2])-\d{4}|(?:0\d|1[0-2])-\d{2}|"  # 2024-07-18, 09-2025, 05-06
    r"\d{8}|\d{6}|\d{3,4}|"  # 20240718, 240718, 0613, 2507, 002
    r"v\d{1,2}(?:-\d{1,2})?"  # v3, v0.3
)
_BUILD = (
    r"(?:ud-)?(?:iq|tq|q)\d(?:-(?:[01klms]|x?xl|x?xs|nl))*|"  # Q4_K_M, IQ4_XS, Q8_0, UD-Q4_K_XL
    r"(?:nv|mx)?fp\d{1,2}|bf16|f16|f32|int[48]|nf4|[348]-?bit|w\d{1,2}a\d{1,2}|awq|gptq|exl[23]|bnb|qat"
)
_SAYS_NOTHING = r"latest|instruct|it|hf|gguf|ggml|mlx|dynamic"
_TAIL = re.compile(rf"-(?:(?P<version>{_VERSION})|(?P<build>{_BUILD})|{_SAYS_NOTHING})$")
_VERSION_OR_BUILD = re.compile(rf"(?:{_VERSION}|{_BUILD})$")
_DIGIT = re.compile(r"\d")
_WORDS = re.compile(r"\d+(?:-\d+)*|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class _Name:
    """A name, read: its words in no order, the parts of its version, and its builds."""

    words: tuple[str, ...]
    version: frozenset[str]
    build: frozenset[str]


def same_model(asked: str, told: str, aliases: Mapping[str, str] = NO_ALIASES) -> bool:
    """Return whether `told` is the model that was asked for, as far as the names can tell.

    `aliases` are names with what answers to them. An answer that names no model contradicts
    nothing.
    """
    if not told.strip() or _alike(asked, told):
        return True
    return asked in aliases and _alike(aliases[asked], told)


@lru_cache(maxsize=4096)
def _alike(asked: str, told: str) -> bool:
    """The same in the other order, but for the names that stand for any model."""
    plain = asked.strip().lower()
    if plain in ASKS_FOR_ANY or plain == told.strip().lower():
        return True
    if told.strip().lower() in SAID_BY_HABIT and not _OF_OPENAI.search(plain):
        return True
    if _FILE.search(told.strip().lower()) and not _FILE.search(plain) and not _DIGIT.search(plain):
        return True  # a server of one file takes any name, and this one chooses no model
    one, other = _read(asked), _read(told)
    builds_agree = one.build <= other.build or other.build <= one.build
    return one.words == other.words and builds_agree and _agree(one.version, other.version)


def _agree(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether the one version is the other, or tells less of it.

    `v3` and `0324` both agree with `v3-0324`.
    """
    less, more = sorted((one, other), key=len)
    return all(any(_same_date(part, known) for known in more) for part in less)


def _same_date(one: str, other: str) -> bool:
    """`0528` is the same as `20250528`."""
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= len("0528") and long.endswith(short))


def _read(name: str) -> _Name:
    text = _plain(name)
    version: set[str] = set()
    build: set[str] = set()
    while (tail := _TAIL.search(text)) is not None and tail.start() > 0:
        text = text[: tail.start()]
        if tail["version"]:
            version.add(_version_of(tail["version"]))
        if tail["build"]:
            build.add(tail["build"].replace("-bit", "bit"))
    text = re.sub(r"\bv(?=\d)", "", text)
    return _Name(tuple(sorted(_WORDS.findall(text))), frozenset(version), frozenset(build))


def _version_of(text: str) -> str:
    """Return the telling part of a version: `v1-0` is `v1`, and a date is its digits."""
    if text.startswith("v"):
        return text.removesuffix("-0")
    return text.replace("-", "")


def _plain(name: str) -> str:
    """The name without path, route and file ending, in small letters and with dashes alone."""
    text = name.strip().lower().replace("\\", "/").rstrip("/")
    kept_as = re.search(r"models--([^/]+)", text)  # a directory of Hugging Face's cache
    if kept_as:
        text = kept_as[1].rpartition("--")[2]
    else:
        text = text.rpartition("/")[2]
    text = _without_routes(_FILE.sub("", text)).replace("+", "-plus")
    text = re.sub(r"[\s_.:-]+", "-", text).strip("-")
    text = re.sub(r"(?<=\d)p(?=\d)", "-", text)  # Fireworks writes 3p1 for 3.1
    return _OWNERS.sub("", text)


def _without_routes(text: str) -> str:
    """Without `:free` and `@provider`; what stands there and is a version, a build or a size
    stays.
    """
    kept = re.split(r"([:@])", text)
    found = kept[0]
    for mark, part in zip(kept[1::2], kept[2::2], strict=True):
        if mark == ":":
            is_route = part in _ROUTES
        else:
            is_route = _VERSION_OR_BUILD.match(part) is None
        if not is_route:
            found += f"-{part}"
    return found
