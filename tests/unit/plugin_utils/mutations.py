# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A good intent, and ways to break it: one mutation each, with the path that must be named.

The intent is that of the lab: four hosts in two racks, four routed networks over a bond of two
uplinks, both address families on LCM.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Variables = dict[str, Any]


@dataclass
class Intent:
    """The variables of a fleet and of its hosts, as an inventory has them; and other groups."""

    fleet: Variables
    hosts: dict[str, Variables]
    groups: dict[str, list[str]] = field(default_factory=dict)

    def network(self, name: str) -> Variables:
        return _named(self.fleet["underlay_networks"], name)

    def segment(self, network: str, name: str) -> Variables:
        return _named(self.network(network)["segments"], name)

    def vip(self, name: str) -> Variables:
        return _named(self.fleet["underlay_vips"], name)

    def template(self, host: str) -> Variables:
        found: Variables = self.hosts[host]["underlay_l2_template"]
        return found

    def attach(self, host: str, network: str) -> Variables:
        return _named(self.template(host)["attach"], network, "network")

    def copy(self) -> Intent:
        return copy.deepcopy(self)


def good_intent() -> Intent:
    """The lab's intent, every object its own: a mutation of one host touches no other."""
    return Intent(
        fleet={
            "underlay_networks": [
                _lcm(),
                _network("workload", "workload", 200, 22),
                _network("storage_access", "storage_access", 300, 23, mtu=9000),
                _network("storage_replication", "storage_replication", 400, 24, mtu=9000),
            ],
            "underlay_vips": [{"name": "api", "network": "lcm", "segment": "r1"}],
        },
        hosts={
            "cp1": _host("r1", "lcm", "workload"),
            "w1": _host("r1", "lcm", "workload", "storage_access"),
            "w2": _host("r2", "lcm", "workload", "storage_access"),
            "st1": _host("r2", "lcm", "workload", "storage_access", "storage_replication"),
        },
        groups={"control_plane": ["cp1"], "workers": ["w1", "w2", "st1"], "empty": []},
    )


def whole_intent() -> Intent:
    """The good intent with networks of all seven kinds, and the machines' boards."""
    intent = good_intent()
    complete(intent)
    return intent


def complete(intent: Intent) -> None:
    """Add the kinds of networks that the lab's intent lacks: pxe, external and oob."""
    external = {
        "name": "ext",
        "vlan": 500,
        "cidr": "198.51.100.0/24",
        "gateway": "198.51.100.1",
        "ranges": ["198.51.100.10-198.51.100.99"],
        "service_ranges": ["198.51.100.100-198.51.100.199"],
    }
    intent.network("lcm").update(default_route=False)
    intent.fleet["underlay_networks"] += [
        {"name": "external", "kind": "external", "default_route": True, "segments": [external]},
        _network("oob", "oob", 600, 25),
        _network("pxe", "pxe", 700, 26),
    ]
    intent.fleet["underlay_pxe"] = {
        "servers": ["provisioners"],
        "images": [{"name": "debian", "kernel": "debian/linux"}],
    }
    for host in ("w1", "w2"):
        intent.template(host)["attach"].append({"network": "external", "link": "bond0"})
    intent.template("cp1")["attach"].append({"network": "pxe", "link": "bond0"})
    for number, host in enumerate(("w1", "w2"), start=1):
        intent.hosts[host].update(
            underlay_boot={"mac": _mac(16 + number), "image": "debian"},
            underlay_bmc={"address": f"10.25.{number}.10"},
        )
    intent.groups.update(provisioners=["cp1"], controllers=["w1", "w2"], storage=["st1"])


def _named(items: list[Variables], name: str, key: str = "name") -> Variables:
    return next(item for item in items if item[key] == name)


def _lcm() -> Variables:
    network = _network("lcm", "lcm", 100, 21)
    for rack, segment in enumerate(network["segments"], start=1):
        segment["ranges"] = [f"10.21.{rack}.10-10.21.{rack}.200"]
        segment["nameservers"] = [f"10.21.{rack}.2"]
    network["segments"] += [
        {
            "name": f"r{rack}v6",
            "rack": f"r{rack}",
            "vlan": 100 + rack,
            "cidr": f"fd21:{rack}::/64",
            "gateway": f"fd21:{rack}::1",
        }
        for rack in (1, 2)
    ]
    return {**network, "api_endpoint": True, "default_route": True}


def _network(name: str, kind: str, vlan: int, net: int, **settings: Any) -> Variables:
    segments = [
        {
            "name": f"r{rack}",
            "rack": f"r{rack}",
            "vlan": vlan + rack,
            "cidr": f"10.{net}.{rack}.0/24",
            "gateway": f"10.{net}.{rack}.1",
        }
        for rack in (1, 2)
    ]
    return {"name": name, "kind": kind, "segments": segments, **settings}


def _host(rack: str, *networks: str) -> Variables:
    return {
        "underlay_rack": rack,
        "underlay_nics": [
            {"name": "enp0s2", "driver": "virtio_net", "bus": "0000:00:02.0", "mac": _mac(2)},
            {"name": "enp0s3", "driver": "virtio_net", "bus": "0000:00:03.0", "mac": _mac(3)},
            {"name": "enp0s4", "driver": "virtio_net", "bus": "0000:00:04.0", "mac": _mac(4)},
        ],
        "underlay_l2_template": {
            "nics": [
                {
                    "name": "uplink",
                    "match": "[?driver=='virtio_net' && name!='enp0s2']",
                    "count": 2,
                }
            ],
            "bonds": [{"name": "bond0", "members": ["uplink"]}],
            "attach": [{"network": network, "link": "bond0"} for network in networks],
        },
    }


def _mac(number: int) -> str:
    return f"52:54:00:21:01:{number:02x}"


@dataclass(frozen=True)
class Mutation:
    """One way to break the good intent.

    name: what is broken; change: breaks it, in place
    path: the only variable that may be named; hosts: whose it is, none for the fleet's own
    words: what the message must say, value and remedy among it
    lines: how many lines tell it, where racks have values of their own
    once: it is a problem only until everybody has an address
    """

    name: str
    change: Callable[[Intent], object]
    path: str
    words: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    lines: int = 1
    once: bool = False

    def broken(self) -> Intent:
        """The good intent with this mutation."""
        intent = good_intent()
        self.change(intent)
        return intent


