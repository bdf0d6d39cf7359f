"""The explanation of a request that was never recorded.

It names the nearest recorded one, the differences, and whether the prompt or an earlier answer made
them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.diffs.request_change import MessageChange, RequestChange, compare_requests
from harness.diffs.words import cut, similarity
from harness.domain.completion import Json, Request
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall, step_of

Verdict = Literal["unknown topic", "new step", "changed", "follows", "recorded"]
"""`changed`: the request itself, which is to blame. `follows`: only earlier answers in it.
`recorded`: it is there.
"""

LONGEST_SHOWN = 600
"""Characters of one change that are shown in a text."""

LONGEST_MESSAGE = 4_000
"""Characters of one message with all its changes."""

_LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The reason for which a request is not in a recording.

    `key` is that of the request. `nearest` is the recorded call that it was compared with, `change`
    in what the two differ, `likeness` from 0 to 1 how alike their messages are. `recorded_steps`
    are the topic's, by name.
    """

    topic_id: str
    span_id: str
    key: str
    verdict: Verdict
    nearest: RecordedCall | None = None
    likeness: float = 0.0
    change: RequestChange = RequestChange()
    recorded_steps: tuple[str, ...] = ()

    @property
    def step(self) -> str:
        return step_of(self.span_id)

    def text(self) -> str:
        """Return some plain lines; the first says what it comes to, and what to do."""
        return "\n".join([self._summary(), *self._details()])

    def as_json(self) -> dict[str, Json]:
        """The same for machines."""
        near = self.nearest
        return {
            "topic_id": self.topic_id,
            "span_id": self.span_id,
            "step": self.step,
            "key": self.key,
            "verdict": self.verdict,
            "nearest": None if near is None else _call_to_json(near),
            "likeness": round(self.likeness, 3),
            **change_to_json(self.change),
            "recorded_steps": list(self.recorded_steps),
        }

    def _summary(self) -> str:
        about = (
            f"step {self.step!r} of topic {self.topic_id!r} ({self.span_id}, key {self.key[:12]}…)"
        )
        match self.verdict:
            case "unknown topic":
                return f"{about}: nothing is recorded for this topic; record it, or correct its id"
            case "new step":
                if self.step in self.recorded_steps:
                    return (
                        f"{about}: nothing is recorded for this call, only for others of its step; "
                        "it may have failed when the others were recorded: record it"
                    )
                known = ", ".join(self.recorded_steps)
                return (
                    f"{about}: nothing is recorded for this step, only for {known}; record it, or"
                    " correct its name"
                )
            case "recorded":
                return (
                    f"{about}: this very request is recorded; a mode or an age (ttl) kept it from"
                    " answering"
                )
            case "follows":
                return (
                    f"{about}: not recorded, but this step is not to blame: its request differs"
                    f" only by {answers_of(self.change)}; look there first, then record"
                )
        return (
            f"{about}: not recorded, because {what_changed(self.change)}; take that back, or record"
            " the new answers"
        )

    def _details(self) -> list[str]:
        near = self.nearest
        if near is None:
            return []
        lines = [
            f"  nearest: {near.span_id}, key {near.key[:12]}…, recorded {near.created_at:%Y-%m-%d}"
            f" ({near.run_id}); its messages are {likeness_words(self.likeness)} alike"
        ]
        return lines + [f"  {line}" for line in change_lines(self.change)]


