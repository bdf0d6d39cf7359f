"""Prompts as data: texts with named blanks, and the options of the step they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

from harness.domain.completion import Json
from harness.domain.step_options import StepOptions
from harness.errors import PromptsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The texts of one step.

    `$name` is a blank, `$$` a dollar sign; what fills a blank is never looked into.
    """

    name: str
    user: str
    system: str | None = None
    options: StepOptions = StepOptions()

    def blanks(self) -> frozenset[str]:
        """The names to fill, of both texts. Raises PromptsError for a `$` that begins no name."""
        names: set[str] = set()
        for text in (self.system or "", self.user):
            template = Template(text)
            if not template.is_valid():
                raise PromptsError(
                    f"the prompt {self.name!r} has a '$' that begins no name; write '$$' for a"
                    " dollar sign"
                )
            names.update(template.get_identifiers())
        return frozenset(names)

    def render_user(self, values: Mapping[str, object]) -> str:
        return self._render(self.user, values)

    def render_system(self, values: Mapping[str, object]) -> str | None:
        if self.system is None:
            return None
        return self._render(self.system, values)

    def _render(self, text: str, values: Mapping[str, object]) -> str:
        try:
            return Template(text).substitute({name: str(value) for name, value in values.items()})
        except KeyError as error:
            raise PromptsError(
                f"the prompt {self.name!r} has a blank ${error.args[0]} that nobody fills; known"
                f" here: {', '.join('$' + name for name in sorted(values))}"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """All prompts of a workflow, and the workflow's own settings.

    `sha256` names the file's content.
    """

    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)
    sha256: str | None = None

    def __getitem__(self, name: str) -> Prompt:
        """Raises PromptsError for a name that the file does not have."""
        try:
            return self.prompts[name]
        except KeyError:
            known = ", ".join(f"[{name}]" for name in self.prompts) or "no prompts"
            raise PromptsError(f"the prompts have no table [{name}]; they have {known}") from None
