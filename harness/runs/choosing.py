"""The topics that a session works on, of those that the dataset has and the run's rows tell of."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from harness.datasets.dataset import Dataset
from harness.domain.redo import Redo, TopicState
from harness.errors import InputError
from harness.records.run_standing import Standing
from harness.text.amounts import listed

_NAMES_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The topics of a session: `number` of them. `narrow`: others that are left stay as they are.

    `indexes` None: all whose state is one of `states`.
    """

    states: frozenset[TopicState]
    indexes: frozenset[int] | None
    number: int
    narrow: bool

    def has(self, index: int, standing: Standing) -> bool:
        """Return whether the topic at this index is one of them, as the rows stand now."""
        if self.indexes is not None and index not in self.indexes:
            return False
        return standing.state(index) in self.states


def choose(redo: Redo, dataset: Dataset, standing: Standing) -> Chosen:
    """Raises InputError for a topic that is not in the dataset, or not in one of the states."""
    states = frozenset(redo.states)
    if not redo.topics:
        number = standing.in_states(states, dataset.count, dataset.end)
        return Chosen(states=states, indexes=None, number=number, narrow=redo.is_narrow)
    indexes = frozenset(_index_of(topic_id, redo, dataset, standing) for topic_id in redo.topics)
    return Chosen(states=states, indexes=indexes, number=len(indexes), narrow=True)


def _index_of(topic_id: str, redo: Redo, dataset: Dataset, standing: Standing) -> int:
    index = dataset.index_of(topic_id)
    if index is None:
        raise InputError(f"--topic {topic_id!r}: there is no such topic{_near(topic_id, dataset)}")
    state = standing.state(index)
    if state not in redo.states:
        raise InputError(
            f"--topic {topic_id!r}: it is {state}, and only {listed(redo.states)} topics are to be"
            " run again" + ("" if state == "ok" else f"; add --status {state}")
        )
    return index


def _near(topic_id: str, dataset: Dataset) -> str:
    names = (topic.id for topic, _ in zip(dataset.read(), range(_NAMES_LOOKED_AT), strict=False))
    near = difflib.get_close_matches(topic_id, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else " among those of the run"
