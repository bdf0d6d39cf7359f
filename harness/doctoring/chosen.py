"""What the settings choose: the key, the model, and its price."""

from __future__ import annotations

from harness.doctoring.finding import Finding, ok, problem, warning
from harness.errors import SettingsError
from harness.settings import Loaded


def key(loaded: Loaded) -> Finding:
    try:
        endpoint = loaded.endpoint()
    except SettingsError as error:
        return problem("key", str(error), "put it there, then look again")
    if endpoint.api_key is None:
        return ok("key", f"none is set for {endpoint.identity}, and it may need none")
    return ok("key", f"there is one for {endpoint.identity}")


def model(loaded: Loaded) -> Finding:
    try:
        name = loaded.settings.defaults().model
    except SettingsError as error:
        return problem("model", str(error), "--model NAME")
    priced = bool(loaded.settings.pricing().prices.get(name or ""))
    said = f"{loaded.settings.model_note() or name}; its price is {'known' if priced else 'not known'}"
    if priced:
        return ok("model", said)
    return warning("model", said, f'without [prices."{name}"] in harness.toml only --budget-tokens can cap the run')


def wanted_models(loaded: Loaded) -> tuple[str, ...]:
    """The models that the settings ask for: the run's, and those of single steps."""
    try:
        first = (loaded.settings.defaults().model,)
    except SettingsError:
        first = (None,)
    names = (*first, *(table.model for table in loaded.settings.steps.values()))
    return tuple(dict.fromkeys(name for name in names if name is not None))
