# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on virtual machines: boot the lab, run `playbooks/site.yml`, show the verdict.

python -m tools.demo up|down
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tools import checkout, machine, prepare, steps

LAB = checkout.ROOT / "tests" / "lab" / "lab"
NAME = "demo"
INVENTORY = checkout.ROOT / "inventories" / "lab"
STORE = INVENTORY / ".underlay"
SITE = checkout.ROOT / "playbooks" / "site.yml"


def up() -> None:
    """Prepare, boot, apply, verify; prints each step's seconds and where the report lies."""
    times: list[tuple[str, float]] = []

    def timed(name: str, work: Callable[[], object]) -> None:
        steps.say(f"==> {name}")
        begin = time.monotonic()
        work()
        times.append((name, time.monotonic() - begin))
        steps.say(f"    {name}: {times[-1][1]:.0f} s")

    begin = time.time()
    timed("prepare", lambda: prepare.everything("lab"))
    timed("lab", _boot)
    timed("site", _site)
    steps.say("")
    for name, seconds in times:
        steps.say(f"{name:<10} {seconds:6.0f} s")
    steps.say(f"{'all':<10} {sum(seconds for name, seconds in times):6.0f} s")
    for report in _reports(since=begin):
        steps.say(f"report: {report.relative_to(checkout.ROOT)}")
    steps.say("The lab is still up: tests/lab/lab ssh HOST; `make demo` again changes nothing; ")
    steps.say("`make demo-down` takes it away.")


def _boot() -> None:
    if not _running():
        machine.check_room()
    done = steps.run("lab up", [LAB, "--name", NAME, "up"], show=True)
    if not done.ok:
        raise steps.StopError(
            f"the lab did not come up (status {done.status}). All its output: {done.log}. "
            "`make demo-down` clears what is left of it."
        )


def _running() -> bool:
    """Whether the demo's lab is up already; its memory is then taken and need not be free."""
    return steps.run("lab status", [LAB, "--name", NAME, "status"]).ok


def _parts_running() -> list[str]:
    """The lab's hosts and switches that run: lines `NAME running …` of its status."""
    lines = steps.run("lab status", [LAB, "--name", NAME, "status"]).log.read_text().splitlines()
    return [line.split()[0] for line in lines if line.split()[1:2] == ["running"]]


def _site() -> None:
    env = steps.environment()
    if sys.stdout.isatty():
        env["ANSIBLE_FORCE_COLOR"] = "true"
    play: list[str | Path] = [checkout.venv_program("ansible-playbook"), SITE, "-i", INVENTORY]
    done = steps.run("site", play, env=env, show=True)
    if not done.ok:
        raise steps.StopError(
            f"playbooks/site.yml failed (status {done.status}); what failed stands above and in "
            f"{done.log}. The lab is still up for a look: {LAB.relative_to(checkout.ROOT)} ssh HOST"
        )


def _reports(since: float) -> list[Path]:
    """Reports in the store that this run wrote."""
    if not STORE.is_dir():
        return []
    found = [p for p in STORE.rglob("report*") if p.is_file() and p.stat().st_mtime >= since]
    return sorted(found)


def down() -> None:
    """Stop the lab and remove all that the demo made, except the image and `.venv`."""
    prepare.everything("plan")
    running = _parts_running()
    done = steps.run("lab down", [LAB, "--name", NAME, "down"], show=True)
    if not done.ok:
        raise steps.StopError(
            f"the lab did not go down (status {done.status}): {done.log}. Try again."
        )
    if still := _parts_running():
        raise steps.StopError(f"still running after `lab down`: {', '.join(still)}. Try again.")
    steps.say(f"ended: {', '.join(running) or 'nothing ran'}")
    removed = ["the lab's disks, keys and sockets"] if running else []
    for path in (STORE, checkout.BUILD / "log"):
        if path.exists():
            shutil.rmtree(path)
            removed.append(os.path.relpath(path, checkout.ROOT))
    steps.say(f"removed: {', '.join(removed) or 'nothing more'}")
    steps.say("kept: the lab's image and .venv, for the next run (`make clean` takes .venv too)")


def main() -> None:
    """Bring the demo up or down."""
    parser = argparse.ArgumentParser(description="The lab, the playbook and the verdict.")
    parser.add_argument("way", choices=["up", "down"])
    chosen = parser.parse_args()
    with steps.stoppable():
        up() if chosen.way == "up" else down()


if __name__ == "__main__":
    main()
