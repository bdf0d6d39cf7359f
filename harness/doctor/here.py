"""Checks that send nothing: versions, open files, disk, cache; the key, the model, its price."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from harness._version import __version__
from harness.cache.admin import CacheAdmin
from harness.cache.answerers import counted_answers
from harness.doctor.finding import Finding, ok, problem, warning
from harness.domain.endpoint import endpoint_identity
from harness.domain.who_answered import AnswererCounts, doubt_lines
from harness.errors import HarnessError, SettingsError
from harness.machine.file_limit import SPARE_FILES, budget, raised
from harness.ports import WallClock
from harness.settings import Loaded
from harness.workflows.in_use import InUse, models_at

ENOUGH_DISK_BYTES = 1 << 30


def versions() -> Finding:
    said = (
        f"harness {__version__}, Python {platform.python_version()}, openai"
        f" {importlib.metadata.version('openai')}, {sys.platform}"
    )
    return ok("versions", said)


def files(loaded: Loaded) -> Finding:
    in_flight = loaded.settings.in_flight
    needed = in_flight + SPARE_FILES
    allowed = raised(*resource.getrlimit(resource.RLIMIT_NOFILE), needed)
    if budget(in_flight, allowed).note is None:
        return ok(
            "files",
            f"{in_flight:,} calls in flight need about {needed:,} open files, and may have them",
        )
    said = f"{allowed:,} files may be open, {in_flight:,} calls in flight need about {needed:,}"
    return problem("files", said, f"ulimit -n {needed * 2}, or a lower --in-flight")


def disk(name: str, directory: Path) -> Finding:
    there = next(
        path for path in (directory.resolve(), *directory.resolve().parents) if path.exists()
    )
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return problem(
            "disk",
            f"the {name} at {directory} cannot be written",
            f"look at the permissions of {there}",
        )
    free = shutil.disk_usage(there).free
    said = f"{free / 2**30:.1f} GiB free for the {name} at {directory}"
    if free >= ENOUGH_DISK_BYTES:
        return ok("disk", said)
    return warning("disk", said, "10,000 topics take about 1 GiB: make room")


async def cache(
    loaded: Loaded, used: Iterable[InUse], clock: WallClock
) -> tuple[Finding, AnswererCounts]:
    """Return the state of the cache, and who answered for the models of the settings."""
    path = loaded.settings.cache
    if not path.exists():
        return ok("cache", f"{path} will be made"), Counter()
    try:
        async with CacheAdmin.open(path, clock=clock) as admin:
            stats, answerers = await admin.stats(), await admin.answerers()
        wanted = {
            (loaded.endpoint(one.name, key_needed=False).identity, model)
            for one in used
            for model in models_at(loaded.settings, one)
        }
    except HarnessError as error:
        return problem("cache", str(error), "name another with --cache FILE"), Counter()
    if stats.journal.open:
        left_open = f", {stats.journal.open:,} requests whose payment is unknown"
    else:
        left_open = ""
    said = f"{path}: {stats.entries:,} entries{left_open}"
    ours = (one for one in answerers if (one.endpoint, one.asked) in wanted)
    answers = counted_answers(ours, loaded.settings.aliases)
    found = doubt_lines(answers)
    if not found:
        return ok("cache", said), answers
    advice = (
        "--cache-mode refresh asks anew; `harness cache stats --models` tells when each answered"
    )
    return warning("cache", "; ".join((said, *found)), advice), answers


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
    said = (
        f"{loaded.settings.model_note() or name}; its price is {'known' if priced else 'not known'}"
    )
    if priced:
        return ok("model", said)
    return warning(
        "model",
        said,
        f'without [prices."{name}"] in harness.toml only --budget-tokens can cap the run',
    )


def _model_elsewhere(loaded: Loaded, one: InUse) -> Finding:
    """The models that steps ask of another endpoint, as far as the settings name them."""
    names = models_at(loaded.settings, one)
    table = f"[endpoints.{one.name}]"
    if not names:
        return warning(
            "model",
            "no setting names one",
            f"model = NAME in {table}, unless the workflow names one",
        )
    prices = loaded.settings.pricing().at(endpoint_identity(one.service))
    unpriced = [name for name in names if not prices.rows(name)]
    said = f"{', '.join(names)}; {'the price is' if len(names) == 1 else 'prices are'} "
    if not unpriced:
        return ok("model", f"{said}known")
    advice = (
        f'without [endpoints.{one.name}.prices."{unpriced[0]}"] no budget in money counts its calls'
    )
    return warning("model", f"{said}not known", advice)
