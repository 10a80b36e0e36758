# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on the networks that machines are born by: PXE (MOSK, S4.1) and their boards' (S4.15)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import reserved
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.rules import (
    ATTACH,
    FleetView,
    Networks,
    words,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    PROVISIONING,
    PXE,
)

_BOARD = "underlay_bmc.address"


def pxe_on_servers_only(fleet: FleetView) -> Iterator[Problem]:
    """An operational host is on no PXE network; the servers that machines boot from are."""
    servers = _servers(fleet)
    pxe = fleet.model.services.pxe
    if pxe and pxe.servers and not servers:
        return  # told by pxe_is_whole
    for host in fleet.hosts:
        for network in fleet.attached(host, "pxe") if host.name not in servers else ():
            wrong = "is a pxe network, which is used while a host is provisioned only"
            right = f"Take it out of the template; only hosts of {PXE}.servers attach it"
            path = f"{ATTACH}[{network.name}].network"
            yield Problem(path, network.name, wrong, right, host.name)


def pxe_server_has_one_network(fleet: FleetView) -> Iterator[Problem]:
    """A PXE server serves one network, and has an address there."""
    known = fleet.of_kind("pxe")
    servers = _servers(fleet) if known else frozenset()
    for host in fleet.hosts:
        if host.name not in servers:
            continue
        mine = fleet.addressed(host, "pxe")
        if not mine:
            wrong = "has no pxe network with an address, and the host is a PXE server"
            right = f"Attach one of {words(network.name for network in known)}"
            yield Problem(ATTACH, None, wrong, right, host.name)
        for network in mine[1:]:
            wrong = f"is a second pxe network, beside {mine[0].name}"
            right = "A server serves one: leave the other to another server"
            path = f"{ATTACH}[{network.name}].network"
            yield Problem(path, network.name, wrong, right, host.name)


def pxe_is_whole(fleet: FleetView) -> Iterator[Problem]:
    """What underlay_pxe describes needs a network, and a host that does it.

    An empty list of servers is no mistake: it takes network boot away from those that served.
    """
    pxe = fleet.model.services.pxe
    waiting = [host.name for host in fleet.hosts if host.state == PROVISIONING]
    if pxe is None or not (pxe.servers or waiting):
        return
    if not fleet.of_kind("pxe"):
        right = "Add one to underlay_networks"
        yield Problem(PXE, None, "is given, and there is no network of kind pxe", right)
    if not _servers(fleet):
        known = [role for role in fleet.roles.known if fleet.roles.hosts(role)]
        right = f"Name roles or groups with hosts: {words(known)}"
        yield Problem(f"{PXE}.servers", list(pxe.servers), "stands for no host of the fleet", right)


def provisioning_host_can_boot(fleet: FleetView) -> Iterator[Problem]:
    """A host that is being provisioned boots by its MAC address, an image, and a server."""
    waiting = [host for host in fleet.hosts if host.state == PROVISIONING]
    if waiting and fleet.model.services.pxe is None:
        names = words(host.name for host in waiting)
        right = "Name its servers and images, or set underlay_state: operational"
        yield Problem(PXE, None, f"is missing, and hosts are to be provisioned: {names}", right)
    for host in waiting:
        if host.boot is None:
            wrong = "is missing, and the host is to be provisioned"
            right = "Give the MAC address that it boots by, and an image"
            yield Problem("underlay_boot", None, wrong, right, host.name)
        elif host.boot.image is None:
            wrong = "is missing, and the host is to be provisioned"
            right = f"Give one of {PXE}.images"
            yield Problem("underlay_boot.image", None, wrong, right, host.name)
        yield from _segment_to_boot_in(fleet, host)


def _segment_to_boot_in(fleet: FleetView, host: Host) -> Iterator[Problem]:
    networks = fleet.of_kind("pxe")
    if networks and not any(network.segments_for(host.rack) for network in networks):
        wrong = "has no segment of a pxe network, and the host is to be provisioned"
        right = f"Add one for this rack at {networks[0].path}.segments"
        yield Problem("underlay_rack", host.rack or "(empty)", wrong, right, host.name)


