# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sixteen writers at once, and writers that are killed: nothing lost, nothing repeated."""

from __future__ import annotations

import multiprocessing
import os
import random
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import address_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    PLANS_KEPT,
    FolderStore,
    read_fleet,
    read_host_part,
)
from tests.unit.plugin_utils.mutations import good_intent
from tests.unit.plugin_utils.planning import plan

WRITERS = 16
HOSTS_EACH = 2
KILLS = 50
# The kills' moments: by chance, and the same in every run.
CHANCE = 20
FORK = multiprocessing.get_context("fork")


def write_hosts(folder: Path, number: int, gate: object) -> None:
    """Plan the good fleet with hosts of this writer's own, one more in each round."""
    store, intent = FolderStore(folder), good_intent()
    getattr(gate, "wait")()  # noqa: B009 - a barrier has no type that can be named here
    for index in range(HOSTS_EACH):
        intent.hosts[f"n{number}-{index}"] = good_intent().hosts["w1"]

        def change(ledger: Ledger) -> tuple[Ledger, None]:
            return plan(intent, ledger).ledger, None

        store.update(change)


def test_sixteen_writers_at_once_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    plan(good_intent())  # what is loaded once is loaded before the processes part
    gate = FORK.Barrier(WRITERS)
    writers = [
        FORK.Process(target=write_hosts, args=(tmp_path, number, gate)) for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    try:
        for writer in writers:
            writer.join(60)
    finally:
        for writer in writers:
            writer.kill()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    ledger = FolderStore(tmp_path).read_ledger()
    lcm = [owner for network, address, owner in ledger.rows() if network == "lcm"]
    names = {f"n{number}-{index}" for number in range(WRITERS) for index in range(HOSTS_EACH)}
    # An address each of both families, and the reader refuses an address that is there twice.
    assert sorted(owner for owner in lcm if owner in names) == sorted([*names, *names])
    assert ledger.version == WRITERS * HOSTS_EACH
    assert {path.name for path in tmp_path.iterdir()} == {".gitignore", ".lock", "ledger.yml"}


@contextmanager
def child(body: Callable[[int], None]) -> Iterator[tuple[int, int]]:
    """A process that runs body with a pipe to tell its progress; killed at the end."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            body(write)
        finally:
            os._exit(1)
    os.close(write)
    try:
        yield pid, read
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)


def killed_at_random(body: Callable[[int], None], chance: random.Random) -> list[str]:
    """Run body in a process, kill it at some moment after its first step; return what it told."""
    with child(body) as (pid, pipe):
        assert select.select([pipe], [], [], 30)[0], "the writer does nothing"
        time.sleep(chance.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        told = b""
        while part := os.read(pipe, 65536):
            told += part
    return told.decode().split()


def rows(count: int) -> dict[str, dict[str, str]]:
    return {"lcm": {address_text(number, 4): f"host-{number}" for number in range(1, count + 1)}}


def test_the_ledger_of_a_killed_writer_is_the_old_one_or_the_new(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)

    def write(pipe: int) -> None:
        while True:
            ledger, _unused = store.update(
                lambda ledger: (ledger.with_addresses(rows(ledger.version + 1)), None)
            )
            os.write(pipe, f"{ledger.version} ".encode())

    chance = random.Random(CHANCE)
    for _unused in range(KILLS):
        promised = int(killed_at_random(write, chance)[-1])
        found = store.read_ledger()
        assert found.version in (promised, promised + 1)
        assert found.addresses == rows(found.version)
    last = store.read_ledger()
    store.write_ledger(last.with_addresses(rows(last.version + 1)), last.version)
    assert {path.name for path in tmp_path.iterdir()} == {".gitignore", ".lock", "ledger.yml"}


def test_the_plan_of_a_killed_writer_is_whole_or_is_not_there(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    hosts = [f"w{number}" for number in range(20)]

    def write(number: int, pipe: int) -> None:
        # A few plans come again and again, so that pruning and reviving take part.
        while True:
            number = (number + 1) % (PLANS_KEPT + 3)
            parts = {host: {"name": host, "plan": number} for host in hosts}
            handed = {"addresses.json": f"{number}", "ceph/w1.conf": f"{number}"}
            store.write_plan(f"plan{number}", {"plan": number}, parts, handed)
            store.write_facts({host: [{"name": f"eth{number}"}] for host in hosts})
            os.write(pipe, b". ")

    chance = random.Random(CHANCE)
    for _unused in range(KILLS // 2):
        killed_at_random(partial(write, chance.randrange(PLANS_KEPT + 3)), chance)
        current = store.current_plan()
        assert current is not None
        number = read_fleet(current.folder)["plan"]
        assert current.sha256 == f"plan{number}"
        for kept in (tmp_path / "plans").glob("plan*"):
            for host in hosts:
                assert read_host_part(kept, host)["plan"] == read_fleet(kept)["plan"]
            for name in ("addresses.json", "ceph/w1.conf"):
                text = (kept / "handover" / name).read_text("utf-8")
                assert text == str(read_fleet(kept)["plan"])
        assert set(store.read_facts()) == set(hosts)
    store.write_plan("last", {}, {})
    left = [path.name for path in tmp_path.rglob(".*") if path.name not in (".gitignore", ".lock")]
    assert left == []
    plans = [path.name for path in (tmp_path / "plans").iterdir() if path.is_dir()]
    assert len(plans) == PLANS_KEPT
    assert "last" in plans
