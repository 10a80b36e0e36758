# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning: 1,000 and 10,000 hosts on 7 networks in 3 racks, and the loop that others allocate by.

The pure function is measured in a process of its own, so that its memory is its own too.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import make_plan
from tests.bench.fleet import NICS, fleet_variables, host_variables, write_inventory

ROOT = Path(__file__).parents[2]
LOOP = Path(__file__).parent / "per_host_loop"
# The size at which the loop's figure is known elsewhere; it grows with the square.
LOOP_HOSTS, LOOP_NETWORKS = 100, 5


def main() -> None:
    """Print every figure as NAME VALUE UNIT."""
    if sys.argv[1:]:
        _pure(int(sys.argv[1]))
        return
    seconds, memory = _own_process(1000)
    _figure("plan_1000_seconds", seconds, "s")
    _figure("plan_1000_rss_mb", memory, "MB")
    many, _memory = _own_process(10_000)
    _figure("plan_10000_over_1000_ratio", many / seconds, "x")
    with tempfile.TemporaryDirectory(prefix="underlay-bench-") as scratch:
        inventory = Path(scratch) / "thousand"
        write_inventory(inventory, 1000)
        _figure("playbook_plan_1000_seconds", _playbook(_PLAN, inventory), "s")
        _figure("playbook_replan_1000_seconds", _playbook(_PLAN, inventory), "s")
        small = Path(scratch) / "small"
        write_inventory(small, LOOP_HOSTS, LOOP_NETWORKS)
        ours = _playbook(_PLAN, small)
        _figure("playbook_plan_100x5_seconds", ours, "s")
        loop = _playbook([LOOP / "allocate.yml", "-e", f"folder={scratch}"], small)
        _figure("per_host_loop_100x5_seconds", loop, "s")
        _figure("allocation_vs_per_host_loop_ratio", loop / ours, "x")


_PLAN: list[str | Path] = [ROOT / "playbooks" / "plan.yml"]


def _pure(hosts: int) -> None:
    """Plan once and print the seconds and the megabytes."""
    model, problems = read_intent(fleet_variables(), host_variables(hosts))
    assert not problems
    facts = dict.fromkeys(model.hosts, NICS)
    begin = time.perf_counter()
    planned = make_plan(model, Ledger(), facts)
    seconds = time.perf_counter() - begin
    assert not planned.problems
    assert len(planned.hosts) == hosts
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _own_process(hosts: int) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, __file__, str(hosts)], check=True, capture_output=True, text=True
    )
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def _playbook(arguments: list[str | Path], inventory: Path) -> float:
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    begin = time.perf_counter()
    subprocess.run(
        [str(word) for word in command],
        check=True,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def _figure(name: str, value: float, unit: str) -> None:
    print(f"{name} {value:.3g} {unit}", flush=True)


if __name__ == "__main__":
    main()
