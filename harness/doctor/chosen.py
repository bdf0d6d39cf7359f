"""Checks of what the settings choose: the key, the model, and its price."""

from __future__ import annotations

from harness.doctor.finding import Finding, ok, problem, warning
from harness.domain.endpoint import endpoint_identity
from harness.errors import SettingsError
from harness.settings import Loaded
from harness.workflows.in_use import InUse, models_at


def key(loaded: Loaded, one: InUse) -> Finding:
    try:
        endpoint = loaded.endpoint(one.name, key_needed=one.key_needed, steps=one.steps)
    except SettingsError as error:
        return problem("key", str(error), "put it there, then look again")
    if endpoint.api_key is None:
        return ok("key", f"none is set for {endpoint.identity}, and it may need none")
    return ok("key", f"there is one for {endpoint.identity}")


def model(loaded: Loaded, one: InUse) -> Finding:
    if one.name != loaded.settings.service.name:
        return _model_elsewhere(loaded, one)
    try:
        name = loaded.settings.defaults().model
    except SettingsError as error:
        return problem("model", str(error), "--model NAME")
    priced = bool(loaded.settings.pricing().rows(name or ""))
    said = f"{loaded.settings.model_note() or name}; its price is {'known' if priced else 'not known'}"
    if priced:
        return ok("model", said)
    return warning("model", said, f'without [prices."{name}"] in harness.toml only --budget-tokens can cap the run')


def _model_elsewhere(loaded: Loaded, one: InUse) -> Finding:
    """The models that steps ask of another endpoint, as far as the settings name them."""
    names = models_at(loaded.settings, one)
    table = f"[endpoints.{one.name}]"
    if not names:
        return warning("model", "no setting names one", f"model = NAME in {table}, unless the workflow names one")
    prices = loaded.settings.pricing().at(endpoint_identity(one.service))
    unpriced = [name for name in names if not prices.rows(name)]
    said = f"{', '.join(names)}; {'the price is' if len(names) == 1 else 'prices are'} "
    if not unpriced:
        return ok("model", f"{said}known")
    advice = f'without [endpoints.{one.name}.prices."{unpriced[0]}"] no budget in money counts its calls'
    return warning("model", f"{said}not known", advice)
