"""The value of the fixture `replay`: a cassette of a test's own, from which its calls are
answered.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shlex
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, Unpack

from harness._version import __version__
from harness.api import request_of, wait_for
from harness.cache.cassette import Recording, recording_of_call, recording_of_row
from harness.cache.cassette_file import write_cassette
from harness.cache.memory import MemoryCache
from harness.compose import open_stack, replaying
from harness.domain.call import Call
from harness.domain.completion import Completion, Json, OnDelta, Request
from harness.domain.failures import CacheMiss
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Topic
from harness.domain.step_options import StepOptions
from harness.engine.runner import Workflow
from harness.engine.stopping import Stop
from harness.errors import HarnessError
from harness.machine.wall_clock import SystemClock
from harness.records.run import Run
from harness.records.stored import span_row
from harness.regress.case import CaseRows
from harness.regress.checks.misses import grouped
from harness.regress.recorded.merging import merge, one_for_each_key
from harness.regress.recorded.recording import known_recordings
from harness.regress.recorded.replaying import recorded_calls, replay_file
from harness.regress.recorded.standing_in import Miss
from harness.runs.batch import new_run_id, run_batch
from harness.settings import Loaded, load_settings
from harness.settings.keywords import CallSettings, RunSettings
from harness.testing.virtual_time import on_virtual_time
from harness.text.amounts import counted

RecordMode = Literal["none", "once", "all"]
Topics: TypeAlias = str | Path | Iterable[str | Mapping[str, Json] | Topic]

T = TypeVar("T")

_LONGEST_NAME = 80


class CassetteFixture:
    """Answers from the cassette of one test; in mode `once` or `all` asks the endpoint, and
    records.

    `none`: nothing is sent; a request that is not recorded raises CacheMiss, which says what
    changed and how to record. `once`: records where there is no cassette yet, else as `none`.
    `all`: asks everything anew, and what is not asked for any more is left out. Answers come
    through the ordinary stack and its cache, so none is paid for twice; what the test sees is
    always the replay of them.

    Settings are those of `harness run`, and the test's alone: neither variables nor harness.toml
    are looked at, but for the key.
    """

    def __init__(self, path: Path, mode: RecordMode, *, test: str, scratch: Path) -> None:
        """`test` is how pytest is told to run it; `scratch` is a directory for what a recording
        leaves behind.

        Raises CacheError for a cassette that is not sound.
        """
        self.path = path
        self._test = test
        self._directories = (scratch / str(number) for number in itertools.count())
        self._known = known_recordings(path)
        self.recording = mode == "all" or (mode == "once" and not path.exists())
        self._cache_mode = "refresh" if mode == "all" else "read_write"
        self._fresh: list[Recording] = []
        self._incomplete = False
        self._asked = 0
        # One for the whole test, so that what it has paid for answers it again, and counts for its
        # budget.
        self._run_id = f"replay-{new_run_id(SystemClock().now())}"

    async def ask(
        self,
        prompt: str,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        on_delta: OnDelta | None = None,
        **settings: Unpack[CallSettings],
    ) -> Completion:
        """One call, as `harness.ask`. Raises CacheMiss; while recording, CompletionError."""
        __tracebackhide__ = True
        self._asked += 1
        loaded = self._loaded(settings)
        defaults = StepOptions(max_tokens=max_tokens).over(loaded.settings.defaults())
        request = request_of(loaded, prompt, system=system, defaults=defaults)
        call = Call(
            run_id=self._run_id,
            topic_id="ask",
            span_id="ask" if self._asked == 1 else f"ask#{self._asked}",
            stream=defaults.stream is not False,
        )
        if self.recording:
            with self._all_or_nothing(loaded):
                await self._record_call(loaded, request, call)
        recorded = replaying(self._recorded(loaded), stop=Stop(), clock=SystemClock())
        try:
            return await recorded.complete(request, replace(call, on_delta=on_delta))
        except CacheMiss as miss:
            said = miss
        raise CacheMiss(self._explained(str(said)), explanation=said.explanation)

    async def run(
        self,
        topics: Topics,
        *,
        workflow: str | Workflow = "research",
        **settings: Unpack[RunSettings],
    ) -> tuple[CaseRows, ...]:
        """Topics through a workflow: a file, or texts, or objects such as its lines. A case for
        each, in their order.

        Raises CacheMiss for requests that are not recorded, all of them at once; InputError for
        anything wrong with what was given; while recording, HarnessError for calls that brought no
        answer.
        """
        __tracebackhide__ = True
        name = workflow if isinstance(workflow, str) else _name_of(workflow)
        loaded = self._loaded({**settings, "workflow": name})
        if isinstance(topics, str | Path):
            source = str(topics)
        else:
            source = self._written(topics)
        if self.recording:
            with self._all_or_nothing(loaded):
                await self._record_run(loaded, source)
        found = await replay_file(loaded, source, self._recordings)
        if found.misses:
            raise CacheMiss(
                self._explained(_told(found.misses)), explanation=found.misses[0].explanation
            )
        return tuple(case.as_rows() for case in found.cases)

    def ask_sync(
        self,
        prompt: str,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        on_delta: OnDelta | None = None,
        **settings: Unpack[CallSettings],
    ) -> Completion:
        """`ask`, for a test that is not async."""
        __tracebackhide__ = True
        return _plainly(
            lambda: self.ask(
                prompt, system=system, max_tokens=max_tokens, on_delta=on_delta, **settings
            )
        )

    def run_sync(
        self,
        topics: Topics,
        *,
        workflow: str | Workflow = "research",
        **settings: Unpack[RunSettings],
    ) -> tuple[CaseRows, ...]:
        """`run`, for a test that is not async."""
        __tracebackhide__ = True
        return _plainly(lambda: self.run(topics, workflow=workflow, **settings))

    def close(self, *, passed: bool) -> None:
        """Write what was recorded, unless a call brought no answer. Only a test that passed says
        what is stale.

        Raises StorageError.
        """
        if self._fresh and not self._incomplete:
            write_cassette(self.path, merge(self._known, self._fresh, prune=passed).recordings)

    def history(self) -> str:
        """The cassette's name, and what was done with it."""
        if self.path.exists():
            what = counted(len(self._known), "recorded answer")
        else:
            what = "which is not there yet"
        return f"cassette {_shown(self.path)}, {what}" + (
            f"; {len(self._fresh)} recorded anew" if self.recording else ""
        )

    @property
    def _recordings(self) -> Sequence[Recording]:
        """The answers, one for each key, as the cassette will have them."""
        if not self.recording:
            return self._known
        return tuple(one_for_each_key(self._fresh).values())

    def _recorded(self, loaded: Loaded) -> MemoryCache:
        return MemoryCache.holding(recorded_calls(self._recordings, loaded.settings.pricing()))

    def _loaded(self, settings: Mapping[str, Any]) -> Loaded:
        return load_settings({**settings, "cache_mode": self._cache_mode}, base={})

    async def _record_call(self, loaded: Loaded, request: Request, call: Call) -> None:
        key = cache_key(request)
        if any(one.key == key for one in self._fresh):
            return
        async with open_stack(loaded, run_id=self._run_id, stop=Stop()) as stack:
            completion = await stack.completer.complete(request, call)
        answered = RecordedCall(
            topic_id=call.topic_id,
            span_id=call.span_id,
            key=key,
            request=request,
            completion=completion,
            run_id=self._run_id,
            created_at=SystemClock().now(),
        )
        self._fresh.append(recording_of_call(answered, harness=__version__))

    async def _record_run(self, loaded: Loaded, source: str) -> None:
        out = next(self._directories)
        elsewhere = replace(loaded, settings=loaded.settings.model_copy(update={"out": out}))
        report = await run_batch(elsewhere, source, run_id=self._run_id)
        calls = sorted(Run.open(out).spans(), key=lambda call: (call.index, call.start_s, call.id))
        failed = [
            f"{call.topic_id}/{call.id}: {call.error.message}" for call in calls if call.error
        ]
        if report.stop is not None or failed:
            reason = "\n".join(
                [*([report.stop.message] if report.stop is not None else []), *failed]
            )
            raise HarnessError(
                f"recording {self.path.name}: not all calls were answered, so nothing is written;"
                f" what was answered is in the cache {loaded.settings.cache}, and the same command"
                f" goes on from there\n{reason}"
            )
        today = SystemClock().now().date()
        self._fresh += (
            recording_of_row(span_row(call), day=today, harness=__version__) for call in calls
        )

    @contextmanager
    def _all_or_nothing(self, loaded: Loaded) -> Iterator[None]:
        """Around a recording: what is not whole is not written."""
        try:
            if on_virtual_time() and not loaded.settings.is_mock:
                raise HarnessError(
                    "a recording needs real time, and this test runs on virtual time, on which"
                    " nothing ever arrives over a network: record without virtual_time, then replay"
                    " with it"
                )
            yield
        except BaseException:
            self._incomplete = True
            raise

    def _explained(self, reason: str) -> str:
        """A miss, and what to do about it."""
        if not self.path.exists() and not self.recording:
            return (
                f"there is no cassette {_shown(self.path)} yet; record it, which asks the endpoint"
                f" and may cost:\n  pytest --harness-record=once {shlex.quote(self._test)}"
            )
        return (
            f"{reason}\ncassette {_shown(self.path)}; if what changed is meant, record anew, which"
            " asks everything and may cost:\n  pytest --harness-record=all"
            f" {shlex.quote(self._test)}"
        )

    def _written(self, topics: Iterable[str | Mapping[str, Json] | Topic]) -> str:
        """The topics as a file."""
        path = next(self._directories) / "topics.jsonl"
        path.parent.mkdir()
        path.write_text(
            "".join(f"{json.dumps(_line(topic))}\n" for topic in topics), encoding="utf-8"
        )
        return str(path)


