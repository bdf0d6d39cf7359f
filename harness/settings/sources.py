"""The sources of settings brought together: which one rules, and what is wrong in each."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from harness.domain.endpoint import GENERIC_KEY_ENV
from harness.errors import SettingsError
from harness.settings.access import Keyring
from harness.settings.checking import check_endpoints, endpoint_defaults
from harness.settings.given import Given, cut
from harness.settings.kinds import from_text
from harness.settings.loaded import Loaded
from harness.settings.model import Settings, field_names, kind_of, scalar_names
from harness.settings.toml_lines import place
from harness.settings.toml_tables import known_at, read_toml, reason, shown, suggestion

DEFAULT_FILE = Path("harness.toml")
DOTENV_FILE = Path(".env")
ENV_PREFIX = "HARNESS_"
CONFIG_ENV = "HARNESS_CONFIG"

# Never repeated in a message: a credential may stand in it.
_UNSHOWN = frozenset({"base_url", "otlp", "extra_headers"})


def load_settings(
    flags: Mapping[str, Any],
    *,
    config: Path | None = None,
    base: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    flag_style: bool = False,
) -> Loaded:
    """Bring all sources together.

    `flags` are those that were given; `base` is what a run that is continued began with. With
    `base`, neither a file nor variables are looked at, but for the key. `flag_style` names the
    flags as a command line has them, and reads their texts. Raises SettingsError with one line for
    each thing wrong.
    """
    if environ is None:
        environ = os.environ
    env = {**_dotenv(), **environ}
    ignored: tuple[str, ...] = ()
    if base is not None:
        given = _from_run(base)
    else:
        given, ignored = _from_file_and_environment(config, env)
    for name, value in flags.items():
        if value is not None:
            given.append(_from_flag(name, value, flag_style=flag_style))
    ruling = _ruling(given)
    settings = _validated(ruling)
    check_endpoints(settings, ruling)
    own_in_flight = _in_flight_of_endpoint(settings, ruling, continued=base is not None)
    settings = _with_defaults_of_endpoint(settings, ruling)
    origins = dict.fromkeys(field_names(), "default")
    for name in origins:
        if name in ruling:
            origins[name] = ruling[name].origin
    return Loaded(
        settings=settings,
        origins=origins,
        keyring=Keyring(env),
        ignored=ignored,
        own_in_flight=own_in_flight,
    )


def _from_run(base: Mapping[str, Any]) -> list[Given]:
    """Return the settings that a run began with, the weakest source of one that goes on."""
    where = {"origin": "the run", "where": "the run's settings"}
    return [Given(name=name, value=value, rank=0, **where) for name, value in base.items()]


def _from_file_and_environment(
    config: Path | None, env: Mapping[str, str]
) -> tuple[list[Given], tuple[str, ...]]:
    """Return what the file and the variables give, and the variables that are ignored."""
    given: list[Given] = []
    file = _settings_file(config, env)
    if file is not None:
        given += _from_file(file)
    variables, ignored = _from_environment(env)
    return given + variables, ignored


def _in_flight_of_endpoint(
    settings: Settings, ruling: Mapping[str, Given], *, continued: bool
) -> int | None:
    """The calls in flight that the table of the run's endpoint says, where nobody else does.

    In the settings of a run that is continued they stand as if somebody had.
    """
    own, given = endpoint_defaults(settings).get("in_flight"), ruling.get("in_flight")
    if given is None or (continued and given.rank == 0 and given.value == own):
        return own
    return None


def _with_defaults_of_endpoint(settings: Settings, ruling: dict[str, Given]) -> Settings:
    """The settings with the limits of the endpoint's table where no source gives others."""
    missing = {
        name: value for name, value in endpoint_defaults(settings).items() if name not in ruling
    }
    where = ruling.get("set") or ruling.get("endpoints")
    if not missing or where is None:
        return settings
    for name, value in missing.items():
        ruling[name] = Given(
            name=name, value=value, origin=where.origin, where=where.where, rank=where.rank
        )
    return _validated(ruling)


