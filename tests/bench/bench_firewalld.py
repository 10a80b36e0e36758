# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host firewall: 200 ports, 40 rich rules and an ipset of 2,000 entries, in one call and by
`ansible.posix.firewalld` in a loop, against the same firewalld in the same run.

    python tests/bench/bench_firewalld.py [--private] [--sample PORTS RULES | --whole]

The firewalld is that of a lab host, or with `--private` one of our own in namespaces of this
machine (root), without ssh on the way. The loop takes seconds for each of its items, so that a
sample of them stands for all: its seconds are scaled by the number of items, each task by itself,
and both are printed. That favours the loop, which gets slower with each port that is there.

Seconds are those of the tasks alone, as Ansible measures them; the start of ansible-playbook,
the same for both, is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.integration.private_firewalld import PrivateFirewalld
from tests.lab import Lab
from tools import checkout

HERE = Path(__file__).parent / "firewalld_loop"
PORTS, RULES, ENTRIES = 200, 40, 2000
SAMPLE = (20, 5)
REPEATS = 3
LAB_NAME, LAB_HOST = "bench-firewalld", "a"

# The release that belongs to ansible-core 2.19; it carries ansible.posix 2.1.0.
STOCK = "ansible==12.3.0"
STOCK_FOLDER = checkout.BUILD / "bench" / STOCK.replace("==", "-")

EMPTY_ZONE = """
firewall-cmd --permanent --delete-zone=bench
firewall-cmd --permanent --delete-ipset=bench
set -e
firewall-cmd --permanent --new-zone=bench
firewall-cmd --permanent --zone=bench --add-interface=bench0
firewall-cmd --reload
"""
COUNT = """
firewall-cmd --zone=bench --list-ports | wc -w
firewall-cmd --zone=bench --list-rich-rules | wc -l
firewall-cmd --ipset=bench --get-entries | wc -l
"""


@dataclass
class Host:
    """The host with the firewalld: how to run a shell script and a playbook on it."""

    script: Callable[[str], str]
    ansible: Callable[[list[str]], subprocess.CompletedProcess[str]]
    inventory: dict[str, Any]


@dataclass(frozen=True)
class Played:
    """One run of a playbook: seconds of each task by its name, changes, firewalld's reloads."""

    seconds: dict[str, float]
    changed: bool
    reloads: int

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def main() -> None:
    """Measure both and print every figure as NAME VALUE UNIT."""
    parser = argparse.ArgumentParser(description="Measure the host firewall.")
    parser.add_argument("--private", action="store_true", help="a firewalld in namespaces here")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--sample", type=int, nargs=2, default=SAMPLE, metavar=("PORTS", "RULES"))
    size.add_argument("--whole", action="store_true", help="the loop over all items")
    given = parser.parse_args()
    sample = (PORTS, RULES) if given.whole else tuple(given.sample)
    stock = stock_collections()
    with private_host() if given.private else lab_host() as host, scratch() as folder:
        bench = Bench(host, stock, folder)
        ours = bench.one_call()
        loop = bench.item_by_item(*sample)
        for kind in ("change", "nochange", "live_change"):
            figure(f"firewalld_{kind}_ratio", loop[kind] / ours[kind], "x")


