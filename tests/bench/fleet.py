# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up fleet of any size: hosts in three racks, one segment of each network in each rack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

RACKS = 3
KINDS = (
    "lcm",
    "workload",
    "external",
    "storage_access",
    "storage_replication",
    "workload",
    "storage_access",
)
NICS = [
    {"name": "eno1", "driver": "igb"},
    {"name": "enp9s0f0", "driver": "ixgbe"},
    {"name": "enp9s0f1", "driver": "ixgbe"},
]


def fleet_variables(networks: int = len(KINDS)) -> dict[str, Any]:
    """Return underlay_networks: a /20 for each network and rack, so that 10,000 hosts fit."""
    return {"underlay_networks": [_network(index) for index in range(networks)]}


def _network(index: int) -> dict[str, Any]:
    segments = [
        {
            "name": f"r{rack}",
            "rack": f"r{rack}",
            "vlan": 100 * (index + 1) + rack,
            "cidr": f"10.{20 + index}.{rack * 16}.0/20",
            "gateway": f"10.{20 + index}.{rack * 16}.1",
        }
        for rack in range(RACKS)
    ]
    kind = KINDS[index]
    if kind == "external":
        for rack, segment in enumerate(segments):
            base = f"10.{20 + index}"
            segment["ranges"] = [f"{base}.{rack * 16}.10-{base}.{rack * 16 + 13}.255"]
            segment["service_ranges"] = [f"{base}.{rack * 16 + 14}.0/24"]
    return {
        "name": f"n{index}",
        "kind": kind,
        "api_endpoint": kind == "lcm",
        "default_route": kind == "external",
        "segments": segments,
    }


def host_variables(hosts: int, networks: int = len(KINDS)) -> dict[str, dict[str, Any]]:
    """Return each host's variables; all share one template, as hosts of a group do."""
    template = {
        "nics": [{"name": "uplink", "count": 2, "match": "[?driver=='ixgbe']"}],
        "bonds": [{"name": "bond0", "members": "uplink", "mode": "802.3ad"}],
        "attach": [{"network": f"n{index}", "link": "bond0"} for index in range(networks)],
    }
    return {
        f"h{index:05}": {"underlay_rack": f"r{index % RACKS}", "underlay_l2_template": template}
        for index in range(hosts)
    }


def write_inventory(folder: Path, hosts: int, networks: int = len(KINDS)) -> None:
    """Write the fleet as an inventory folder."""
    members = host_variables(hosts, networks)
    template = next(iter(members.values()))["underlay_l2_template"]
    common = {
        **fleet_variables(networks),
        "underlay_l2_template": template,
        "underlay_nics": NICS,
    }
    racks = {name: {"underlay_rack": each["underlay_rack"]} for name, each in members.items()}
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars" / "underlay.yml").write_text(yaml.safe_dump(common), "utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump({"underlay": {"hosts": racks}}), "utf-8")