def _settings_file(config: Path | None, env: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    if env.get(CONFIG_ENV):
        return Path(env[CONFIG_ENV])
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _dotenv() -> dict[str, str]:
    """The variables of ./.env, taken as they stand: a `$` in a key is a dollar sign.

    Raises SettingsError.
    """
    if not DOTENV_FILE.is_file():
        return {}
    try:
        found = dotenv_values(DOTENV_FILE, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{DOTENV_FILE}: cannot be read as UTF-8 lines of NAME=value"
        ) from error
    return {name: value for name, value in found.items() if value is not None}


def _from_file(path: Path) -> list[Given]:
    tables, raw = read_toml(path, SettingsError)
    text = raw.decode("utf-8-sig")
    given: dict[str, Given] = {}
    wrong: list[str] = []
    for name, value in tables.items():
        at = place(path, text, (name,))
        for setting, worth in _settings_in(name, value):
            if setting not in field_names():
                near = _nearest(name.replace("-", "_"))
                wrong.append(f"{at}: unknown setting {shown(name)}{near}")
            elif setting in given:
                wrong.append(f"{at}: {name} is set twice, as {setting} too")
            else:
                given[setting] = Given(
                    name=setting, value=worth, origin=str(path), where=at, rank=1, raw=text
                )
    if wrong:
        raise SettingsError("\n".join(wrong))
    return list(given.values())


def _settings_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the settings in one entry of a file.

    `workflow = "…"` names the workflow, and a table [workflow] holds its own settings.
    """
    plain = name.replace("-", "_")
    if plain == "workflow_settings":
        yield "?", value  # no setting has this name in a file
    elif plain == "workflow" and isinstance(value, dict):
        own = dict(value)
        if "name" in own:
            yield "workflow", own.pop("name")
        yield "workflow_settings", own
    else:
        yield plain, value


def _nearest(name: str) -> str:
    return suggestion(name, [*scalar_names(), "steps", "prices", "endpoints"], listed=False)


def _from_environment(env: Mapping[str, str]) -> tuple[list[Given], tuple[str, ...]]:
    """Read the variables, and name those that begin like ours and are none.

    Others use this prefix too. Raises SettingsError for one that looks like a slip of ours.
    """
    given: list[Given] = []
    ignored: list[str] = []
    for variable, value in sorted(env.items()):
        if (
            not value
            or not variable.startswith(ENV_PREFIX)
            or variable in (GENERIC_KEY_ENV, CONFIG_ENV)
        ):
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if name in scalar_names():
            worth, source = from_text(kind_of(name), value), f"${variable}"
            given.append(
                Given(
                    name=name, value=worth, origin=source, where=source, rank=2, said=f" = {value}"
                )
            )
        elif near := difflib.get_close_matches(name, scalar_names(), n=1, cutoff=0.8):
            raise SettingsError(
                f"${variable}: unknown setting; did you mean ${ENV_PREFIX}{near[0].upper()}?"
            )
        else:
            ignored.append(variable)
    return given, tuple(ignored)


def _from_flag(name: str, value: Any, *, flag_style: bool) -> Given:
    if not flag_style:
        return Given(name=name, value=value, origin="given", where="given", rank=3)
    flag, worth, said = f"--{name.replace('_', '-')}", value, value
    if isinstance(value, str):
        worth = from_text(kind_of(name), value)
    elif isinstance(value, tuple):
        said = " ".join(value)
    return Given(name=name, value=worth, origin=flag, where=flag, rank=3, said=f" {said}")


def _ruling(given: list[Given]) -> dict[str, Given]:
    """Return the strongest of each setting, and of the two ways to name an endpoint.

    `endpoint` and `base_url` exclude each other: the one from the stronger source rules, from equal
    sources neither can. An `api_key_env` was meant for the base URL of its own source, so it goes
    when another base URL rules.
    """
    ruling = {one.name: one for one in given}  # later sources are stronger
    endpoint, base_url, key = (ruling.get(name) for name in ("endpoint", "base_url", "api_key_env"))
    if endpoint is not None and base_url is not None:
        if endpoint.rank == base_url.rank:
            raise SettingsError(
                f"{_where_both(endpoint, base_url)}: endpoint and base_url exclude each other: "
                "a profile's key is never sent to another host; keep the one that you mean"
            )
        weaker = min(endpoint, base_url, key=lambda one: one.rank)
        del ruling[weaker.name]
    if key is None:
        return ruling
    lost = _overruled_url(given, ruling, key)
    if lost is key and ruling.get("base_url") is None:
        raise SettingsError(
            f"{key.where}: api_key_env goes with base_url: a profile names its own variable"
        )
    if lost is not None:
        del ruling["api_key_env"]
    return ruling


def _overruled_url(given: list[Given], ruling: Mapping[str, Given], key: Given) -> Given | None:
    """Return what makes an api_key_env void, or None where it counts.

    Void makes it a base URL of its own source that does not rule, a stronger endpoint, or, where
    there is neither, the lack of any base URL: then it is the key itself that is returned.
    """
    rules = ruling.get("base_url")
    for one in given:
        if one.name == "base_url" and one.rank == key.rank:
            return None if rules is one else one
    if rules is not None:
        return None
    endpoint = ruling.get("endpoint")
    if endpoint is not None and endpoint.rank > key.rank:
        return endpoint
    return key


def _where_both(one: Given, other: Given) -> str:
    if one.where == other.where:
        return one.where
    return f"{one.where} and {other.where}"


def _validated(ruling: Mapping[str, Given]) -> Settings:
    try:
        return Settings.model_validate({name: given.value for name, given in ruling.items()})
    except ValidationError as invalid:
        lines = dict.fromkeys(_finding(detail, ruling) for detail in invalid.errors())
        raise SettingsError("\n".join(lines)) from None


def _finding(detail: Mapping[str, Any], ruling: Mapping[str, Given]) -> str:
    path = tuple(str(part) for part in detail["loc"])
    top, unknown = path[0], detail["type"] == "extra_forbidden"
    if top not in ruling or (unknown and len(path) == 1):
        return f"unknown setting {shown(top)}{_nearest(top)}"
    given = ruling[top]
    where = given.where
    if given.raw is not None and len(path) > 1:
        where = place(given.origin, given.raw, path)
    if unknown:
        known = known_at(Settings, path[:-1])
        return f"{where}: unknown setting {shown('.'.join(path))}{suggestion(path[-1], known)}"
    if not _UNSHOWN.isdisjoint(path):
        return f"{where}: {reason(detail)}"
    if given.said is not None:
        return f"{where}{cut(given.said)}: {reason(detail).replace('true or false', 'on or off')}"
    value = given.value if len(path) == 1 else detail.get("input")
    return f"{where}: {'.'.join(path)} = {shown(value)}: {reason(detail)}"


def step_summary_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the file that GitHub Actions shows as the step's summary, or None elsewhere."""
    if environ is None:
        environ = os.environ
    named = environ.get("GITHUB_STEP_SUMMARY")
    return Path(named) if named else None
