# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts, the inventory they are planned from, and how they came to the plan."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.ansible_run import Run, play
from tests.lab import Lab

NAME = "site"
HOSTS = ("cp1", "w1", "w2", "st1")


@dataclass(frozen=True)
class Site:
    """The lab, its inventory, and how it was brought to the plan."""

    lab: Lab
    inventory: Path
    preview: Run
    first: Run

    def play(self, playbook: str, *arguments: str) -> Run:
        """Run a playbook on the lab's hosts."""
        return play(playbook, self.inventory, "-e", f"lab_name={NAME}", *arguments)

    def part(self, host: str) -> dict[str, Any]:
        """Return a host's part of the current plan."""
        plans = self.inventory / ".underlay" / "plans"
        current = (plans / "current").read_text("utf-8").strip()
        found: dict[str, Any] = json.loads(
            (plans / current / "hosts" / f"{host}.json").read_text("utf-8")
        )
        return found

    def address(self, host: str, network: str, version: int = 4) -> str:
        """Return a host's planned address on a network."""
        return next(
            str(item["address"]).partition("/")[0]
            for item in self.part(host)["addresses"]
            if item["network"] == network and (":" in item["address"]) == (version == 6)
        )

    def verdict(self, *arguments: str) -> tuple[Run, dict[str, Any]]:
        """Measure, and return the run and the report."""
        run = self.play("verify.yml", *arguments)
        report = self.inventory / ".underlay" / "reports" / "verdict.json"
        found: dict[str, Any] = json.loads(report.read_text("utf-8"))
        return run, found
