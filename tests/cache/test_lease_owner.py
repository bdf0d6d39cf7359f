"""Who is alive: told by a lock that ends with its holder, and by nothing else."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cache.lease_owner import LeaseOwner
from harness.errors import StorageError

HOLDER = """
import pathlib, sys
from harness.cache.lease_owner import LeaseOwner
owner = LeaseOwner(pathlib.Path(sys.argv[1]))
owner.enter()
print(owner.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache [1].db"


def entered(cache: Path) -> LeaseOwner:
    owner = LeaseOwner(cache)
    assert owner.enter()
    return owner


def test_an_owner_is_alive_from_its_entering_to_its_leaving(cache: Path) -> None:
    watcher, owner = LeaseOwner(cache), LeaseOwner(cache)
    assert os.listdir(cache.parent) == []
    assert owner.enter()
    assert not owner.enter()
    (file,) = cache.parent.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert watcher.sees_alive(owner.name)
    assert owner.sees_alive(owner.name)
    owner.leave()
    owner.leave()
    assert not watcher.sees_alive(owner.name)
    assert os.listdir(cache.parent) == []


def test_owners_of_one_process_are_told_apart(cache: Path) -> None:
    first, second = entered(cache), entered(cache)
    first.leave()
    assert [second.sees_alive(name) for name in (first.name, second.name)] == [False, True]
    second.leave()


def test_a_stopped_process_is_alive_and_a_killed_one_is_not(cache: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        name = holder.stdout.readline().strip()
        watcher = LeaseOwner(cache)
        holder.send_signal(signal.SIGSTOP)
        assert watcher.sees_alive(name)
        holder.kill()
        holder.wait()
        assert not watcher.sees_alive(name)
    assert len(os.listdir(cache.parent)) == 1
    entered(cache).leave()
    assert os.listdir(cache.parent) == []


def test_clearing_away_the_dead_spares_the_living_and_everything_else(cache: Path) -> None:
    alive = entered(cache)
    (living,) = os.listdir(cache.parent)
    others = {f"{cache.name}-owner-notes", "cache 1.db-owner-1-0123456789abcdef", cache.name}
    dead = f"{cache.name}-owner-1-0123456789abcdef"
    dangling = f"{cache.name}-owner-2-0123456789abcdef"
    for name in {dead, *others}:
        (cache.parent / name).touch()
    (cache.parent / dangling).symlink_to(cache)
    entered(cache).leave()
    assert set(os.listdir(cache.parent)) == {living, dangling, *others}
    alive.leave()


def test_only_names_that_an_owner_can_have_are_looked_for(cache: Path) -> None:
    watcher = LeaseOwner(cache)
    held = entered(cache)
    for name in ("", "1", f"../{held.name}", f"{held.name}\n", f"{held.name}/..", "\x00"):
        assert not watcher.sees_alive(name)
    held.leave()


def test_an_owner_that_cannot_be_looked_at_is_taken_to_live(cache: Path) -> None:
    (cache.parent / f"{cache.name}-owner-1-0123456789abcdef").symlink_to(cache)
    assert LeaseOwner(cache).sees_alive("1-0123456789abcdef")


def test_where_no_file_can_be_made_entering_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        StorageError, match=r"gone/cache\.db: no file can be made beside the cache \(No such file"
    ):
        LeaseOwner(tmp_path / "gone" / "cache.db").enter()
