"""`harness bench`: how much faster in parallel, where the time went, how far from the possible; `bench compare`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, MutableMapping
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.adapters.wall_clock import SystemClock
from harness.batch import RESULTS_ROOT, Report, new_run_id
from harness.bench.arms import KINDS, arms_of, numbers_of
from harness.bench.compare import compare as comparison_of
from harness.bench.compare import comparison_table
from harness.bench.experiment import Plan, check_plan, run_experiment
from harness.bench.files import read_bench
from harness.bench.numbers import rounded
from harness.bench.outputs import write_reports
from harness.bench.tables import Table, prose_of, tables_of
from harness.cli.help import SectionedCommand, SectionedOption
from harness.cli.options import RUN_OPTIONS, loaded_from, settings_options
from harness.cli.output import say_json
from harness.cli.run import note_aliases
from harness.cli.signals import INTERRUPTED, interruptible
from harness.domain.sanitize import terminal_safe
from harness.engine.stopping import Stop
from harness.errors import RunStopped, SettingsError
from harness.estimating import Estimate, estimate_batch

_BENCHMARK = "Benchmark"
# The arms decide the first, and no cache may answer in any of them.
_NOT_OFFERED = ("in_flight", "cache", "cache_mode", "ttl")
_OPTIONS = tuple(name for name in RUN_OPTIONS if name not in _NOT_OFFERED)
_PLAIN_WIDTH = 160


class _BenchOrCompare(SectionedCommand):
    """`bench compare A B` is a command of its own, everything else after `bench` is a dataset."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["compare"]:
            return compare.make_context(f"{info_name} compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_BenchOrCompare)
@click.argument("dataset")
@click.option(
    "--arms",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="NAMES",
    default=",".join(KINDS),
    help="Of sequential (one topic, one call), per-run (one topic, its calls at once), batch (everything).  "
    "[default: all three]",
)
@click.option(
    "--in-flight",
    "sweep",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="N,N,…",
    help="Calls in flight of the arm batch, each an arm of its own.  [default: that of the settings]",
)
@click.option(
    "--repeat",
    cls=SectionedOption,
    section=_BENCHMARK,
    metavar="N",
    type=click.IntRange(min=1),
    default=3,
    help="Rounds; each measures all arms in a drawn order. One round has no intervals.  [default: 3]",
)
@click.option(
    "--virtual",
    cls=SectionedOption,
    section=_BENCHMARK,
    is_flag=True,
    help="The real engine on a clock that jumps, against the mock: the same numbers on every machine.",
)
@settings_options(*_OPTIONS)
def bench(dataset: str, arms: str, sweep: str | None, repeat: int, virtual: bool, **values: Any) -> None:
    """Run the topics of DATASET under several limits, and say what each of them brought.

    \b
    harness bench topics.jsonl --endpoint mock --virtual --latency uniform:8:12
    harness bench topics.jsonl --arms sequential,per-run,batch --in-flight 1,4,16,64 --repeat 5
    harness bench compare results/bench-A results/bench-B

    An arm is nothing but limits. No cache answers in any arm, and each round draws the same for all of them. A live
    model is paid for in every arm and round; that is estimated first, and asked.
    """
    loaded = loaded_from(values)
    settings = loaded.settings
    note_aliases(loaded)
    numbers = (settings.in_flight,) if sweep is None else numbers_of(sweep)
    kinds = [kind.strip() for kind in arms.split(",") if kind.strip()]
    plan = Plan(
        loaded=loaded,
        source=dataset,
        arms=arms_of(kinds, numbers, settings.limits()),
        repeat=repeat,
        virtual=virtual,
    )
    check_plan(plan)
    if dataset == "-":
        raise SettingsError("bench reads its topics once an arm and round, and - can be read once; give it a file")
    if not _agreed(plan):
        click.echo("nothing was sent", err=True)
        sys.exit(INTERRUPTED)
    clock = SystemClock()
    path = settings.out or RESULTS_ROOT / f"bench-{new_run_id(clock.now())}"

    def tell(line: str) -> None:
        if not settings.quiet:
            click.echo(terminal_safe(line), err=True)

    found = run_experiment(plan, path, clock=clock, run_async=_on_real_time(settings.drain_timeout), tell=tell)
    report = write_reports(found, tell)
    if settings.json_output:
        say_json(report)
        return
    for table in tables_of(report):
        _show(table)
    for line in prose_of(report):
        click.echo(terminal_safe(line))
    click.echo(f"results   {terminal_safe(str(path))}")


@click.command(cls=SectionedCommand)
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def compare(one: Path, other: Path, as_json: bool) -> None:
    """Did the benchmark OTHER get slower than ONE? Both must have measured the same work."""
    found: MutableMapping[str, Any] = rounded(comparison_of(read_bench(one), read_bench(other)))
    if as_json:
        say_json(found)
        return
    _show(comparison_table(found))
    for line in found["notes"]:
        click.echo(terminal_safe(line))


def _on_real_time(drain_s: float) -> Callable[[Callable[[Stop], Coroutine[Any, Any, Report]]], Report]:
    """How a session is run to its end; Ctrl-C ends the whole benchmark."""

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
            click.echo("interrupted: this benchmark is not complete, and says so", err=True)
            sys.exit(INTERRUPTED)
        return reports[0]

    return run


def _agreed(plan: Plan) -> bool:
    """Whether a benchmark that costs money may begin. Raises SettingsError where nobody is there to say so."""
    settings = plan.loaded.settings
    if settings.is_mock:
        return True
    plan.loaded.endpoint()
    question = question_of(estimate_batch(plan.loaded, plan.source, SystemClock()), plan)
    click.echo(question, err=True)
    if settings.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SettingsError("a benchmark sends all that to a live model; say --yes to agree to it")
    return click.confirm("Begin?", default=False, err=True)


def question_of(found: Estimate, plan: Plan) -> str:
    """What a benchmark will take, in calls and money."""
    times = plan.sessions
    money = (
        "at prices that are not known"
        if found.cost is None or found.cost_at_most is None
        else f"likely some ${found.cost * times:,.2f}, ${found.cost_at_most * times:,.2f} at most without retries"
    )
    return (
        f"{len(plan.arms)} arms, {plan.repeat} round(s): {found.topics * times:,} topics in all, about "
        f"{found.calls * times:,.0f} calls, {money}"
    )


def _show(table: Table) -> None:
    """A table on the terminal, as wide as it needs where there is none."""
    shown = RichTable(title=Text(terminal_safe(table.title)), title_justify="left")
    for index, column in enumerate(table.columns):
        shown.add_column(Text(terminal_safe(column)), justify="left" if index == 0 else "right")
    for row in table.rows:
        shown.add_row(*(Text(terminal_safe(cell)) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)
    console.print(shown)