def boot_images_are_known(fleet: FleetView) -> Iterator[Problem]:
    """An image that a host names is one of those that the server has."""
    pxe = fleet.model.services.pxe
    images = [image.name for image in pxe.images] if pxe else []
    for host in fleet.hosts if pxe else ():
        image = host.boot.image if host.boot else None
        if image is not None and image not in images:
            right = f"The images of {PXE}.images are {words(images)}"
            yield Problem("underlay_boot.image", image, "is not an image", right, host.name)


def boot_macs_are_unique(fleet: FleetView) -> Iterator[Problem]:
    """A server knows a machine by its MAC address alone."""
    holder: dict[str, str] = {}
    for host in fleet.hosts:
        first = holder.setdefault(host.boot.mac, host.name) if host.boot else host.name
        if host.boot and first != host.name:
            right = "Give the MAC address of the NIC that this host boots by"
            yield Problem("underlay_boot.mac", host.boot.mac, f"is {first}'s", right, host.name)


def oob_is_never_attached(fleet: FleetView) -> Iterator[Problem]:
    """The boards' network cannot be reached from the cluster, so no host is on it."""
    for host in fleet.hosts:
        for network in fleet.attached(host, "oob"):
            wrong = "is an oob network, which must not be reachable from the cluster"
            path = f"{ATTACH}[{network.name}].network"
            right = "Take it out of the template"
            yield Problem(path, network.name, wrong, right, host.name)


def boards_are_out_of_band(fleet: FleetView) -> Iterator[Problem]:
    """A board's address lies in an out-of-band segment of its host's rack, and is its own."""
    holder: dict[Address, str] = {}
    vips = {address: name for name, address in fleet.addresses.items()}
    for host in fleet.hosts:
        if host.bmc is None:
            continue
        address = host.bmc.address
        first = holder.setdefault(address, f"{host.name}'s board's")
        segments = _board_segments(fleet, host)
        inside = [segment for segment in segments if address in segment.cidr]
        right = f"Give an address of {words(str(segment.cidr) for segment in segments)}"
        if not segments:
            wrong = f"lies in no oob network, as there is none for rack {host.rack or '(empty)'}"
            right = "Add one of kind oob to underlay_networks, with a segment for this rack"
        elif not inside:
            wrong = "is outside of the rack's oob segments"
        elif why := _taken(inside[0], address):
            wrong = f"is {why} of {inside[0].path}"
        elif address in vips:
            wrong = f"is VIP {vips[address]}'s"
        elif first != f"{host.name}'s board's":
            wrong = f"is {first}"
        else:
            continue
        yield Problem(_BOARD, str(address), wrong, right, host.name)


def no_route_to_boards(networks: Networks) -> Iterator[Problem]:
    """No route of a segment's own leads into an out-of-band subnet."""
    boards = [
        segment for each in networks.values() if each.kind == "oob" for segment in each.segments
    ]
    for segment in (segment for each in networks.values() for segment in each.segments):
        for index, route in enumerate(segment.routes):
            to = ip_network(route.to)
            # A default route leads everywhere; the hosts' unreachable routes go before it.
            for board in boards if to.prefixlen else ():
                if board.version == to.version and board.cidr.overlaps(to):
                    wrong = f"leads to {board.cidr} of {board.path}"
                    right = "Leave the boards' subnets out of it"
                    yield Problem(f"{segment.path}.routes[{index}].to", route.to, wrong, right)


def _servers(fleet: FleetView) -> frozenset[str]:
    pxe = fleet.model.services.pxe
    return fleet.roles.hosts_of_all(pxe.servers) if pxe else frozenset()


def _board_segments(fleet: FleetView, host: Host) -> list[Segment]:
    networks = fleet.of_kind("oob")
    return [segment for network in networks for segment in network.segments_for(host.rack)]


def _taken(segment: Segment, address: Address) -> str:
    """Return who has an address that no board can have; nobody minds ranges there."""
    for item in reserved(segment):
        if int(address) in item.range and not item.why.startswith("in "):
            return item.why
    return ""
