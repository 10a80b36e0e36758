# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules on the seven kinds of networks, as the MOSK document states them, row by row.

Rows S4.1 to S4.15 are explained in docs/networks.md. That several segments of a network have
gateways (S4.1, S4.3, S4.8, S4.13, S4.14) and that a VIP lies in its network (S4.6) stands in
checks.py, beside what holds of any network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning import (
    lcm_rules,
    machine_rules,
    traffic_rules,
    vip_rules,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.rules import (
    FleetView,
    HostSegments,
    Networks,
    Rule,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

# Rules that ask for networks alone: they are looked at even if no host can be read.
NETWORK_RULES: tuple[Rule[Networks], ...] = (
    Rule("S4.6, S4.11", vip_rules.ranges_are_disjoint),
    Rule("S4.7", lcm_rules.endpoint_is_lcm),
    Rule("S4.11", traffic_rules.external_has_two_ranges),
    Rule("S4.12", traffic_rules.routing_tables_are_free),
    Rule("S4.15", machine_rules.no_route_to_boards),
)

# Rules on who is attached where.
FLEET_RULES: tuple[Rule[FleetView], ...] = (
    Rule("S4.1", machine_rules.pxe_on_servers_only),
    Rule("S4.1", machine_rules.pxe_server_has_one_network),
    Rule("S4.1", machine_rules.pxe_is_whole),
    Rule("S4.1", machine_rules.provisioning_host_can_boot),
    Rule("S4.1", machine_rules.boot_images_are_known),
    Rule("S4.1", machine_rules.boot_macs_are_unique),
    Rule("S4.2", lcm_rules.one_lcm_address),
    Rule("S4.3", lcm_rules.lcm_segments_are_routed),
    # S4.4, the routes between LCM segments on each host, is asked of its plan: lost_routes.
    Rule("S4.5", lcm_rules.lcm_segments_reach_the_endpoint),
    Rule("S4.6", vip_rules.router_ids_are_bytes),
    Rule("S4.6", vip_rules.router_ids_are_unique),
    Rule("S4.7", lcm_rules.one_network_holds_the_endpoint),
    Rule("S4.7", vip_rules.vip_has_holders),
    Rule("S4.7", vip_rules.vip_segment_reaches_holders),
    Rule("S4.7", vip_rules.announced_vips_have_peers),
    Rule("S4.8", traffic_rules.workload_is_not_shared),
    Rule("S4.9", traffic_rules.controllers_are_external),
    Rule("S4.10", traffic_rules.controllers_share_a_segment),
    Rule("S4.12", traffic_rules.default_route_is_external),
    Rule("S4.12", traffic_rules.routing_tables_are_unique),
    Rule("S4.13", traffic_rules.storage_nodes_have_access),
    Rule("S4.13", traffic_rules.replication_comes_with_access),
    Rule("S4.14", traffic_rules.storage_nodes_replicate),
    Rule("S4.15", machine_rules.oob_is_never_attached),
    Rule("S4.15", machine_rules.boards_are_out_of_band),
)


def check_network_rules(networks: Networks) -> list[Problem]:
    """Return what breaks a rule on networks alone."""
    return [problem for rule in NETWORK_RULES for problem in rule.problems(networks)]


def check_rules(
    model: Model,
    segments: HostSegments,
    vips: Mapping[str, str] | None = None,
    told: Iterable[Problem] = (),
) -> list[Problem]:
    """Return what breaks a rule on who is attached where.

    segments: host -> network -> the host's segments there; vips: VIP -> its address, as far as it
    has one; told: what is known to be wrong, so that nothing is said that follows from it
    """
    fleet = FleetView(model, segments, vips or {}, told)
    return [problem for rule in FLEET_RULES for problem in rule.problems(fleet)]
