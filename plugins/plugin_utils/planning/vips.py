# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons that hold or announce virtual addresses on hosts (S4.6-7).

`daemons` is the list of the role vip; `frr_conf` is for people who run all of FRR themselves, and
holds what our own bgpd gets. A fleet's VIPs are plain data, as the plan has them, and so are hosts'
parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address, parse_address
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model, Segment, Vip
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning import (
    bgp_text,
    keepalived_text,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vip_ids import router_id

HELD = "underlay-vip"
ANNOUNCED = "underlay-vip-bgp"
_KEEPALIVED = "/usr/sbin/keepalived"
_BGPD = "/usr/lib/frr/bgpd"
# bgpd knows its own port for clients as well; what runs on hosts may listen there (Calico's BIRD).
_NO_PORT = "0"

Data = Mapping[str, Any]


def daemons(
    model: Model, fleet_vips: Sequence[Data], parts: Mapping[str, Data]
) -> dict[str, list[dict[str, Any]]]:
    """Return each host's daemons for VIPs: those that it needs, and the absence of the others."""
    instances = _instances(model, fleet_vips, parts)
    found: dict[str, list[dict[str, Any]]] = {}
    for host, part in parts.items():
        speaker = _speaker(model, fleet_vips, host, part)
        found[host] = [
            _keepalived(instances[host]) if instances[host] else _absent(HELD),
            _bgpd(speaker) if speaker else _absent(ANNOUNCED),
        ]
    return found


def frr_conf(model: Model, fleet_vips: Sequence[Data], host: str, part: Data) -> str | None:
    """Return a whole frr.conf for a host, or None if it announces nothing.

    part: the host's part of the plan
    """
    speaker = _speaker(model, fleet_vips, host, part)
    return bgp_text.bgp_conf(speaker) if speaker else None


def _absent(name: str) -> dict[str, Any]:
    return {"name": name, "state": "absent"}


# --- by ARP: one holder at a time -----------------------------------------------------------------


def _instances(
    model: Model, fleet_vips: Sequence[Data], parts: Mapping[str, Data]
) -> dict[str, list[keepalived_text.Instance]]:
    """Return what each host may hold. A host without an address in the VIP's segment holds none."""
    found: dict[str, list[keepalived_text.Instance]] = {host: [] for host in parts}
    known = {vip.name: vip for vip in model.vips}
    for data in fleet_vips:
        if data["mode"] != "arp":
            continue
        vip, address = known[data["name"]], parse_address(data["address"])
        places = _places(model, vip, address, data["holders"], parts)
        for number, (host, place) in enumerate(places.items()):
            instance = keepalived_text.Instance(
                name=vip.name,
                address=str(address),
                port=vip.port,
                link=place["link"],
                router_id=router_id(vip, address),
                own=_bare(place),
                others=[_bare(other) for name, other in places.items() if name != host],
                place=number,
            )
            found[host].append(instance)
    return found


def _places(
    model: Model, vip: Vip, address: Address, holders: Sequence[str], parts: Mapping[str, Data]
) -> dict[str, Data]:
    """Return the holders' addresses in the VIP's segment, in the holders' order."""
    network = model.networks[vip.network]
    home = [segment.name for segment in network.segments if address in segment.cidr]
    return {
        host: place
        for host in holders
        if host in parts
        for place in parts[host]["addresses"]
        if place["network"] == network.name and place["segment"] in home
    }


def _keepalived(instances: Sequence[keepalived_text.Instance]) -> dict[str, Any]:
    config = "{folder}/keepalived.conf"
    text = keepalived_text.keepalived_conf(instances, f"/etc/underlay/{HELD}")
    return {
        "name": HELD,
        "state": "present",
        "description": "Virtual addresses of this host, by VRRP",
        "program": keepalived_text.PYTHON,
        "package": "keepalived",
        # Files of its own, so that a keepalived of somebody else runs beside it. A part of it that
        # dies ends it all: systemd starts it again at once, itself it would wait ever longer, and
        # the address that is left behind would be held twice.
        "arguments": [
            "-IS",
            f"{{folder}}/{keepalived_text.START}",
            ",".join(dict.fromkeys(instance.own for instance in instances)),
            _KEEPALIVED,
            "--dont-fork",
            "--dont-respawn",
            "--vrrp",
            "--log-console",
            "--no-syslog",
            "--use-file",
            config,
            "--pid",
            f"/run/{HELD}/keepalived.pid",
            "--vrrp_pid",
            f"/run/{HELD}/vrrp.pid",
        ],
        "files": [
            {"name": "keepalived.conf", "content": text},
            {"name": keepalived_text.SCRIPT, "content": keepalived_text.SCRIPT_TEXT},
            {"name": keepalived_text.START, "content": keepalived_text.START_TEXT},
        ],
        "check": [[_KEEPALIVED, "--config-test", "--use-file", config]],
        "needs": [_KEEPALIVED],
        "runtime_folder": True,
        # A restart would move the addresses.
        "reload": True,
    }


# --- by BGP: on all holders at once ---------------------------------------------------------------


def _speaker(
    model: Model, fleet_vips: Sequence[Data], host: str, part: Data
) -> bgp_text.Speaker | None:
    bgp = model.services.bgp
    vips = [
        parse_address(data["address"])
        for data in fleet_vips
        if data["mode"] == "bgp" and host in data["holders"]
    ]
    if bgp is None or not vips:
        return None
    gateways = [
        segment.gateway
        for place in part["addresses"]
        if place["kind"] == "lcm" and (segment := _segment(model, place)) and segment.gateway
    ]
    subnets = [ip_interface(place["address"]).network for place in part["addresses"]]
    neighbours = {
        address: bgp_text.Neighbour(address, peer.asn, any(address in subnet for subnet in subnets))
        for peer in bgp.peers_for(part["rack"])
        for address in ([peer.address] if peer.address else gateways)
        if any(vip.version == address.version for vip in vips)
    }
    return bgp_text.Speaker(_router_id(part), bgp.asn, list(neighbours.values()), vips)


def _segment(model: Model, place: Data) -> Segment | None:
    network = model.networks[place["network"]]
    return next((item for item in network.segments if item.name == place["segment"]), None)


def _router_id(part: Data) -> str:
    """Return four bytes that are the host's alone, written as an address.

    The LCM address by preference. Of an IPv6 address, only the last four bytes fit.
    """
    places = sorted(
        part["addresses"], key=lambda place: (":" in place["address"], place["kind"] != "lcm")
    )
    number = int(parse_address(_bare(places[0]))) & 0xFFFFFFFF if places else 0
    return str(parse_address(".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8, 0))))


def _bare(place: Data) -> str:
    """Return an address of a host's part without its prefix length."""
    address: str = place["address"].partition("/")[0]
    return address


def _bgpd(speaker: bgp_text.Speaker) -> dict[str, Any]:
    config = "{folder}/bgpd.conf"
    return {
        "name": ANNOUNCED,
        "state": "present",
        "description": "Virtual addresses of this host, announced by BGP",
        "program": _BGPD,
        "package": "frr",
        # No zebra: nothing of this daemon reaches the host's own routes. The path space keeps its
        # sockets apart from those of somebody else's FRR; `vtysh --pathspace` asks it.
        "arguments": [
            "--pathspace",
            ANNOUNCED,
            "--config_file",
            config,
            "--no_zebra",
            "--bgp_port",
            _NO_PORT,
            "--vty_port",
            "0",
            "--log",
            "stdout",
        ],
        "files": [{"name": "bgpd.conf", "content": bgp_text.bgp_conf(speaker)}],
        # bgpd's own dry run ends with 0 whatever it has read (FRR 8.4).
        "check": [["/usr/bin/vtysh", "--dryrun", "--inputfile", config]],
        # It runs as the user frr.
        "readable": True,
    }
