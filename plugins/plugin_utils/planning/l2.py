# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a host's L2 template to its netplan files: one for the links, one for each network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Network,
    Segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import (
    SECTIONS,
    Netplan,
    Part,
    definitions,
    merged,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.host import HostView
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.keep_out import (
    is_closed,
    unreachable_routes,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.routes import (
    DEFAULT,
    RouteTable,
    way_back,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.way_out import (
    plain,
    readable,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

# A network's file keeps its number when other networks come and go, so the number is its kind's.
FILE_NUMBERS = {
    "links": 60,
    "lcm": 61,
    "workload": 62,
    "external": 63,
    "storage_access": 64,
    "storage_replication": 65,
    "pxe": 66,
    "oob": 67,
}
DEFAULT_MTU = 1500
# Nothing on a planned link comes by itself: a router advertisement or a DHCP lease on a trunk
# brings a second default route (michaelrigart.interfaces#118).
_QUIET: Netplan = {"dhcp4": False, "dhcp6": False, "accept-ra": False, "link-local": []}


@dataclass(slots=True)
class HostLinks:
    """What a host's template comes to.

    parts: its netplan files; paths: device -> the variable that made it; links: network -> the
    interface that carries its address
    """

    parts: list[Part] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class LinkBuilder:
    """Builds one host's links from its rendered template."""

    def __init__(
        self,
        host: HostView,
        template: Mapping[str, Any],
        networks: Mapping[str, Network],
        routes: RouteTable,
    ) -> None:
        self._view = host
        self._host = host.name
        self._template = template
        self._groups = host.nics
        self._known_nics = host.known_nics
        self._networks = networks
        self._segments = host.segments
        self._addresses = host.addresses
        self._routes = routes
        self._bonds = {bond["name"]: bond for bond in template["bonds"]}
        self._members = {
            bond["name"]: self._bond_members(bond["members"]) for bond in template["bonds"]
        }
        self._links = Part(f"{FILE_NUMBERS['links']}-underlay-links.yaml", "links", None)
        self._built = HostLinks([self._links])
        # Who has a device's name, and a link's frames of one VLAN (None: untagged) already.
        self._names = dict.fromkeys(host.known_nics, "a NIC of the host")
        self._frames: dict[tuple[str, int | None], str] = {}

    def build(self) -> HostLinks:
        """Return the host's files, and what is wrong with its template."""
        attached = self._attached()
        needed = self._needed_mtu(attached)
        for bond in self._template["bonds"]:
            self._bond(bond, needed.get(bond["name"], DEFAULT_MTU))
        for _item, _network, link in attached:
            if link is not None and link not in self._bonds:
                self._ethernet(link, needed[link])
        for item, network, link in attached:
            if link is not None:
                self._network(item, network, link)
        self._way_out(self._template["netplan"])
        # Last, so that what a template replaces of a link's lists are those of its own networks.
        self._keep_out()
        if self._links.netplan == Part("", "", None).netplan:
            # A host without planned links has no file for them.
            self._built.parts.remove(self._links)
        return self._built

    def _attached(self) -> list[tuple[Mapping[str, Any], Network, str | None]]:
        """Return (attach item, network, interface below it) of what can be attached."""
        found = []
        seen: set[str] = set()
        for item in self._template["attach"]:
            path = f"underlay_l2_template.attach[{item['network']}]"
            network = self._networks.get(item["network"])
            if network is None:
                right = f"The networks are {', '.join(self._networks)}"
                self._problem(f"{path}.network", item["network"], "is not a network", right)
            elif network.name in seen:
                right = "Attach a network once on a host"
                self._problem(f"{path}.network", network.name, "is attached twice", right)
            else:
                seen.add(network.name)
                found.append((item, network, self._link(item["link"], f"{path}.link")))
        return found

    def _link(self, name: str, path: str) -> str | None:
        """Return the interface that a link's name stands for."""
        if name in self._bonds:
            return name
        if name in self._groups:
            group = self._groups[name]
            if len(group) == 1:
                return self._free_nic(str(group[0]["name"]), path)
            names = ", ".join(nic["name"] for nic in group)
            right = "Name a bond, or one NIC, as {{ nic('" + name + "', 0) }}"
            self._problem(path, name, f"is a group of {len(group)} NICs ({names})", right)
        elif name in self._known_nics:
            return self._free_nic(name, path)
        elif name not in self._all_groups():
            self._problem(path, name, "is not a link", self._known_links())
        return None

    def _free_nic(self, nic: str, path: str) -> str | None:
        """Return the NIC if no bond has it: the bond takes what its members receive."""
        for bond, members in self._members.items():
            if nic in members:
                self._problem(path, nic, f"is a member of {bond}", f"Attach {bond}")
                return None
        return nic

    def _bond_members(self, names: Sequence[str]) -> list[str]:
        members = []
        for name in names:
            if name in self._groups:
                members += [str(nic["name"]) for nic in self._groups[name]]
            elif name in self._known_nics:
                members.append(name)
        return members

    def _needed_mtu(
        self, attached: Sequence[tuple[Mapping[str, Any], Network, str | None]]
    ) -> dict[str, int]:
        needed: dict[str, int] = {}
        for _item, network, link in attached:
            if link is not None:
                mtus = [segment.mtu for segment in self._segments.get(network.name, ())]
                needed[link] = max([needed.get(link, 0), *mtus]) or DEFAULT_MTU
        return needed

    def _bond(self, bond: Mapping[str, Any], needed: int) -> None:
        path = f"underlay_l2_template.bonds[{bond['name']}]"
        self._name(bond["name"], f"{path}.name")
        for index, name in enumerate(bond["members"]):
            if name not in self._all_groups() and name not in self._known_nics:
                right = self._known_links()
                self._problem(f"{path}.members[{index}]", name, "is not a NIC or NIC group", right)
        mtu = bond["mtu"] or needed
        members = self._members[bond["name"]]
        for member in members:
            if member not in self._links.netplan.get("ethernets", {}):
                self._ethernet(member, mtu)
        own = self._collected(plain, bond["parameters"], f"{path}.parameters")
        parameters = merged({"mode": bond["mode"], "mii-monitor-interval": 100}, own)
        settings = {"interfaces": members, "mtu": mtu, "parameters": parameters}
        self._define(
            self._links, "bonds", bond["name"], {**_QUIET, "optional": True, **settings}, path
        )

    def _ethernet(self, name: str, needed: int) -> None:
        group = self._group_of(name)
        path = f"underlay_l2_template.nics[{group['name']}]" if group else "underlay_nics"
        mtu = (group and group["mtu"]) or needed
        self._define(self._links, "ethernets", name, {**_QUIET, "optional": True, "mtu": mtu}, path)

    def _network(self, item: Mapping[str, Any], network: Network, link: str) -> None:
        segments = self._segments.get(network.name) or ()
        if not segments:
            return
        number = FILE_NUMBERS[network.kind]
        part = Part(f"{number}-underlay-{network.name}.yaml", network.role, network.name)
        path = f"underlay_l2_template.attach[{network.name}]"
        carrier, vlan = link, segments[0].vlan
        if not self._take_frames(link, vlan, network, path):
            return
        addressed = self._address_settings(network, segments) if item["address"] else {}
        if vlan is not None:
            carrier = item["name"] or f"{link}.{vlan}"
            self._name(carrier, f"{path}.name" if item["name"] else path)
            lower = {**_QUIET, "id": vlan, "link": link, "mtu": segments[0].mtu}
            upper = {"optional": True} if item["bridge"] else addressed
            self._define(part, "vlans", carrier, {**lower, **upper}, path)
        elif not item["bridge"]:
            section = "bonds" if link in self._bonds else "ethernets"
            self._define(part, section, link, {**_QUIET, **addressed}, "")
        if item["bridge"]:
            self._name(item["bridge"], f"{path}.bridge")
            below = {"interfaces": [carrier], "mtu": segments[0].mtu}
            # A host is no switch of the fabric: no spanning tree, and no delay before forwarding.
            quick = {"parameters": {"stp": False, "forward-delay": 0}}
            self._define(
                part, "bridges", item["bridge"], {**_QUIET, **below, **quick, **addressed}, path
            )
            carrier = item["bridge"]
        if announced := self._view.announced.get(network.name):
            # On the loopback it answers whatever link a packet comes by, and no ARP is sent for it.
            part.define("ethernets", "lo", {"addresses": list(announced)})
        self._built.parts.append(part)
        self._built.links[network.name] = carrier

    def _address_settings(self, network: Network, segments: Sequence[Segment]) -> Netplan:
        settings: Netplan = {"addresses": []}
        routes: list[dict[str, Any]] = []
        rules: list[dict[str, Any]] = []
        servers: list[str] = []
        for segment in segments:
            address = self._addresses.get((network.name, segment.version))
            if address is None:
                continue
            settings["addresses"].append(address)
            for route in self._routes.of(segment):
                to = "default" if route.to in DEFAULT.values() else route.to
                routes.append({"to": to, "via": route.via})
            if network.routing_table is not None:
                back = way_back(segment, network.routing_table, self._view.inside)
                routes += back.get("routes", [])
                rules += back.get("routing-policy", [])
            servers += [str(server) for server in segment.nameservers]
            if segment.version == 6:
                # Neighbour discovery works by link-local addresses (RFC 4861).
                settings["link-local"] = ["ipv6"]
        if routes:
            settings["routes"] = routes
        if rules:
            settings["routing-policy"] = rules
        if servers:
            settings["nameservers"] = {"addresses": servers}
        return settings

    def _keep_out(self) -> None:
        """Make networks that are not for this host unreachable, on the link that leads furthest."""
        carried = [(network.kind != "lcm", name) for name, network in self._networks.items()]
        links = [
            self._built.links[name] for _other, name in sorted(carried) if name in self._built.links
        ]
        for network in self._networks.values() if links else ():
            if network.name in self._segments or not is_closed(network, self._view.keeps_out):
                continue
            number = FILE_NUMBERS[network.kind]
            part = Part(f"{number}-underlay-{network.name}.yaml", network.role, network.name)
            section = next(
                section
                for each in self._built.parts
                for section, name, _settings in definitions(each.netplan)
                if name == links[0]
            )
            part.define(section, links[0], {"routes": unreachable_routes(network)})
            self._built.parts.append(part)

    def _way_out(self, netplan: Netplan) -> None:
        """Merge the template's own netplan keys over what the parts say.

        Each key goes into the last part that has it, as netplan adds up the lists of several files
        and takes the last file's word for all else.
        """
        above = "underlay_l2_template.netplan"
        netplan = self._collected(readable, netplan, above)
        for key, value in netplan.items():
            if key not in SECTIONS:
                self._links.netplan[key] = value
        for section, name, settings in definitions(netplan):
            path = f"{above}.{section}.{name}"
            defined = [
                (there, part)
                for part in self._built.parts
                for there, device, _unused in definitions(part.netplan)
                if device == name
            ]
            for there in {there for there, _unused in defined} - {section}:
                self._problem(path, name, f"is there already, in {there}", "Give it another name")
            here = [part for there, part in defined if there == section] or [self._links]
            self._define(here[-1], section, name, {}, path)
            for key, value in settings.items():
                having = [part for part in here if key in part.netplan[section].get(name, {})]
                self._define((having or here)[-1], section, name, {key: value}, path)

    def _define(self, part: Part, section: str, name: str, settings: Netplan, path: str) -> None:
        part.define(section, name, settings)
        if path:
            self._built.paths[name] = path

    def _name(self, name: str, path: str) -> None:
        """Note who has a device's name; a second device of that name is a problem."""
        holder = self._names.setdefault(name, path)
        if holder != path:
            right = "Give each device a name of its own"
            self._problem(path, name, f"is taken by {holder}", right)

    def _take_frames(self, link: str, vlan: int | None, network: Network, path: str) -> bool:
        """Give a link's frames of one VLAN to a network. False if another network has them."""
        holder = self._frames.setdefault((link, vlan), network.name)
        if holder == network.name:
            return True
        what = "untagged" if vlan is None else f"VLAN {vlan}"
        right = "Give the network a VLAN or a link of its own"
        self._problem(path, link, f"{what} on {link} is network {holder}'s already", right)
        return False

    def _collected(
        self, read: Callable[[Any, str, list[Problem]], Any], value: Any, path: str
    ) -> Netplan:
        """Read a part of the template; its problems are this host's."""
        problems: list[Problem] = []
        found: Netplan = read(value, path, problems)
        for item in problems:
            self._problem(item.path, item.value, item.wrong, item.right)
        return found

    def _group_of(self, nic: str) -> Mapping[str, Any] | None:
        for group in self._template["nics"]:
            if any(member["name"] == nic for member in self._groups.get(group["name"], ())):
                found: Mapping[str, Any] = group
                return found
        return None

    def _all_groups(self) -> list[str]:
        return [group["name"] for group in self._template["nics"]]

    def _known_links(self) -> str:
        groups = ", ".join(self._all_groups()) or "none"
        bonds = ", ".join(self._bonds) or "none"
        nics = ", ".join(self._known_nics) or "none"
        return f"NIC groups: {groups}; bonds: {bonds}; NICs: {nics}"

    def _problem(self, path: str, value: object, wrong: str, right: str) -> None:
        self._built.problems.append(Problem(path, value, wrong, right, self._host))
