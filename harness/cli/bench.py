"""`harness bench`: the speed-up of parallel calls, the losses, and the distance to the bound."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import anyio
import click

from harness.bench.arms import BATCH, KINDS, arms_of, numbers_of
from harness.bench.experiment import Plan, check_plan, run_experiment
from harness.bench.outputs import write_reports
from harness.bench.plots import check_can_draw
from harness.cli.bench_again import compare, report, show_report, warn
from harness.cli.bench_consent import agreed
from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.log_lines import start_log_lines
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.run import note_aliases
from harness.cli.signals import INTERRUPTED, interruptible
from harness.engine.stopping import Stop
from harness.errors import RunStopped, SettingsError
from harness.machine.wall_clock import SystemClock
from harness.runs.batch import RESULTS_ROOT, new_run_id
from harness.runs.session import Report

_BENCHMARK = "Benchmark"
# The arms decide the first, no cache may answer in any of them, and what the last does is another
# thing here.
_NOT_OFFERED = ("in_flight", "cache", "cache_mode", "ttl", "out")
_OPTIONS = tuple(name for name in RUN_OPTIONS if name not in _NOT_OFFERED)
_OTHERS: dict[str, click.Command] = {"compare": compare, "report": report}


class _BenchOrAnother(SectionedCommand):
    """`bench compare A B` and `bench report A` are commands of their own, everything else is a
    dataset.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args and args[0] in _OTHERS:
            return _OTHERS[args[0]].make_context(
                f"{info_name} {args[0]}", args[1:], parent, **extra
            )
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_BenchOrAnother)
@click.argument("dataset")
@click.option(
    "--arms",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="NAMES",
    default=",".join(KINDS),
    help=(
        "Measure these arms: sequential (one topic, one call), per-run (one topic, its calls at"
        " once), batch (everything at once).  [default: all three]"
    ),
)
@click.option(
    "--in-flight",
    "sweep",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="N,N,…",
    help=(
        "Measure the arm batch with each of these numbers of calls in flight.  [default: that of"
        " the settings]"
    ),
)
@click.option(
    "--repeat",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="N",
    type=click.IntRange(min=1),
    default=3,
    help=(
        "Measure so many rounds, each with all arms in a drawn order. One round has no intervals. "
        " [default: 3]"
    ),
)
@click.option(
    "--virtual",
    cls=SectionedOption,
    section=_BENCHMARK,
    is_flag=True,
    help=(
        "Run the real engine on a clock that jumps, against the mock: the same numbers on every"
        " machine."
    ),
)
@click.option(
    "-o",
    "--out",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="DIR",
    help=(
        "Write the benchmark into this directory, which must be new or empty.  [default:"
        " results/bench-<time>]"
    ),
)
@settings_options(*_OPTIONS)
def bench(
    dataset: str, arms: str, sweep: str | None, repeat: int, virtual: bool, **values: Any
) -> None:
    """Run the topics of DATASET under several limits, and say what each of them brought.

    \b
    harness bench topics.jsonl --endpoint mock --virtual --latency uniform:8:12
    harness bench topics.jsonl --arms sequential,per-run,batch --in-flight 1,4,16,64 --repeat 5
    harness bench compare results/bench-A results/bench-B      did we get slower?
    harness bench report results/bench-A                       write its reports and plots again

    An arm differs from the others in its limits only. No cache answers in any arm, and within a
    round the mock draws the same for all of them. A live model is paid for in every arm and round:
    what that takes is estimated first, and you are asked. A budget holds for the whole benchmark,
    which stays incomplete where the budget ends first.
    """
    loaded = loaded_from(values)
    settings = loaded.settings
    note_aliases(loaded)
    start_log_lines(loaded)
    kinds = [kind.strip() for kind in arms.split(",") if kind.strip()]
    if sweep is not None and BATCH not in kinds:
        raise SettingsError(f"--in-flight is of the arm {BATCH}, which --arms {arms} leaves out")
    numbers = (settings.in_flight,) if sweep is None else numbers_of(sweep)
    plan = Plan(
        loaded=loaded,
        source=dataset,
        arms=arms_of(kinds, numbers, settings.limits()),
        repeat=repeat,
        virtual=virtual,
    )
    topics = check_plan(plan)
    try:
        check_can_draw()
    except SettingsError as missing:
        warn(f"note: {missing}")
    clock = SystemClock()
    if not agreed(plan, topics, clock):
        warn("nothing was sent")
        sys.exit(INTERRUPTED)
    path = settings.out or RESULTS_ROOT / f"bench-{new_run_id(clock.now())}"

    def tell(line: str) -> None:
        if not settings.quiet:
            warn(line)

    try:
        found = run_experiment(
            plan, path, clock=clock, run_async=_on_real_time(settings.drain_timeout), tell=tell
        )
    except KeyboardInterrupt:  # on virtual time, which has no calls in flight to wait for
        _interrupted()
    show_report(write_reports(found, warn), path, as_json=settings.json_output)


def _on_real_time(
    drain_s: float,
) -> Callable[[Callable[[Stop], Coroutine[Any, Any, Report]]], Report]:
    """Return the function that runs a session to its end; Ctrl-C ends the whole benchmark."""

    def run(session: Callable[[Stop], Coroutine[Any, Any, Report]]) -> Report:
        stop, reports = Stop(), list[Report]()

        async def work() -> None:
            reports.append(await session(stop))

        try:
            anyio.run(lambda: interruptible(work, stop, drain_s=drain_s))
        except RunStopped:
            if stop.cause is None or stop.cause.kind != "interrupted":
                raise
        if not reports or (stop.cause is not None and stop.cause.kind == "interrupted"):
            _interrupted()
        return reports[0]

    return run


def _interrupted() -> NoReturn:
    warn("interrupted: this benchmark is not complete, and says so")
    sys.exit(INTERRUPTED)