class Bench:
    """Both ways on one host."""

    def __init__(self, host: Host, stock: Path, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.collections = f"{checkout.ROOT / '.collections'}{os.pathsep}{stock}"
        self.inventory = folder / "hosts.json"
        hosts = {"bench": {"hosts": {LAB_HOST: host.inventory}}}
        self.inventory.write_text(json.dumps(hosts), "utf-8")

    def one_call(self) -> dict[str, float]:
        """Seconds of the change and of the run after it: the middle of several.

        The new ipset takes a reload, and what is permanent goes live with it. "live_change" is the
        same without the ipset, which is there by then: ports and rules alone, without a reload.
        """
        seconds: dict[str, list[float]] = {"change": [], "nochange": [], "live_change": []}
        for _turn in range(REPEATS):
            for kind, measured in seconds.items():
                if kind != "nochange":
                    self.host.script(EMPTY_ZONE)
                if kind == "live_change":
                    self._play("one_call.yml", 0, 0)
                played = self._play("one_call.yml", PORTS, RULES)
                assert played.changed == (kind != "nochange"), f"{kind}: changed {played.changed}"
                assert played.reloads == (kind == "change"), f"{kind}: {played.reloads} reloads"
                measured.append(played.total)
            counted = [int(word) for word in self.host.script(COUNT).split()]
            assert counted == [PORTS, RULES, ENTRIES], f"on the host now: {counted}"
        middle = {kind: statistics.median(values) for kind, values in seconds.items()}
        for kind, value in middle.items():
            print(f"one call, {kind}: {', '.join(f'{each:.2f}' for each in seconds[kind])} s")
            figure(f"firewalld_one_call_{kind}_seconds", value, "s")
        return middle

    def item_by_item(self, ports: int, rules: int) -> dict[str, float]:
        """Seconds of the loop over all items, scaled from those over a sample."""
        self.host.script(EMPTY_ZONE)
        found: dict[str, float] = {}
        for kind in ("change", "nochange"):
            played = self._play("item_by_item.yml", ports, rules)
            assert played.changed == (kind == "change"), f"{kind}: changed {played.changed}"
            scale = {"Ports": PORTS / ports, "Rules": RULES / rules}
            found[kind] = sum(
                seconds * scale.get(task, 1) for task, seconds in played.seconds.items()
            )
            each = ", ".join(f"{task} {value:.2f}" for task, value in played.seconds.items())
            if kind == "change":
                found["live_change"] = sum(
                    seconds * scale[task]
                    for task, seconds in played.seconds.items()
                    if task in scale
                )
            print(f"loop, {kind}, measured with {ports} ports and {rules} rules: {each} s")
            if (ports, rules) != (PORTS, RULES):
                print(f"loop, {kind}, scaled to {PORTS} ports and {RULES} rules: {found[kind]:.1f}")
            figure(f"firewalld_loop_sample_{kind}_seconds", played.total, "s")
            figure(f"firewalld_loop_{kind}_seconds", found[kind], "s")
        return found

    def _play(self, playbook: str, ports: int, rules: int) -> Played:
        items = self.folder / "items.json"
        items.write_text(json.dumps(self._items(ports, rules)), "utf-8")
        argv = ["-i", str(self.inventory), "-e", f"@{items}", str(HERE / playbook)]
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": self.collections,
            "ANSIBLE_CONFIG": str(checkout.ROOT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            # what a module finds on a host by itself
            "PYTHONPATH": "",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_REMOTE_TEMP": "/tmp/underlay-bench",
        }
        words = [f"{name}={value}" for name, value in settings.items()]
        done = self.host.ansible(["env", *words, checkout.venv_program("ansible-playbook"), *argv])
        assert done.returncode == 0, f"{playbook}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return played(json.loads(done.stdout[done.stdout.index("{") :]))

    def _items(self, ports: int, rules: int) -> dict[str, Any]:
        """Ports and networks with gaps between them, so that nobody can join them to fewer."""
        return {
            "ports": [f"{10_000 + 2 * number}/tcp" for number in range(ports)],
            "rich_rules": [
                f'rule family="ipv4" source address="10.200.{number}.0/24" '
                'port port="9100" protocol="tcp" accept'
                for number in range(rules)
            ],
            "entries": [f"10.{100 + n // 125}.{2 * (n % 125)}.0/24" for n in range(ENTRIES)],
            "entries_file": "/run/bench-entries.txt",
        }


def played(told: dict[str, Any]) -> Played:
    """What the JSON callback told of a run."""
    seconds: dict[str, float] = {}
    results: list[dict[str, Any]] = []
    for play in told["plays"]:
        for task in play["tasks"]:
            spent = task["task"]["duration"]
            length = datetime.fromisoformat(spent["end"]) - datetime.fromisoformat(spent["start"])
            seconds[task["task"]["name"]] = length.total_seconds()
            results += task["hosts"].values()
    changed = any(result.get("changed") for result in results)
    return Played(seconds, changed, sum(result.get("reloads", 0) for result in results))


@contextlib.contextmanager
def lab_host() -> Iterator[Host]:
    """A host of a lab of our own, with firewalld started."""
    topology = checkout.ROOT / "tests" / "lab" / "topology" / "pair.yml"
    with Lab(topology, name=LAB_NAME, tell=lambda text: print(text, file=sys.stderr)) as lab:
        lab.ssh(LAB_HOST, "systemctl start firewalld")
        yield Host(
            script=lambda script: lab.ssh(LAB_HOST, script, timeout=600).stdout,
            ansible=lambda argv: subprocess.run(
                argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            ),
            inventory={
                "ansible_ssh_common_args": f"-F {lab.ssh_config}",
                "ansible_ssh_args": "",
                "ansible_python_interpreter": "/usr/bin/python3",
            },
        )


@contextlib.contextmanager
def private_host() -> Iterator[Host]:
    """A firewalld in namespaces of this machine."""
    with PrivateFirewalld() as firewalld:
        yield Host(
            script=lambda script: firewalld.run("sh", "-c", script),
            ansible=lambda argv: _inside(firewalld, argv),
            inventory={
                "ansible_connection": "local",
                "ansible_python_interpreter": "/usr/bin/python3",
            },
        )


def _inside(firewalld: PrivateFirewalld, argv: list[str]) -> subprocess.CompletedProcess[str]:
    process = firewalld.popen(*argv)
    out, err = process.communicate()
    return subprocess.CompletedProcess(argv, process.returncode, out, err or "")


def stock_collections() -> Path:
    """The folder with the collection that is compared with, fetched once."""
    if not STOCK_FOLDER.is_dir():
        with scratch() as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
            subprocess.run([*pip, str(folder), STOCK], check=True, stdout=sys.stderr)
            (wheel,) = folder.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                wanted = "ansible_collections/ansible/posix/"
                names = [name for name in archive.namelist() if name.startswith(wanted)]
                archive.extractall(folder, names)
            STOCK_FOLDER.mkdir(parents=True)
            shutil.move(folder / "ansible_collections", STOCK_FOLDER)
    return STOCK_FOLDER


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="underlay-bench-") as folder:
        yield Path(folder)


def figure(name: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{name} {value:.4g} {unit}", flush=True)


if __name__ == "__main__":
    main()