def explain(
    *,
    request: Request,
    topic_id: str,
    span_id: str,
    recorded: Sequence[RecordedCall],
    earlier: Mapping[str, str],
) -> Explanation:
    """Explain why `request` is not among the calls recorded for its topic.

    `earlier` are the answers, by span id, that this topic's present run had before it asked.
    """
    about = Explanation(
        topic_id=topic_id,
        span_id=span_id,
        key=cache_key(request),
        verdict="new step" if recorded else "unknown topic",
        recorded_steps=tuple(sorted({one.step for one in recorded})),
    )
    candidates = [one for one in recorded if one.span_id == span_id]
    candidates = candidates or [one for one in recorded if one.step == step_of(span_id)]
    if not candidates:
        return about
    likeness, near = _nearest(candidates, request)
    change = compare_requests(
        near.request,
        request,
        recorded_answers=[
            (one.span_id, one.completion.content) for one in recorded if one is not near
        ],
        answers=list(earlier.items()),
        renumbered=near.span_id != span_id,
    )
    if (
        not change.same
        and not change.own
        and near.span_id != span_id
        and _as_recorded(change, recorded, earlier)
    ):
        return (
            about  # it differs from another call of its step by nothing but what makes it another
        )
    verdict: Verdict = "follows"
    if change.same:
        verdict = "recorded"
    elif change.own:
        verdict = "changed"
    return replace(about, verdict=verdict, nearest=near, likeness=likeness, change=change)


def _nearest(candidates: Sequence[RecordedCall], request: Request) -> tuple[float, RecordedCall]:
    """Return the recorded call that is most alike, the latest of several, and its likeness."""
    found = [(_likeness(one.request, request), one) for one in candidates]
    return max(found, key=lambda pair: (pair[0], pair[1].created_at))


def _as_recorded(
    change: RequestChange, recorded: Sequence[RecordedCall], earlier: Mapping[str, str]
) -> bool:
    """Return whether the answers that the request follows are those that were recorded, all
    unchanged.
    """
    answers = {(one.span_id, one.completion.content) for one in recorded}
    return all((span_id, earlier.get(span_id, "")) in answers for span_id in change.follows)


def change_lines(change: RequestChange) -> list[str]:
    """Return the differences between two requests, a line each; a prompt's lines are kept."""
    lines = []
    for field in change.fields:
        lines.append(
            f"{field.name}: recorded {value_words(field.recorded)}, wanted"
            f" {value_words(field.wanted)}"
        )
    for one in change.messages:
        said = ""
        if one.own:
            said = f": {cut(one.diff.plain(longest=LONGEST_SHOWN), LONGEST_MESSAGE)}"
        elif change.follows:
            said = f": by {answers_of(change)}"
        lines.append(f"{name_of(one)} {one.kind}{said}")
    return lines


def change_to_json(change: RequestChange) -> dict[str, Json]:
    """Return the differences between two requests, for machines."""
    return {
        "fields": [
            {"name": one.name, "recorded": one.recorded, "wanted": one.wanted}
            for one in change.fields
        ],
        "messages": [
            {
                "position": one.position,
                "role": one.role,
                "part": one.part,
                "kind": one.kind,
                "own": one.own,
                "diff": one.diff.as_json(),
            }
            for one in change.messages
        ],
        "follows": list(change.follows),
    }


def _call_to_json(call: RecordedCall) -> dict[str, Json]:
    return {
        "span_id": call.span_id,
        "key": call.key,
        "run_id": call.run_id,
        "created_at": call.created_at.isoformat(),
    }


def answers_of(change: RequestChange) -> str:
    """Return words such as `the answers of decompose and research.1/research`."""
    if change.follows:
        return f"the answers of {_listed(change.follows)}"
    return "what the model said before"


def what_changed(change: RequestChange) -> str:
    """Return words such as `model and message 1 (system) changed`."""
    names = [one.name for one in change.fields]
    names += [name_of(one) for one in change.messages if one.own]
    return f"{_listed(names)} changed"


def name_of(message: MessageChange) -> str:
    """Return words such as `message 1 (system)`."""
    part = "" if message.part == "content" else f", {message.part}"
    return f"message {message.position} ({message.role}{part})"


def _listed(names: Sequence[str]) -> str:
    """Join one name or more."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def value_words(value: Json) -> str:
    """Return a field's value, cut where it is long."""
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[: _LONGEST_VALUE - 1]}…"


def likeness_words(likeness: float) -> str:
    """Return `98%`, rounded down, since 100% is said of equal messages only."""
    return f"{math.floor(likeness * 100)}%"


def _likeness(recorded: Request, wanted: Request) -> float:
    texts = (
        "\n".join(message.content for message in request.messages) for request in (recorded, wanted)
    )
    return similarity(*texts)