def cassette_path(test_file: Path, test: str) -> Path:
    """Return the place of a test's cassette: `cassettes/<test file>/<test>.jsonl` beside it.

    Characters that a file system may refuse become dashes, and a hash keeps such names apart.
    """
    plain = test.replace("::", ".")
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-.")[:_LONGEST_NAME]
    if name != plain:
        name = f"{name}-{hashlib.sha256(test.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return test_file.parent / "cassettes" / test_file.stem / f"{name}.jsonl"


def _shown(path: Path) -> Path:
    """As one would write it here."""
    if path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd())
    return path


def _plainly(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The value of the work; a miss is raised without the loop's frames, which a reader of a failed
    test can spare.
    """
    __tracebackhide__ = True
    try:
        return wait_for(work)
    except CacheMiss as miss:
        said = miss
    raise said.with_traceback(None)


def _line(topic: str | Mapping[str, Json] | Topic) -> Mapping[str, Json]:
    if isinstance(topic, Topic):
        return {**topic.metadata, "id": topic.id, "topic": topic.text}
    return {"topic": topic} if isinstance(topic, str) else topic


def _name_of(workflow: Workflow) -> str:
    """The name by which a function can be loaded."""
    return f"{getattr(workflow, '__module__', '?')}:{getattr(workflow, '__qualname__', '?')}"


def _told(misses: Iterable[Miss]) -> str:
    """The changes, each with its number; those that only follow from others come last."""
    texts = []
    for group in grouped(misses):
        number = f"{counted(group.calls, 'call')} of {counted(group.topics, 'topic')}"
        alike = f"{number}, the first of them: " if group.calls > 1 else ""
        texts.append(f"{alike}{group.example.text}")
    return "\n".join(texts)