def _segment(network: str, segment: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.segment(network, segment).update(values)


def _attach(host: str, network: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.attach(host, network).update(values)


def _nics(host: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.template(host)["nics"][0].update(values)


def _bond(host: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.template(host)["bonds"][0].update(values)


def _template(host: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.template(host).update(values)


def _variable(host: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.hosts[host].update(values)


def _add_network(
    attached_by: str = "", *, address: bool = True, **values: Any
) -> Callable[[Intent], object]:
    network = {
        "name": "extra",
        "kind": "workload",
        "segments": [{"name": "all", "vlan": 500, "cidr": "198.51.100.0/24"}],
        **values,
    }

    def change(intent: Intent) -> None:
        intent.fleet["underlay_networks"].append(network)
        if attached_by:
            item = {"network": "extra", "link": "bond0", "address": address}
            intent.template(attached_by)["attach"].append(item)

    return change


def _add_vip(**values: Any) -> Callable[[Intent], object]:
    vip = {"name": "ingress", "network": "lcm", "segment": "r1", **values}
    return lambda intent: intent.fleet["underlay_vips"].append(vip)


def _add_bond(host: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.template(host)["bonds"].append(values)


def _want(host: str, address: str, network: str = "lcm") -> Callable[[Intent], object]:
    wish = {"network": network, "address": address}
    return lambda intent: intent.hosts[host].update(underlay_wanted_addresses=[wish])


def _two_wishes(intent: Intent) -> None:
    _want("cp1", "10.21.1.50")(intent)
    _want("w1", "10.21.1.50")(intent)


def _ranges_of_two(intent: Intent) -> None:
    intent.segment("lcm", "r1").update(ranges=["10.21.1.10-10.21.1.11"])


def _firewall(**values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.fleet.update(underlay_firewalld={"enabled": True, **values})


def _open(**values: Any) -> Callable[[Intent], object]:
    good = {"port": "22", "protocol": "tcp", "roles": ["*"]}
    return _firewall(open_ports=[good, {**good, **values}])


def _pods(**values: Any) -> Callable[[Intent], object]:
    good = {
        "provider": "calico",
        "pod_network_cidr": "172.31.0.0/16",
        "service_cidr": "172.30.0.0/16",
    }
    return lambda intent: intent.fleet.update(underlay_pod_network={**good, **values})


def _all(*changes: Callable[[Intent], object]) -> Callable[[Intent], object]:
    """Several changes as one."""

    def change(intent: Intent) -> None:
        for each in changes:
            each(intent)

    return change


def _whole(*changes: Callable[[Intent], object]) -> Callable[[Intent], object]:
    """Change an intent that has all seven kinds of networks."""
    return _all(complete, *changes)


def _setting(network: str, **values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.network(network).update(values)


def _without(network: str, segment: str, key: str) -> Callable[[Intent], object]:
    return lambda intent: intent.segment(network, segment).pop(key)


def _detach(host: str, network: str) -> Callable[[Intent], object]:
    return lambda intent: intent.template(host)["attach"].remove(intent.attach(host, network))


def _vip(**values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.vip("api").update(values)


def _bgp(*peers: Variables) -> Callable[[Intent], object]:
    bgp = {"asn": 64512, "peers": [{"asn": 64513, **peer} for peer in peers]}
    return lambda intent: intent.fleet.update(underlay_bgp=bgp)


def _provisioning(host: str, **boot: Any) -> Callable[[Intent], object]:
    return _variable(host, underlay_state="provisioning", underlay_boot=boot or None)


def _pxe(**values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.fleet["underlay_pxe"].update(values)


def _one_lcm_segment(intent: Intent) -> None:
    """LCM as one segment for all racks, without a router."""
    segment = {"name": "all", "vlan": 100, "cidr": "10.21.0.0/16"}
    intent.network("lcm").update(segments=[segment], default_route=False)


def _external_by_rack(intent: Intent) -> None:
    second = {
        **intent.segment("external", "ext"),
        "name": "ext2",
        "rack": "r2",
        "cidr": "203.0.113.0/24",
        "gateway": "203.0.113.1",
        "ranges": ["203.0.113.10-203.0.113.99"],
        "service_ranges": ["203.0.113.100-203.0.113.199"],
    }
    intent.segment("external", "ext").update(rack="r1")
    intent.network("external")["segments"].append(second)


def _rename(host: str, old: str, new: str) -> Callable[[Intent], object]:
    def change(intent: Intent) -> None:
        nic = _named(intent.hosts[host]["underlay_nics"], old)
        nic["name"] = new

    return change


_LCM = "underlay_networks[lcm].segments[r1]"
_WORKLOAD = "underlay_networks[workload].segments[r1]"
_TEMPLATE = "underlay_l2_template"
_OPEN = "underlay_firewalld.open_ports[1]"
_PODS = "underlay_pod_network"

MUTATIONS: tuple[Mutation, ...] = (
    # Networks and segments
    Mutation(
        "two subnets overlap",
        _segment("workload", "r1", cidr="10.21.1.128/25", gateway="10.21.1.129"),
        f"{_WORKLOAD}.cidr",
        ("10.21.1.128/25", f"overlaps 10.21.1.0/24 of {_LCM}", "subnet of its own"),
    ),
    Mutation(
        "a subnet has host bits",
        _segment("workload", "r1", cidr="10.22.1.5/24"),
        f"{_WORKLOAD}.cidr",
        ("10.22.1.5/24", "host bits", "10.22.1.0/24"),
    ),
    Mutation(
        "a subnet is no CIDR",
        _segment("workload", "r1", cidr="10.22.1.0"),
        f"{_WORKLOAD}.cidr",
        ("10.22.1.0", "Give a CIDR such as 192.0.2.0/24"),
    ),
    Mutation(
        "a subnet is multicast",
        _segment("workload", "r1", cidr="239.1.1.0/24", gateway="239.1.1.1"),
        f"{_WORKLOAD}.cidr",
        ("239.1.1.0/24", "is multicast space", "unicast"),
    ),
    Mutation(
        "a subnet is missing",
        lambda intent: intent.segment("workload", "r1").pop("cidr"),
        f"{_WORKLOAD}.cidr",
        ("is missing", "Give a string"),
    ),
    Mutation(
        "a VLAN id is reserved by 802.1Q",
        _segment("workload", "r1", vlan=4095),
        f"{_WORKLOAD}.vlan",
        ("4095", "is not a VLAN id", "from 1 to 4094"),
    ),
    Mutation(
        "an MTU is below what IPv6 works with",
        _segment("workload", "r1", mtu=900),
        f"{_WORKLOAD}.mtu",
        ("900", "is not an MTU", "Give 1280 to 65535"),
    ),
    Mutation(
        "a gateway is outside of its subnet",
        _segment("lcm", "r1", gateway="10.21.2.1"),
        f"{_LCM}.gateway",
        ("10.21.2.1", "is outside of 10.21.1.0/24", "Give a host address in 10.21.1.0/24"),
    ),
    Mutation(
        "a gateway is the broadcast address",
        _segment("lcm", "r1", gateway="10.21.1.255"),
        f"{_LCM}.gateway",
        ("10.21.1.255", "is the broadcast address", "Give a host address"),
    ),
    Mutation(
        "a gateway is missing between racks (S4.8)",
        lambda intent: intent.segment("workload", "r1").pop("gateway"),
        f"{_WORKLOAD}.gateway",
        ("is missing", "other segments (r2)", "router's address in 10.22.1.0/24", "(S4.8)"),
    ),
    Mutation(
        "a gateway is no address",
        _segment("workload", "r1", gateway="10.22.1"),
        f"{_WORKLOAD}.gateway",
        ("10.22.1", "Give an address such as 192.0.2.10"),
    ),
    Mutation(
        "a range is outside of its subnet",
        _segment("lcm", "r1", ranges=["10.21.1.10-10.21.2.20"]),
        f"{_LCM}.ranges[0]",
        ("10.21.1.10-10.21.2.20", "is outside of 10.21.1.0/24", "10.21.1.0-10.21.1.255"),
    ),
    Mutation(
        "a range is reversed",
        _segment("lcm", "r1", ranges=["10.21.1.200-10.21.1.10"]),
        f"{_LCM}.ranges[0]",
        ("10.21.1.200-10.21.1.10", "first address comes first: 10.21.1.10-10.21.1.200"),
    ),
    Mutation(
        "a range mixes address families",
        _segment("lcm", "r1", ranges=["10.21.1.10-fd21:1::20"]),
        f"{_LCM}.ranges[0]",
        ("10.21.1.10-fd21:1::20", "one address family"),
    ),
    Mutation(
        "an exclude is of the other address family",
        _segment("lcm", "r1", exclude=["fd21:1::5"]),
        f"{_LCM}.exclude[0]",
        ("fd21:1::5", "is outside of 10.21.1.0/24"),
    ),
    Mutation(
        "a name server is outside of its subnet, with no gateway to reach it by",
        _add_network(
            segments=[
                {"name": "all", "vlan": 500, "cidr": "198.51.100.0/24", "nameservers": ["10.9.9.9"]}
            ]
        ),
        "underlay_networks[extra].segments[all].nameservers[0]",
        ("10.9.9.9", "is outside of 198.51.100.0/24", "no gateway"),
    ),
    Mutation(
        "a route's next hop is off-link",
        _segment("workload", "r1", routes=[{"to": "172.16.0.0/12", "via": "10.22.2.1"}]),
        f"{_WORKLOAD}.routes[0].via",
        ("10.22.2.1", "is an off-link next hop", "Give a next hop in 10.22.1.0/24"),
    ),
    Mutation(
        "a route's destination has host bits",
        _segment("workload", "r1", routes=[{"to": "172.16.0.1/12", "via": "10.22.1.1"}]),
        f"{_WORKLOAD}.routes[0].to",
        ("172.16.0.1/12", "host bits", "172.16.0.0/12"),
    ),
    Mutation(
        "a rack has two IPv4 segments of one network",
        lambda intent: intent.network("workload")["segments"].append(
            {**intent.segment("workload", "r1"), "name": "more", "cidr": "10.22.3.0/24"}
            | {"gateway": "10.22.3.1"}
        ),
        "underlay_networks[workload].segments[more].rack",
        ("second IPv4 segment for rack r1", "Give each rack one segment"),
    ),
    Mutation(
        "the families of a dual-stack segment differ in VLAN",
        _segment("lcm", "r1v6", vlan=111),
        "underlay_networks[lcm].segments[r1v6].vlan",
        ("111", "differs from r1's (101)", "share one VLAN"),
    ),
    Mutation(
        "two networks hold the API endpoint (S4.7)",
        _add_network(
            "w1",
            address=False,
            kind="lcm",
            api_endpoint=True,
            segments=[
                {
                    "name": "all",
                    "vlan": 500,
                    "cidr": "198.51.100.0/24",
                    "gateway": "198.51.100.1",
                }
            ],
        ),
        "underlay_networks[extra].api_endpoint",
        ("lcm holds the API endpoint of the cluster", "One LCM network", "(S4.7)"),
    ),
    Mutation(
        "a network that is not LCM holds the API endpoint (S4.7)",
        lambda intent: (
            intent.network("lcm").pop("api_endpoint"),
            intent.network("workload").update(api_endpoint=True),
        ),
        "underlay_networks[workload].api_endpoint",
        ("is a workload network", "kind lcm", "(S4.7)"),
    ),
    Mutation(
        "a network is there twice",
        _add_network(name="lcm"),
        "underlay_networks[lcm].name",
        ("lcm", "is there twice", "a name of its own"),
    ),
    Mutation(
        "a network's name cannot be a file's",
        lambda intent: (
            intent.network("storage_replication").update(name="../etc"),
            intent.attach("st1", "storage_replication").update(network="../etc"),
        ),
        "underlay_networks[../etc].name",
        ("cannot be a file's name", "Use letters, digits, _ and -"),
    ),
    Mutation(
        "a kind is misspelt",
        lambda intent: intent.network("workload").update(kind="worklaod"),
        "underlay_networks[workload].kind",
        ("worklaod", "Did you mean workload?"),
    ),
    Mutation(
        "a key is misspelt",
        _segment("lcm", "r1", gatway="10.21.1.1"),
        f"{_LCM}.gatway",
        ("is not a known key", "Did you mean gateway"),
    ),
    Mutation(
        "a segment is exhausted",
        _ranges_of_two,
        f"{_LCM}.ranges",
        (
            "10.21.1.10-10.21.1.11",
            "network lcm, segment r1 is exhausted",
            "2 addresses, 0 used, 2 free, 3 needed",
            "Widen",
        ),
        once=True,
    ),
    # VIPs
    Mutation(
        "a VIP is outside of its network (S4.6)",
        _add_vip(address="10.99.0.1"),
        "underlay_vips[ingress].address",
        ("10.99.0.1", "is outside of its network", "10.21.1.0/24", "(S4.6)"),
    ),
    Mutation(
        "two VIPs have one address",
        lambda intent: (
            intent.vip("api").update(address="10.21.1.250"),
            _add_vip(address="10.21.1.250")(intent),
        ),
        "underlay_vips[ingress].address",
        ("10.21.1.250", "is api's", "address of its own"),
    ),
    Mutation(
        "a VIP is the gateway",
        _add_vip(address="10.21.1.1"),
        "underlay_vips[ingress].address",
        ("10.21.1.1", "is the gateway of segment r1", "free in lcm"),
    ),
    Mutation(
        "a VIP is announced from another network's subnet",
        _add_vip(segment=None, mode="bgp", address="10.22.1.5"),
        "underlay_vips[ingress].address",
        ("10.22.1.5", f"lies in 10.22.1.0/24 of {_WORKLOAD}", "outside of all segments"),
    ),
    Mutation(
        "a VIP is on an unknown network",
        _add_vip(network="lcn"),
        "underlay_vips[ingress].network",
        ("lcn", "is not a network", "lcm, workload, storage_access"),
    ),
    Mutation(
        "a VIP does not say which segment",
        _add_vip(segment=None),
        "underlay_vips[ingress].segment",
        ("is missing", "lcm has 4 segments", "Name one of r1, r2"),
    ),
    # Hosts and their addresses
    Mutation(
        "a rack has no segment",
        lambda intent: intent.network("storage_replication")["segments"].pop(),
        "underlay_rack",
        ("r2", "no segment of network storage_replication", "Its segments are for r1"),
        ("st1",),
    ),
    Mutation(
        "a wanted address is taken",
        _two_wishes,
        "underlay_wanted_addresses[lcm].address",
        ("10.21.1.50", "is taken by cp1", "free in lcm"),
        ("w1",),
    ),
    Mutation(
        "a wanted address is outside of the host's segment",
        _want("w1", "10.21.2.50"),
        "underlay_wanted_addresses[lcm].address",
        ("10.21.2.50", "is outside of 10.21.1.0/24, segment r1 of lcm"),
        ("w1",),
    ),
    Mutation(
        "a wanted address is a name server's",
        _want("w1", "10.21.1.2"),
        "underlay_wanted_addresses[lcm].address",
        ("10.21.1.2", "is a name server of segment r1"),
        ("w1",),
    ),
    Mutation(
        "an address is wanted on a network that is not attached",
        _want("cp1", "10.23.1.9", "storage_access"),
        "underlay_wanted_addresses[storage_access].address",
        ("10.23.1.9", "does not attach", "The host attaches lcm, workload"),
        ("cp1",),
    ),
    Mutation(
        "a host's NICs are not known",
        lambda intent: intent.hosts["w1"].pop("underlay_nics"),
        "underlay_nics",
        ("has never told its NICs", "playbooks/facts.yml"),
        ("w1",),
    ),
    # L2 templates
    Mutation(
        "a host has no L2 template",
        lambda intent: intent.hosts["w1"].pop("underlay_l2_template"),
        "underlay_l2_template",
        ("is missing", "Set it in the inventory"),
        ("w1",),
    ),
    Mutation(
        "a NIC selector matches none",
        _nics("w1", match="[?driver=='ixgbe']"),
        f"{_TEMPLATE}.nics[uplink].match",
        ("[?driver=='ixgbe']", "matches no NIC", "enp0s3 driver=virtio_net bus=0000:00:03.0"),
        ("w1",),
    ),
    Mutation(
        "a NIC selector matches too few",
        _nics("w1", count=3),
        f"{_TEMPLATE}.nics[uplink].match",
        ("matches 2 NICs (enp0s3, enp0s4), count is 3: too few", "enp0s2"),
        ("w1",),
    ),
    Mutation(
        "a NIC selector matches more than wanted",
        _nics("w1", count=1),
        f"{_TEMPLATE}.nics[uplink].match",
        ("matches 2 NICs (enp0s3, enp0s4), count is 1", "tie"),
        ("w1",),
    ),
    Mutation(
        "two NICs count the same",
        _rename("w1", "enp0s4", "enp0s03"),
        f"{_TEMPLATE}.nics[uplink].match",
        ("is a tie: enp0s03, enp0s3 count the same",),
        ("w1",),
    ),
    Mutation(
        "a NIC selector is no JMESPath",
        _nics("w1", match="[?driver=="),
        f"{_TEMPLATE}.nics[uplink].match",
        ("[?driver==", "is not a JMESPath expression"),
        ("w1",),
    ),
    Mutation(
        "an unknown network is attached",
        lambda intent: intent.template("w1")["attach"].append(
            {"network": "external", "link": "bond0"}
        ),
        f"{_TEMPLATE}.attach[external].network",
        ("external", "is not a network", "lcm, workload, storage_access, storage_replication"),
        ("w1",),
    ),
    Mutation(
        "a network is attached twice",
        lambda intent: intent.template("w1")["attach"].append({"network": "lcm", "link": "bond0"}),
        f"{_TEMPLATE}.attach[lcm].network",
        ("lcm", "is attached twice", "once on a host"),
        ("w1",),
    ),
    Mutation(
        "a network is attached to an unknown link",
        _attach("w1", "workload", link="bond7"),
        f"{_TEMPLATE}.attach[workload].link",
        ("bond7", "is not a link", "bonds: bond0", "NICs: enp0s2, enp0s3, enp0s4"),
        ("w1",),
    ),
    Mutation(
        "a network is attached to a group of two NICs",
        _attach("w1", "workload", link="uplink"),
        f"{_TEMPLATE}.attach[workload].link",
        ("uplink", "is a group of 2 NICs (enp0s3, enp0s4)", "Name a bond, or one NIC"),
        ("w1",),
    ),
    Mutation(
        "a network is attached to a bond's member",
        _attach("w1", "workload", link="enp0s3"),
        f"{_TEMPLATE}.attach[workload].link",
        ("enp0s3", "is a member of bond0", "Attach bond0"),
        ("w1",),
    ),
    Mutation(
        "the provisioning network is attached to an operational host (S4.1)",
        _add_network("w1", kind="pxe"),
        f"{_TEMPLATE}.attach[extra].network",
        ("is a pxe network", "while a host is provisioned only", "Take it out", "(S4.1)"),
        ("w1",),
    ),
    Mutation(
        "the BMCs' network is attached to a host (S4.15)",
        _add_network("w1", kind="oob"),
        f"{_TEMPLATE}.attach[extra].network",
        ("is an oob network", "must not be reachable", "Take it out", "(S4.15)"),
        ("w1",),
    ),
    Mutation(
        "two networks have one VLAN on one parent",
        _segment("workload", "r1", vlan=101),
        f"{_TEMPLATE}.attach[workload]",
        ("bond0", "VLAN 101 on bond0 is network lcm's already", "a VLAN or a link of its own"),
        ("cp1", "w1"),
    ),
    Mutation(
        "a VLAN's MTU is above its parent's",
        _bond("w1", mtu=1500),
        f"{_TEMPLATE}.attach[storage_access]",
        ("9000", "bond0.301 has MTU 9000, and bond0 below it 1500", "Raise bond0's MTU"),
        ("w1",),
    ),
    Mutation(
        "a NIC is in two bonds",
        _add_bond("w1", name="bond1", members=["enp0s3"]),
        f"{_TEMPLATE}.bonds[bond1]",
        ("enp0s3", "is a member of bond0 already", "one bond or bridge"),
        ("w1",),
    ),
    Mutation(
        "a bond's member is unknown",
        _bond("w1", members=["uplink", "downlink"]),
        f"{_TEMPLATE}.bonds[bond0].members[1]",
        ("downlink", "is not a NIC or NIC group", "NIC groups: uplink"),
        ("w1",),
    ),
    Mutation(
        "a bond's mode is unknown",
        _bond("w1", mode="lacp"),
        f"{_TEMPLATE}.bonds[bond0].mode",
        ("lacp", "is not known", "It is one of balance-rr, active-backup"),
        ("w1",),
    ),
    Mutation(
        "an interface's name is too long",
        _attach("w1", "workload", name="workload-network"),
        f"{_TEMPLATE}.attach[workload]",
        ("workload-network", "16 characters", "at most 15 characters"),
        ("w1",),
    ),
    Mutation(
        "two networks bring a default route",
        lambda intent: intent.network("workload").update(default_route=True),
        f"{_TEMPLATE}.attach[workload]",
        ("second IPv4 default route", "Set default_route on one network"),
        ("cp1", "w1", "w2", "st1"),
        lines=2,
    ),
    Mutation(
        "an address is on a bond's member",
        _template("w1", netplan={"ethernets": {"enp0s3": {"addresses": ["192.0.2.9/24"]}}}),
        f"{_TEMPLATE}.netplan.ethernets.enp0s3",
        ("enp0s3", "has an address and is a member of bond0", "Put the address on bond0"),
        ("w1",),
    ),
    Mutation(
        "a next hop in netplan's own keys is off-link",
        _template(
            "w1",
            netplan={
                "ethernets": {
                    "enp0s2": {
                        "addresses": ["192.0.2.9/24"],
                        "routes": [{"to": "10.0.0.0/8", "via": "198.51.100.1"}],
                    }
                }
            },
        ),
        f"{_TEMPLATE}.netplan.ethernets.enp0s2",
        ("198.51.100.1", "off-link next hop", "192.0.2.0/24", "or on-link: true"),
        ("w1",),
    ),
    Mutation(
        "netplan's own keys have the wrong shape",
        _template("w1", netplan={"ethernets": ["enp0s2"]}),
        f"{_TEMPLATE}.netplan.ethernets",
        ("is not a dictionary", "Give a dictionary"),
        ("w1",),
    ),
    Mutation(
        "a template's Jinja2 does not parse",
        _template("w1", netplan={"ethernets": {"enp0s2": {"macaddress": "{{ mac("}}}),
        f"{_TEMPLATE}.netplan.ethernets.enp0s2.macaddress",
        ("{{ mac(", "cannot be rendered"),
        ("w1",),
    ),
    Mutation(
        "a macro is unknown",
        _template("w1", netplan={"ethernets": {"enp0s2": {"addresses": ["{{ adress('lcm') }}"]}}}),
        f"{_TEMPLATE}.netplan.ethernets.enp0s2.addresses[0]",
        ("{{ adress('lcm') }}", "'adress' is undefined", "know cidr, gateway, host, ip, mac"),
        ("w1",),
    ),
    Mutation(
        "a macro asks for a NIC group that is not there",
        _bond("w1", name="{{ nic('uplinks') }}"),
        f"{_TEMPLATE}.bonds[{{{{ nic('uplinks') }}}}].name",
        ("there is no NIC group uplinks; there is uplink",),
        ("w1",),
    ),
    Mutation(
        "a macro gives something of the wrong type",
        _bond("w1", mtu="{{ gateway('lcm') }}"),
        f"{_TEMPLATE}.bonds[bond0].mtu",
        ("10.21.1.1", "is not a whole number"),
        ("w1",),
    ),
    # Shapes
    Mutation(
        "the networks are a dictionary",
        lambda intent: intent.fleet.update(underlay_networks={"lcm": {}}),
        "underlay_networks",
        ("is not a list", "Give a list"),
    ),
    Mutation(
        "there are no networks at all",
        lambda intent: intent.fleet.pop("underlay_networks"),
        "underlay_networks",
        ("is missing", "Set it in the inventory"),
    ),
    Mutation(
        "a VLAN id is a word",
        _segment("lcm", "r1", vlan="one"),
        f"{_LCM}.vlan",
        ("one", "is not a whole number"),
    ),
    Mutation(
        "a truth value is a word",
        lambda intent: intent.network("lcm").update(default_route="maybe"),
        "underlay_networks[lcm].default_route",
        ("maybe", "is not true or false"),
    ),
    Mutation(
        "a rack is a dictionary",
        _variable("w1", underlay_rack={"name": "r1"}),
        "underlay_rack",
        ("is not a string", "Give a string"),
        ("w1",),
    ),
    # The firewall and the pod network
    Mutation(
        "a port is 0",
        _open(port=0),
        f"{_OPEN}.port",
        ("0", "is no port", "1 to 65535"),
    ),
    Mutation(
        "a port is above the last one",
        _open(port="65536"),
        f"{_OPEN}.port",
        ("65536", "1 to 65535"),
    ),
    Mutation(
        "a range of ports runs backwards",
        _open(port="80-79"),
        f"{_OPEN}.port",
        ("80-79", "write 79-80"),
    ),
    Mutation(
        "a port is a service",
        _open(port="ssh "),
        f"{_OPEN}.port",
        ("ssh", "a port like 80"),
    ),
    Mutation(
        "a port is missing",
        _open(port=None),
        f"{_OPEN}.port",
        ("is missing",),
    ),
    Mutation(
        "a protocol is unknown",
        _open(protocol="tcpp"),
        f"{_OPEN}.protocol",
        ("tcpp", "Did you mean tcp", "tcp, udp, sctp, dccp"),
    ),
    Mutation(
        "a role is unknown",
        _open(roles=["worker", "workerz"]),
        f"{_OPEN}.roles[1]",
        (
            "workerz",
            "neither a role nor a group",
            "The roles are *, master, worker, control_plane, workers",
        ),
    ),
    Mutation(
        "a role is a group without hosts",
        _open(roles=["empty"]),
        f"{_OPEN}.roles[0]",
        ("empty", "has no host of the fleet"),
    ),
    Mutation(
        "a port is for no role",
        _open(roles=[]),
        f"{_OPEN}.roles",
        ("is empty", "for every host"),
    ),
    Mutation(
        "a kind of network is unknown",
        _open(networks=["lcm", "storage_access"]),
        f"{_OPEN}.networks[1]",
        ("storage_access", "Did you mean storage", "pxe, lcm"),
    ),
    Mutation(
        "nobody is a master",
        lambda intent: (
            _firewall()(intent),
            intent.groups.pop("control_plane"),
            intent.fleet.pop("underlay_vips"),
        ),
        "underlay_firewalld.groups.master",
        ("has no host of the fleet", "groups are workers"),
    ),
    Mutation(
        "a role stands for a group that is not there",
        _firewall(groups={"worker": ["workers", "wrkers"]}),
        "underlay_firewalld.groups.worker[1]",
        ("wrkers", "is not a group of the inventory", "control_plane, empty, workers"),
    ),
    Mutation(
        "a trusted subnet has host bits",
        _firewall(trusted_subnets=["192.168.10.7/24"]),
        "underlay_firewalld.trusted_subnets[0]",
        ("192.168.10.7/24", "host bits", "192.168.10.0/24"),
    ),
    Mutation(
        "everybody is trusted",
        _firewall(trusted_subnets=["10.0.0.0/8", "0.0.0.0/0"]),
        "underlay_firewalld.trusted_subnets[1]",
        ("0.0.0.0/0", "is every address", "open_ports"),
    ),
    Mutation(
        "the firewall has a misspelt key",
        _firewall(open_port=[]),
        "underlay_firewalld.open_port",
        ("is not a known key", "Did you mean open_ports"),
    ),
    Mutation(
        "what hosts may reach of each other is a word of its own",
        _firewall(between_hosts="some"),
        "underlay_firewalld.between_hosts",
        ("some", "all, needed"),
    ),
    Mutation(
        "a component is unknown",
        _firewall(components=[{"name": "metalb"}]),
        "underlay_firewalld.components[metalb].name",
        ("metalb", "Did you mean metallb"),
    ),
    Mutation(
        "a component is asked by nobody",
        _firewall(components=[{"name": "node_exporter"}]),
        "underlay_firewalld.components[node_exporter].clients",
        ("nothing would be opened", "Name the subnets"),
    ),
    Mutation(
        "a component has clients that it cannot have",
        _firewall(components=[{"name": "typha", "clients": ["192.0.2.0/24"]}]),
        "underlay_firewalld.components[typha].clients",
        ("has no clients",),
    ),
    Mutation(
        "a client is no address",
        _firewall(components=[{"name": "metallb", "clients": ["monitoring"]}]),
        "underlay_firewalld.components[metallb].clients[0]",
        ("monitoring", "Give an address"),
    ),
    Mutation(
        "PXE servers have no interface for it",
        _firewall(components=[{"name": "pxe", "roles": ["control_plane"]}]),
        "underlay_firewalld.components[pxe].name",
        ("no host has an interface there", "underlay_firewalld.zones"),
    ),
    Mutation(
        "a zone is unknown",
        _firewall(zones=[{"kind": "pxee", "interfaces": ["enp0s2"]}]),
        "underlay_firewalld.zones[0].kind",
        ("pxee", "Did you mean pxe"),
    ),
    Mutation(
        "a zone's interface has a name that is too long",
        _firewall(zones=[{"kind": "pxe", "interfaces": ["an-interface-too-long"]}]),
        "underlay_firewalld.zones[0].interfaces[0]",
        ("an-interface-too-long", "15 signs at most"),
    ),
    Mutation(
        "an interface is in two zones",
        _firewall(zones=[{"kind": kind, "interfaces": ["enp0s2"]} for kind in ("pxe", "oob")]),
        "underlay_firewalld.zones[1].interfaces[0]",
        ("enp0s2", "is in zone pxe already"),
    ),
    Mutation(
        "the pods' subnet has host bits",
        _pods(pod_network_cidr="172.31.0.1/16"),
        f"{_PODS}.pod_network_cidr",
        ("172.31.0.1/16", "host bits", "172.31.0.0/16"),
    ),
    Mutation(
        "the services' subnet has host bits",
        _pods(service_cidr="172.30.0.1/16"),
        f"{_PODS}.service_cidr",
        ("172.30.0.1/16", "host bits"),
    ),
    Mutation(
        "pods and services overlap",
        _pods(service_cidr="172.31.128.0/20"),
        f"{_PODS}.service_cidr",
        ("172.31.128.0/20", "overlaps 172.31.0.0/16 of underlay_pod_network.pod_network_cidr"),
    ),
    Mutation(
        "the pods' subnet overlaps a network",
        _pods(pod_network_cidr="10.22.1.0/24"),
        f"{_PODS}.pod_network_cidr",
        ("10.22.1.0/24", "overlaps 10.22.1.0/24 of underlay_networks[workload].segments[r1]"),
    ),
    Mutation(
        "pods have two subnets of a family",
        _pods(pod_network_cidr=["172.31.0.0/16", "172.28.0.0/16"]),
        f"{_PODS}.pod_network_cidr",
        ("more than one IPv4 subnet",),
    ),
    Mutation(
        "a slice is larger than the pods' subnet",
        _pods(node_prefix=12),
        f"{_PODS}.node_prefix",
        ("12", "Give 16 to 30"),
    ),
    Mutation(
        "a provider is unknown",
        _pods(provider="calcio"),
        f"{_PODS}.provider",
        ("calcio", "Did you mean calico"),
    ),
    Mutation(
        "pods have two encapsulations",
        _pods(calico={"ipip_mode": "Always", "vxlan": True}),
        f"{_PODS}.calico.ipip_mode",
        ("Always", "beside vxlan"),
    ),
    # The founding document's rules, row by row
    Mutation(
        "a PXE server is on no PXE network (S4.1)",
        _whole(_detach("cp1", "pxe")),
        f"{_TEMPLATE}.attach",
        ("has no pxe network with an address", "is a PXE server", "Attach one of pxe (S4.1)"),
        ("cp1",),
    ),
    Mutation(
        "a PXE server is on two PXE networks (S4.1)",
        _whole(
            _add_network(
                "cp1",
                kind="pxe",
                segments=[{"name": "all", "vlan": 501, "cidr": "203.0.113.0/24"}],
            )
        ),
        f"{_TEMPLATE}.attach[extra].network",
        ("extra", "is a second pxe network, beside pxe", "(S4.1)"),
        ("cp1",),
    ),
    Mutation(
        "PXE is described and has no network (S4.1)",
        lambda intent: intent.fleet.update(underlay_pxe={"servers": ["control_plane"]}),
        "underlay_pxe",
        ("there is no network of kind pxe", "Add one to underlay_networks (S4.1)"),
    ),
    Mutation(
        "nobody is a PXE server (S4.1)",
        _whole(_pxe(servers=["empty"])),
        "underlay_pxe.servers",
        ("['empty']", "stands for no host", "provisioners", "(S4.1)"),
    ),
    Mutation(
        "a host is to be provisioned, and nothing says by what (S4.1)",
        _provisioning("w2", mac="52:54:00:21:01:99", image="debian"),
        "underlay_pxe",
        ("is missing", "hosts are to be provisioned: w2", "Name its servers", "(S4.1)"),
    ),
    Mutation(
        "a host is to be provisioned, and nobody knows it (S4.1)",
        _whole(_provisioning("w2")),
        "underlay_boot",
        ("is missing", "Give the MAC address that it boots by", "(S4.1)"),
        ("w2",),
    ),
    Mutation(
        "a host is to be provisioned with nothing (S4.1)",
        _whole(_provisioning("w2", mac="52:54:00:21:01:99")),
        "underlay_boot.image",
        ("is missing", "Give one of underlay_pxe.images (S4.1)"),
        ("w2",),
    ),
    Mutation(
        "a host boots an image that is not there (S4.1)",
        _whole(_provisioning("w2", mac="52:54:00:21:01:99", image="debain")),
        "underlay_boot.image",
        ("debain", "is not an image", "The images of underlay_pxe.images are debian (S4.1)"),
        ("w2",),
    ),
    Mutation(
        "two images have one name (S4.1)",
        _whole(_pxe(images=[{"name": "debian", "kernel": kernel} for kernel in ("a", "b")])),
        "underlay_pxe.images[debian].name",
        ("debian", "is there twice", "a name of its own"),
    ),
    Mutation(
        "two hosts boot by one MAC address (S4.1)",
        _whole(_variable("w2", underlay_boot={"mac": _mac(17), "image": "debian"})),
        "underlay_boot.mac",
        (_mac(17), "is w1's", "the NIC that this host boots by (S4.1)"),
        ("w2",),
    ),
    Mutation(
        "a rack's PXE segment has no router to the server (S4.1)",
        _whole(_without("pxe", "r2", "gateway")),
        "underlay_networks[pxe].segments[r2].gateway",
        ("is missing", "other segments (r1)", "(S4.1)"),
    ),
    Mutation(
        "a host's rack has no PXE segment to boot in (S4.1)",
        _whole(
            _provisioning("w2", mac=_mac(18), image="debian"),
            lambda intent: intent.network("pxe")["segments"].pop(),
        ),
        "underlay_rack",
        ("r2", "has no segment of a pxe network", "underlay_networks[pxe].segments (S4.1)"),
        ("w2",),
    ),
    Mutation(
        "a host has no LCM address (S4.2)",
        _attach("w1", "lcm", address=False),
        f"{_TEMPLATE}.attach",
        ("has no lcm network with an address", "Attach lcm with an address (S4.2)"),
        ("w1",),
    ),
    Mutation(
        "a host has two LCM addresses (S4.2)",
        _add_network(
            "w1",
            kind="lcm",
            segments=[
                {
                    "name": "all",
                    "vlan": 500,
                    "cidr": "198.51.100.0/24",
                    "gateway": "198.51.100.1",
                }
            ],
        ),
        f"{_TEMPLATE}.attach[extra].address",
        ("is a second lcm network with an address, beside lcm", "address: false there (S4.2)"),
        ("w1",),
    ),
    Mutation(
        "an LCM segment has no router to the other racks (S4.3)",
        _without("lcm", "r1", "gateway"),
        f"{_LCM}.gateway",
        ("is missing", "other segments (r2)", "(S4.3)"),
    ),
    Mutation(
        "an LCM network has no router to the other LCM network (S4.3)",
        _add_network("w1", address=False, kind="lcm"),
        "underlay_networks[extra].segments[all].gateway",
        ("is missing", "other lcm segments (lcm r1, lcm r2)", "in 198.51.100.0/24", "(S4.3)"),
    ),
    Mutation(
        "a template takes the routes between LCM segments away (S4.4)",
        _template("w1", netplan={"vlans": {"bond0.101": {"routes": []}}}),
        f"{_TEMPLATE}.netplan",
        ("without a route to 10.21.2.0/24 by 10.21.1.1", "Add to routes('lcm')", "(S4.4)"),
        ("w1",),
        lines=2,
    ),
    Mutation(
        "an LCM segment has no router to the API endpoint (S4.5)",
        _all(
            _one_lcm_segment,
            _bgp({"address": "10.21.0.1"}),
            _vip(mode="bgp", address="203.0.113.7", segment=None),
        ),
        "underlay_networks[lcm].segments[all].gateway",
        ("is missing", "the API endpoint api (203.0.113.7) lies outside", "(S4.5)"),
        once=True,
    ),
    Mutation(
        "VIPs have addresses that hosts have, too (S4.6)",
        _segment("lcm", "r1", vip_ranges=["10.21.1.190-10.21.1.210"]),
        f"{_LCM}.vip_ranges[0]",
        ("10.21.1.190-10.21.1.210", "overlaps ranges[0], 10.21.1.10-10.21.1.200", "S4.6"),
    ),
    Mutation(
        "a router id is no byte (S4.6)",
        _vip(router_id=256),
        "underlay_vips[api].router_id",
        ("256", "is no VRRP router id", "Give 1 to 255", "(S4.6)"),
    ),
    Mutation(
        "two VIPs of one VLAN have one router id (S4.6)",
        lambda intent: (_vip(router_id=7)(intent), _add_vip(router_id=7)(intent)),
        "underlay_vips[ingress].router_id",
        ("7", "is the router id of VIP api too, on segment r1", "(S4.6)"),
    ),
    Mutation(
        "no network holds the API endpoint (S4.7)",
        _setting("lcm", api_endpoint=False),
        "underlay_networks[lcm].api_endpoint",
        ("no LCM network holds the API endpoint of the cluster", "Set it on one of lcm (S4.7)"),
    ),
    Mutation(
        "nobody may hold a VIP (S4.7)",
        _vip(roles=["empty"]),
        "underlay_vips[api].roles",
        ("['empty']", "stands for no host of the fleet", "control_plane, workers", "(S4.7)"),
    ),
    Mutation(
        "an ARP VIP's segment does not reach all that may hold it (S4.7)",
        _vip(roles=["workers"]),
        "underlay_vips[api].roles",
        ("its segment r1 of lcm does not reach st1, w2", "attach it there", "(S4.7)"),
    ),
    Mutation(
        "an ARP VIP's segment does not reach all managers (S4.7)",
        lambda intent: (
            _vip(roles=["control_plane"])(intent),
            intent.groups.update(masters=["w2"]),
        ),
        "underlay_vips[api].roles",
        ("its segment r1 of lcm does not reach w2", "all managers of the API", "(S4.7)"),
    ),
    Mutation(
        "a VIP is announced, and no router is known (S4.7)",
        _vip(mode="bgp"),
        "underlay_bgp",
        ("is missing", "announced by BGP: api", "Name the routers", "(S4.7)"),
    ),
    Mutation(
        "a VIP is announced, and a holder's rack has no router (S4.7)",
        lambda intent: (_vip(mode="bgp")(intent), _bgp({"rack": "r2"})(intent)),
        "underlay_bgp.peers",
        ("has no IPv4 peer for rack r1", "hosts there announce VIP api", "(S4.7)"),
    ),
    Mutation(
        "a VIP is announced, and the router has no address (S4.7)",
        _all(_one_lcm_segment, _bgp({}), _vip(mode="bgp", segment=None)),
        "underlay_networks[lcm].segments[all].gateway",
        ("is missing", "VIP api is announced to it", "or the peer an address (S4.7)"),
    ),
    Mutation(
        "two clusters share a workload network (S4.8)",
        _variable("w1", underlay_cluster="second"),
        "underlay_networks[workload].name",
        ("several clusters: (none) (cp1), second (w1)", "a workload network of its own (S4.8)"),
    ),
    Mutation(
        "a controller is not on the external network (S4.9)",
        _whole(_detach("w2", "external")),
        f"{_TEMPLATE}.attach",
        ("no external network with an address", "is a controller", "networks: external (S4.9)"),
        ("w2",),
    ),
    Mutation(
        "controllers are on different external segments (S4.10)",
        _whole(_external_by_rack),
        "underlay_networks[external].segments",
        ("share no IPv4 segment", "w1 external ext, w2 external ext2", "MetalLB", "(S4.10)"),
    ),
    Mutation(
        "an external network has no addresses for nodes (S4.11)",
        _whole(_without("external", "ext", "ranges")),
        "underlay_networks[external].segments[ext].ranges",
        ("is missing", "external is an external network", "that nodes have", "(S4.11)"),
    ),
    Mutation(
        "an external network has no addresses for services (S4.11)",
        _whole(_without("external", "ext", "service_ranges")),
        "underlay_networks[external].segments[ext].service_ranges",
        ("is missing", "that services have", "(S4.11)"),
    ),
    Mutation(
        "nodes and services share external addresses (S4.11)",
        _whole(_segment("external", "ext", service_ranges=["198.51.100.96/28"])),
        "underlay_networks[external].segments[ext].service_ranges[0]",
        ("198.51.100.96-198.51.100.111", "overlaps ranges[0]", "S4.11)"),
    ),
    Mutation(
        "the default route is not through the external network (S4.12)",
        _whole(_setting("external", default_route=False)),
        "underlay_networks[external].default_route",
        ("the cluster has its default route by no external network", "(S4.12)"),
    ),
    Mutation(
        "the default route is through another network as well (S4.12)",
        _whole(_setting("lcm", default_route=True)),
        "underlay_networks[lcm].default_route",
        ("is of kind lcm", "there is an external network (external)", "only there (S4.12)"),
    ),
    Mutation(
        "a routing table is the kernel's own (S4.12)",
        _setting("workload", routing_table=254),
        "underlay_networks[workload].routing_table",
        ("254", "is no routing table that is free", "Give 1 to 252, or 256", "(S4.12)"),
    ),
    Mutation(
        "two networks of a host have one routing table (S4.12)",
        _whole(_setting("workload", routing_table=163)),
        "underlay_networks[external].routing_table",
        ("163", "is workload's table too", "such as w1 attach both", "(S4.12)"),
    ),
    Mutation(
        "a storage node is not on the access network (S4.13)",
        _whole(_attach("st1", "storage_access", address=False)),
        f"{_TEMPLATE}.attach",
        ("no storage_access network with an address", "is a storage node", "(S4.13)"),
        ("st1",),
    ),
    Mutation(
        "a host replicates what nobody can ask it for (S4.13)",
        _detach("st1", "storage_access"),
        f"{_TEMPLATE}.attach",
        ("no storage_access network", "the host is on a storage_replication network", "(S4.13)"),
        ("st1",),
    ),
    Mutation(
        "a storage node is not on the replication network (S4.14)",
        _whole(_detach("st1", "storage_replication")),
        f"{_TEMPLATE}.attach",
        ("no storage_replication network with an address", "is a storage node", "(S4.14)"),
        ("st1",),
    ),
    Mutation(
        "a storage segment has no router to the other one (S4.14)",
        _without("storage_replication", "r2", "gateway"),
        "underlay_networks[storage_replication].segments[r2].gateway",
        ("is missing", "other segments (r1)", "(S4.14)"),
    ),
    Mutation(
        "a board is in no out-of-band network (S4.15)",
        _variable("w1", underlay_bmc={"address": "10.25.1.10"}),
        "underlay_bmc.address",
        ("10.25.1.10", "lies in no oob network", "Add one of kind oob", "(S4.15)"),
        ("w1",),
    ),
    Mutation(
        "a board is in another rack's out-of-band segment (S4.15)",
        _whole(_variable("w1", underlay_bmc={"address": "10.25.2.11"})),
        "underlay_bmc.address",
        ("10.25.2.11", "is outside of the rack's oob segments", "of 10.25.1.0/24 (S4.15)"),
        ("w1",),
    ),
    Mutation(
        "a board has its gateway's address (S4.15)",
        _whole(_variable("w1", underlay_bmc={"address": "10.25.1.1"})),
        "underlay_bmc.address",
        ("10.25.1.1", "is the gateway of underlay_networks[oob].segments[r1]", "(S4.15)"),
        ("w1",),
    ),
    Mutation(
        "two boards have one address (S4.15)",
        _whole(_variable("cp1", underlay_bmc={"address": "10.25.1.10"})),
        "underlay_bmc.address",
        ("10.25.1.10", "is cp1's board's", "(S4.15)"),
        ("w1",),
    ),
    Mutation(
        "a route leads to the boards (S4.15)",
        _whole(_segment("workload", "r1", routes=[{"to": "10.24.0.0/15", "via": "10.22.1.1"}])),
        f"{_WORKLOAD}.routes[0].to",
        ("10.24.0.0/15", "leads to 10.25.1.0/24 of underlay_networks[oob]", "(S4.15)"),
        lines=2,
    ),
)
