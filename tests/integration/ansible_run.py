# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the collection's playbooks as a person does, on inventories made for a test."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.unit.plugin_utils.mutations import Intent

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
# A run takes seconds, on virtual machines a minute; on a busy machine much more.
TIMEOUT = 900


@dataclass(frozen=True)
class Run:
    """What a run of ansible-playbook came to."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """The sum of the recap's changed tasks."""
        words = self.output.split("PLAY RECAP")[-1].split()
        return sum(int(word.removeprefix("changed=")) for word in words if "changed=" in word)


def write_inventory(intent: Intent, folder: Path) -> Path:
    """Write an intent as an inventory folder, over one that may be there."""
    (folder / "group_vars").mkdir(parents=True, exist_ok=True)
    (folder / "group_vars" / "underlay.yml").write_text(_text(intent.fleet), "utf-8")
    groups = {
        name: {"hosts": {host: {} for host in hosts if host in intent.hosts}}
        for name, hosts in intent.groups.items()
    }
    hosts = {"underlay": {"hosts": intent.hosts}, **groups}
    (folder / "hosts.yml").write_text(_text(hosts), "utf-8")
    return folder


def _text(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False)


def start(
    playbook: str, inventory: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a playbook; its output is one stream."""
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), "-i", str(inventory), str(PLAYBOOKS / playbook), *arguments]
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        **(environment or {}),
    }
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[str]) -> Run:
    """Wait for a started playbook; one that hangs is ended, and fails the test."""
    try:
        output, _nothing = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    return Run(process.returncode, output)


def play(
    playbook: str, inventory: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Run:
    """Run a playbook to its end."""
    return finish(start(playbook, inventory, *arguments, environment=environment))
