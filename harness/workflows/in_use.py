"""The endpoints that a run asks, found before anything is sent.

They are its own, its steps', and the workflow's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.domain.endpoint import endpoint_identity
from harness.domain.profiles import MOCK, Profile
from harness.errors import SettingsError
from harness.settings import Loaded, Settings
from harness.workflows.loading import LoadedWorkflow, load_workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """An endpoint of a run, and the steps that are known to ask it.

    `key_needed`: calls may go there.
    """

    service: Profile
    steps: tuple[str, ...] = ()
    key_needed: bool = True

    @property
    def name(self) -> str:
        return self.service.name


def workflow_of(
    loaded: Loaded, *, steps: Mapping[str, str] | None = None, settings_from: str = "settings"
) -> LoadedWorkflow:
    """The workflow that the settings name, with its prompts and its own settings.

    Raises what `load_workflow` raises. `steps` are the steps that must be its own, each with the
    place that names it; None: those of the settings.
    """
    settings = loaded.settings
    return load_workflow(
        settings.workflow,
        prompts_file=settings.prompts,
        settings=settings.workflow_settings,
        settings_from=settings_from,
        steps=loaded.step_places() if steps is None else steps,
    )


def endpoints_in_use(
    loaded: Loaded, workflow: LoadedWorkflow, *, continued: bool = False
) -> tuple[InUse, ...]:
    """Return the run's own endpoint, then the others by name.

    What a table [steps.NAME] says rules over what the workflow says of that step. `continued`: the
    run goes on with the endpoints that it began with. Raises SettingsError for an endpoint that is
    not known.
    """
    settings = loaded.settings
    own = settings.service.name
    asked = _steps_by_endpoint(loaded, workflow)
    used: list[InUse] = []
    elsewhere: set[str] = set()
    for name, steps in sorted(asked.items()):
        if name != own:
            service = _service(settings, name, steps, continued=continued)
            used.append(InUse(service=service, steps=tuple(sorted(steps))))
            elsewhere |= steps
    names = workflow.steps
    is_asked = own in asked or not names.all_known or not names.names <= elsewhere
    return (InUse(service=settings.service, key_needed=is_asked), *used)


def _steps_by_endpoint(loaded: Loaded, workflow: LoadedWorkflow) -> dict[str, set[str]]:
    """Return each endpoint that anybody names, with the steps that are known to ask it."""
    asked: dict[str, set[str]] = {name: set() for name in loaded.also}
    chosen: set[str] = set()
    for step, table in loaded.settings.steps.items():
        if table.endpoint is not None:
            chosen.add(step)
            asked.setdefault(table.endpoint, set()).add(step)
    for name, steps in _of_the_workflow(workflow).items():
        left = [step for step in steps if step not in chosen]
        if left or not steps:
            asked.setdefault(name, set()).update(left)
    return asked


def models_at(settings: Settings, one: InUse) -> tuple[str, ...]:
    """Return the models that the settings ask of this endpoint: the default there, and single
    steps'.
    """
    is_own = one.name == settings.service.name
    of_steps: list[str | None] = []
    for step, table in settings.steps.items():
        if is_own:
            asks_it = table.endpoint in (None, one.name)
        else:
            asks_it = step in one.steps
        if asks_it:
            of_steps.append(table.model)
    names = list(of_steps)
    # Where each step of another endpoint names its model, nothing asks for the default there.
    if is_own or not of_steps or None in of_steps:
        names.insert(0, _default_model(settings, one.name))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _default_model(settings: Settings, name: str) -> str | None:
    try:
        return settings.defaults(name).model
    except SettingsError:
        return None


def check_access(loaded: Loaded, used: Iterable[InUse]) -> None:
    """Raise SettingsError for the first endpoint whose key is missing or may not be used there."""
    for one in used:
        loaded.endpoint(one.name, key_needed=_is_needed(loaded.settings, one), steps=one.steps)


def is_simulated(used: Sequence[InUse]) -> bool:
    """Return whether nobody but the mock is asked."""
    return all(endpoint_identity(one.service) == MOCK.name for one in used if one.key_needed)


def as_json(loaded: Loaded, used: Sequence[InUse]) -> dict[str, dict[str, object]]:
    """Return the entry of `run.json` about a run's endpoints, without keys and credentials."""
    told: dict[str, dict[str, object]] = {}
    for one in used:
        endpoint = loaded.endpoint(one.name, key_needed=False)
        told[one.name] = {
            "endpoint": endpoint.identity,
            "base_url": endpoint.base_url,
            "steps": list(one.steps),
        }
        if not one.key_needed:
            told[one.name]["asked"] = False
    return told


def _is_needed(settings: Settings, one: InUse) -> bool:
    return one.key_needed and settings.cache_mode != "replay"


def _of_the_workflow(workflow: LoadedWorkflow) -> Mapping[str, tuple[str, ...]]:
    """Return the endpoints that code and prompts name, with their steps.

    A prompt has the name of its step.
    """
    found = {name: tuple(steps) for name, steps in workflow.endpoints.items()}
    for step, prompt in workflow.prompts.prompts.items():
        if (name := prompt.options.endpoint) is not None:
            found[name] = (*found.get(name, ()), step)
    return found


def _service(settings: Settings, name: str, steps: Iterable[str], *, continued: bool) -> Profile:
    try:
        return settings.service_at(name)
    except SettingsError as error:
        who = ", ".join(f"step {step}" for step in sorted(steps)) or "the workflow"
        said = f"{who}: {error}"
        if continued:
            said += (
                "; the run goes on with the endpoints that it began with, and with known ones: name"
                " one of these in the workflow, or begin another run with a new --out DIR"
            )
        raise SettingsError(said) from None
