# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that boots over the network: racks r1 and r2, one server in r1, routers that relay."""

from __future__ import annotations

from typing import Any

from tests.unit.plugin_utils.mutations import Intent, Variables, good_intent

MACS = {"w1": "52:54:00:25:00:11", "w2": "52:54:00:25:00:12", "st1": "52:54:00:25:00:13"}
DEBIAN = {
    "name": "debian",
    "kernel": "debian/vmlinuz",
    "initrd": ["debian/initrd.gz", "extra/initrd.gz"],
    "arguments": "console=ttyS0",
}
REMOTE = {"name": "rescue", "kernel": "https://boot.example.org/rescue?x86=1"}


def pxe_intent(**pxe: Any) -> Intent:
    """cp1 serves; w1 (rack r1) and w2 (rack r2) are provisioned, st1 is operational."""
    intent = good_intent()
    intent.fleet["underlay_networks"].append(
        {"name": "pxe", "kind": "pxe", "segments": [_segment(1), _segment(2)]}
    )
    intent.fleet["underlay_pxe"] = {
        "servers": ["control_plane"],
        "images": [DEBIAN, REMOTE],
        "leftovers": ["50-installer.yaml"],
        **pxe,
    }
    intent.template("cp1")["attach"].append({"network": "pxe", "link": "bond0"})
    for name, mac in MACS.items():
        intent.hosts[name]["underlay_boot"] = {"mac": mac, "image": "debian"}
    for name in ("w1", "w2"):
        intent.hosts[name]["underlay_state"] = "provisioning"
    return intent


def _segment(rack: int) -> Variables:
    return {
        "name": f"r{rack}",
        "rack": f"r{rack}",
        "vlan": 250 + rack,
        "cidr": f"10.25.{rack}.0/24",
        "gateway": f"10.25.{rack}.1",
        "dhcp_ranges": [f"10.25.{rack}.200-10.25.{rack}.220"],
    }
