# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet with virtual addresses, from its intent to the daemons of each host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vips import daemons
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan

API = {"name": "api", "network": "lcm", "segment": "r1", "address": "10.21.1.200"}
API6 = {"name": "api6", "network": "lcm", "segment": "r1v6", "address": "fd21:1::200"}


@dataclass(frozen=True)
class Fleet:
    """A planned fleet. vips, parts: the plan's; items: host -> name -> its daemon."""

    model: Model
    vips: list[dict[str, Any]]
    parts: dict[str, dict[str, Any]]
    items: dict[str, dict[str, dict[str, Any]]]

    def item(self, host: str, name: str = "underlay-vip") -> dict[str, Any]:
        return self.items[host][name]

    def text(self, host: str, name: str = "underlay-vip") -> str:
        """The configuration of a host's daemon."""
        content: str = self.item(host, name)["files"][0]["content"]
        return content

    def address(self, host: str, version: int = 4, network: str = "lcm") -> str:
        """An address of a host, without its prefix length."""
        return next(
            str(item["address"]).partition("/")[0]
            for item in self.parts[host]["addresses"]
            if item["network"] == network and (":" in item["address"]) == (version == 6)
        )


def managers(*names: str, vips: list[dict[str, Any]], bgp: dict[str, Any] | None = None) -> Intent:
    """The good intent with these managers, in the rack of the API endpoint, and these VIPs."""
    intent = good_intent()
    for name in names:
        intent.hosts[name] = good_intent().hosts["cp1"]
    if "cp1" not in names:
        del intent.hosts["cp1"]
    intent.groups["control_plane"] = list(names)
    intent.fleet["underlay_vips"] = vips
    if bgp is not None:
        intent.fleet["underlay_bgp"] = bgp
    return intent


def fleet(intent: Intent) -> Fleet:
    """The fleet of a good intent."""
    model, problems = read_intent(intent.fleet, intent.hosts, intent.groups)
    assert not problems
    planned = plan(intent)
    items = daemons(model, planned.fleet["vips"], planned.hosts)
    by_name = {host: {item["name"]: item for item in found} for host, found in items.items()}
    return Fleet(model, planned.fleet["vips"], planned.hosts, by_name)
