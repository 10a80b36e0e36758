# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: Model x Ledger x Facts -> Plan, for the whole fleet at once. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Model,
    Segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_order
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import (
    Allocation,
    Claim,
    allocate,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.checks import (
    check_networks,
    check_vips,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.claims import (
    HostClaims,
    vip_claims,
    vip_holders,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.device_checks import (
    check_devices,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import devices
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.expectations import (
    expectations,
    surroundings,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.firewall import (
    FirewallPlanner,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.firewall_checks import (
    check_firewall,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.host import HostView
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.keep_out import wardens
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.l2 import (
    HostLinks,
    LinkBuilder,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.lcm_rules import lost_routes
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.macros import (
    Macros,
    render,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.network_rules import (
    check_rules,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.nics import (
    Nic,
    in_natural_order,
    select,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.plan_data import (
    address_data,
    fleet_data,
    host_data,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.probes import mesh
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.pxe import (
    pxe_claims,
    pxe_fleet,
    serve_pxe,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.pxe_checks import check_pxe
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import RouteTable
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.services import (
    api_endpoint_of,
    api_endpoints,
    services,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vips import (
    daemons as vip_daemons,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    PROVISIONING,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.shapes import ShapeChecker

Facts = Mapping[str, Sequence[Nic]]


@dataclass(slots=True)
class Planned:
    """What planning came to. With problems, fleet and hosts are of no use and the ledger is old.

    fleet: the part that is nobody's own; hosts: name -> the host's part; both plain data
    unclaimed: (network, address, owner) of the ledger's rows that nobody claims
    """

    fleet: dict[str, Any]
    hosts: dict[str, dict[str, Any]]
    ledger: Ledger
    problems: list[Problem] = field(default_factory=list)
    unclaimed: list[tuple[str, str, str]] = field(default_factory=list)

    def sha256(self) -> str:
        """Return the hash of the plan's canonical form: JSON with sorted keys and no spaces."""
        whole = {"fleet": self.fleet, "hosts": self.hosts}
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def make_plan(model: Model, ledger: Ledger, facts: Facts) -> Planned:
    """Plan the fleet. facts: host -> the NICs that it has."""
    return _Planner(model, ledger, facts).run()


class _Planner:
    def __init__(self, model: Model, ledger: Ledger, facts: Facts) -> None:
        self._model = model
        self._ledger = ledger
        self._facts = facts
        self._routes = RouteTable(model.networks, model.vips)
        self._problems = check_networks(model.networks) + check_vips(model.vips, model.networks)
        self._sound = not self._problems
        self._problems += check_firewall(model)
        self._problems += check_pxe(model)
        self._links: dict[str, Mapping[str, str]] = {}
        # A network that is wrong in itself is told once, not on each of its hosts.
        self._unsound = {
            network.name
            for network in model.networks.values()
            if any(item.path.startswith(f"{network.path}.") for item in self._problems)
        }
        self._names = natural_order(list(model.hosts))
        self._roles = Roles(model)
        self._holders = {vip.name: vip_holders(vip, model, self._roles) for vip in model.vips}
        self._wardens = wardens(model)
        pods = model.pod_network
        self._inside = (*pods.pods, *pods.services) if pods else ()

    def run(self) -> Planned:
        asking = HostClaims(self._model)
        segments = {name: asking.segments(self._model.hosts[name]) for name in self._names}
        claims: list[Claim] = list(vip_claims(self._model))
        for name in self._names:
            claims += asking.claims(self._model.hosts[name], segments[name])
        claims += pxe_claims(self._model)
        allocation = allocate(claims, self._ledger)
        self._problems += asking.problems + allocation.problems
        vips = self._vips(allocation)
        self._check_rules(segments, vips)
        hosts = {name: self._host(name, segments[name], allocation, vips) for name in self._names}
        if self._sound:
            self._check_addresses(hosts, vips)
        fleet = fleet_data(self._model, self._names, vips, self._holders)
        fleet |= pxe_fleet(self._model, allocation.addresses)
        if not self._problems:
            self._complete(fleet, hosts)
        ledger = self._ledger if self._problems else allocation.ledger
        return Planned(fleet, hosts, ledger, self._problems, allocation.unclaimed)

    def _complete(self, fleet: dict[str, Any], hosts: Mapping[str, dict[str, Any]]) -> None:
        """Add what follows from the hosts' links and addresses all together."""
        fleet["mesh"] = mesh(hosts, fleet, self._wardens)
        self._surroundings(fleet, hosts)
        self._serving(fleet, hosts)
        for name, items in vip_daemons(self._model, fleet["vips"], hosts).items():
            hosts[name].setdefault("daemons", {})["vip"] = items
        serve_pxe(self._model, fleet, hosts)
        self._firewalls(fleet, hosts)

    def _check_addresses(
        self, hosts: Mapping[str, dict[str, Any]], vips: Mapping[str, str]
    ) -> None:
        announced = [vip for vip in self._model.vips if vip.mode == "bgp" and vip.name in vips]
        anycast = {vips[vip.name] for vip in announced}
        known = {address: f"VIP {name}" for name, address in vips.items()}
        boards = ((name, self._model.hosts[name].bmc) for name in self._names)
        known |= {str(bmc.address): f"the board of {name}" for name, bmc in boards if bmc}
        self._problems += _same_addresses(hosts, known, anycast)

    def _check_rules(
        self, segments: Mapping[str, Mapping[str, list[Segment]]], vips: Mapping[str, str]
    ) -> None:
        broken = check_rules(self._model, segments, vips, self._problems)
        self._problems += broken
        # A second default route, in the main table or another, is told once and not on each host.
        misled = {problem.path for problem in broken if problem.value is not False}
        self._unsound |= {
            network.name
            for network in self._model.networks.values()
            if {f"{network.path}.default_route", f"{network.path}.routing_table"} & misled
        }

    def _surroundings(self, fleet: Mapping[str, Any], hosts: Mapping[str, dict[str, Any]]) -> None:
        """Add to each host's expectations what must not be there, and its VIPs."""
        for name, part in hosts.items():
            part["expect"] |= surroundings(
                part,
                self._links.get(name, {}),
                self._model.networks,
                fleet["vips"],
                warden=name in self._wardens,
            )

    def _serving(self, fleet: dict[str, Any], hosts: Mapping[str, dict[str, Any]]) -> None:
        """Add what the next tools ask: which address serves what, and where the API is."""
        bgp = self._model.services.bgp is not None
        fleet["api_endpoints"] = api_endpoints(self._model, fleet["vips"])
        for part in hosts.values():
            part["services"] = services(part["addresses"], bgp=bgp)
            part["api_endpoint"] = api_endpoint_of(part["cluster"], fleet["api_endpoints"])

    def _firewalls(self, fleet: dict[str, Any], hosts: Mapping[str, dict[str, Any]]) -> None:
        """Add the firewalls to the fleet's part and to each host's."""
        if not self._model.firewall.enabled:
            for part in hosts.values():
                part["firewall"] = {"enabled": False}
            return
        planner = FirewallPlanner(self._model, hosts, self._links)
        fleet["firewall"] = planner.fleet()
        for name, part in hosts.items():
            part["firewall"] = planner.host(name)

    def _vips(self, allocation: Allocation) -> dict[str, str]:
        found = {}
        for vip in self._model.vips:
            for version in (4, 6):
                address = allocation.addresses.get((vip.owner, vip.network, version))
                if address is not None:
                    found[vip.name] = address
        return found

    def _host(
        self,
        name: str,
        segments: Mapping[str, list[Segment]],
        allocation: Allocation,
        vips: Mapping[str, str],
    ) -> dict[str, Any]:
        host = self._model.hosts[name]
        addresses = {
            (network, segment.version): f"{address}/{segment.cidr.prefixlen}"
            for network, found in segments.items()
            for segment in found
            if (address := allocation.addresses.get((name, network, segment.version)))
        }
        nics = self._facts.get(name)
        if nics is None:
            if host.state != PROVISIONING:  # nobody could ask a machine that has no system yet
                self._no_facts(host)
            return host_data(host, {}, [], HostLinks(), {})
        chosen, problems = select(host.template.nic_groups, nics, name)
        self._problems += problems
        lacking = problems or len(addresses) < _wanted_addresses(host, segments)
        if host.template.templated and lacking:
            # Its NIC or address is the problem, and told; a macro that misses it would be noise.
            return host_data(host, {}, [], HostLinks(), {})
        view = HostView(
            name,
            host.rack,
            chosen,
            [nic["name"] for nic in in_natural_order(nics)],
            segments,
            addresses,
            vips,
            self._announced(name, vips),
            self._inside,
            name not in self._wardens,
        )
        template = self._rendered(host, Macros(view, self._routes.of))
        if template is None:
            return host_data(host, {}, [], HostLinks(), {})
        return self._built(host, view, template, sound=not problems)

    def _built(
        self, host: Host, view: HostView, template: Mapping[str, Any], *, sound: bool
    ) -> dict[str, Any]:
        """Return a host's part with its links. sound: its template has all its NICs."""
        built = LinkBuilder(view, template, self._model.networks, self._routes).build()
        whole = devices(built.parts, built.paths)
        expect = expectations(whole, built.links)
        addressed = [
            (self._model.networks[network], segment)
            for network, found in view.segments.items()
            for segment in found
            if (network, segment.version) in view.addresses
        ]
        # A template that lacks its NICs is wrong in one place; what follows from it is noise.
        if sound and not built.problems and self._unsound.isdisjoint(built.links):
            lcm = [segment for network, segment in addressed if network.kind == "lcm"]
            self._problems += check_devices(host.name, whole) or lost_routes(
                host.name, lcm, self._routes, expect["routes"]
            )
        self._problems += built.problems
        data = [
            address_data(network, segment, view.addresses, built.links)
            for network, segment in addressed
            if network.name in built.links
        ]
        self._links[host.name] = built.links
        return host_data(host, view.nics, data, built, expect)

    def _announced(self, host: str, vips: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the VIPs that a host announces by routing, by the network that they belong to."""
        found: dict[str, list[str]] = {}
        for vip in self._model.vips:
            if vip.mode == "bgp" and vip.name in vips and host in self._holders[vip.name]:
                address = vips[vip.name]
                length = 128 if ":" in address else 32
                found.setdefault(vip.network, []).append(f"{address}/{length}")
        return found

    def _rendered(self, host: Host, macros: Macros) -> Mapping[str, Any] | None:
        """Return the host's template with its strings rendered, or None if that fails."""
        template = host.template
        if not template.templated:
            return template.source
        problems: list[Problem] = []
        path = "underlay_l2_template"
        rendered = render(template.source, macros, path, host.name, problems)
        if not problems:
            shapes = ShapeChecker()
            rendered = shapes.check(template.spec, rendered, path)
            problems = [
                Problem(item.path, item.value, item.wrong, item.right, host.name)
                for item in shapes.problems
            ]
        self._problems += problems
        return None if problems else rendered

    def _no_facts(self, host: Host) -> None:
        wrong = "is missing, and the host has never told its NICs"
        right = "Run playbooks/facts.yml while it can be reached, or list its NICs in underlay_nics"
        self._problems.append(Problem("underlay_nics", None, wrong, right, host.name))


def _wanted_addresses(host: Host, segments: Mapping[str, list[Segment]]) -> int:
    addressed = {name for name, address in host.template.networks if address}
    # Where the host's rack has no segment at all, one address is lacking.
    return sum(
        len({segment.version for segment in segments[name]}) or 1
        for name in addressed
        if name in segments
    )


def _same_addresses(
    hosts: Mapping[str, Mapping[str, Any]], known: Mapping[str, str], anycast: Set[str]
) -> list[Problem]:
    """Addresses of a template's own netplan keys pass by the ledger; two hosts may share one.

    known: address -> who has it besides hosts
    anycast: VIPs announced by routing, which any number of hosts have on a link of their own
    """
    holder = dict(known)
    problems = []
    for host, part in hosts.items():
        for item in part["expect"].get("addresses", ()):
            address = item["address"].split("/")[0]
            if address in anycast:
                continue
            other = holder.setdefault(address, host)
            if other != host:
                path = f"underlay_l2_template.netplan (on {item['link']})"
                right = "Give each host an address of its own, as {{ ip('NETWORK') }} does"
                problems.append(Problem(path, address, f"is on {other} as well", right, host))
    return problems
