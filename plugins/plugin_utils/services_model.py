# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What serves the networks, as typed data: BGP peers, PXE, boards, and the kinds of nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address, parse_address
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

BGP = "underlay_bgp"
PXE = "underlay_pxe"
NODE_GROUPS = "underlay_node_groups"
OPERATIONAL, PROVISIONING = "operational", "provisioning"
# RFC 6996: what is not 0, 23456 (RFC 6793) or the last of each size is somebody's number.
_UNUSABLE_ASNS = {0, 23456, 65535, 2**32 - 1}
_MAC = re.compile(r"([0-9a-f]{2})([:-][0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Peer:
    """A router that hosts announce to. racks: whose hosts; none for all. address: None, gateway."""

    racks: tuple[str, ...]
    address: Address | None
    asn: int
    path: str


@dataclass(frozen=True, slots=True)
class Bgp:
    """What underlay_bgp says."""

    asn: int
    peers: tuple[Peer, ...]

    def peers_for(self, rack: str) -> list[Peer]:
        """Return the peers of a rack's hosts: those that name it, else those that name none."""
        named = [peer for peer in self.peers if rack in peer.racks]
        return named or [peer for peer in self.peers if not peer.racks]


@dataclass(frozen=True, slots=True)
class BootImage:
    """What a machine can boot: paths below the server's folder, or URLs."""

    name: str
    kernel: str
    initrd: tuple[str, ...]
    arguments: str


@dataclass(frozen=True, slots=True)
class Pxe:
    """What underlay_pxe says. servers: roles; menu_timeout, lease_time: seconds."""

    servers: tuple[str, ...]
    root: str
    images: tuple[BootImage, ...]
    menu_timeout: int
    lease_time: int
    menu_for_unknown: bool
    leftovers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Boot:
    """How a host is booted while it is provisioned. mac: lower case, with colons."""

    mac: str
    image: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Bmc:
    """A host's baseboard management controller."""

    address: Address
    mac: str | None


@dataclass(frozen=True, slots=True)
class Services:
    """What is the same for the whole fleet. node_groups: kind of node -> inventory groups."""

    bgp: Bgp | None = None
    pxe: Pxe | None = None
    node_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ServicesReader:
    """Reads the variables in their shapes and collects every bad value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def services(self, raw: Mapping[str, Any]) -> Services:
        """Read the fleet's variables. raw: by name; None for one that is not set or unreadable."""
        return Services(
            self._bgp(raw[BGP]),
            self._pxe(raw[PXE]),
            {kind: tuple(names) for kind, names in (raw[NODE_GROUPS] or {}).items()},
        )

    def boot(self, host: str, item: Mapping[str, Any] | None) -> Boot | None:
        """Read a host's underlay_boot."""
        if not item:
            return None
        mac = self._mac(item["mac"], "underlay_boot.mac", host)
        return Boot(mac, item["image"], item["arguments"]) if mac else None

    def bmc(self, host: str, item: Mapping[str, Any] | None) -> Bmc | None:
        """Read a host's underlay_bmc."""
        if not item:
            return None
        address = self._one(parse_address, item["address"], "underlay_bmc.address", host)
        mac = self._mac(item["mac"], "underlay_bmc.mac", host) if item["mac"] else None
        return Bmc(address, mac) if address is not None else None

    def _bgp(self, item: Mapping[str, Any] | None) -> Bgp | None:
        if not item:
            return None
        self._asn(item["asn"], f"{BGP}.asn")
        peers = []
        for index, peer in enumerate(item["peers"]):
            path = f"{BGP}.peers[{index}]"
            self._asn(peer["asn"], f"{path}.asn")
            address = peer["address"]
            if address is not None:
                address = self._one(parse_address, address, f"{path}.address")
            peers.append(Peer(tuple(peer["rack"] or ()), address, peer["asn"], path))
        return Bgp(item["asn"], tuple(peers))

    def _pxe(self, item: Mapping[str, Any] | None) -> Pxe | None:
        if not item:
            return None
        return Pxe(
            servers=tuple(item["servers"]),
            root=item["root"],
            images=tuple(self._images(item["images"])),
            menu_timeout=item["menu_timeout"],
            lease_time=item["lease_time"],
            menu_for_unknown=item["unknown"] == "menu",
            leftovers=tuple(item["leftovers"]),
        )

    def _images(self, items: Iterable[Mapping[str, Any]]) -> Iterable[BootImage]:
        for image in items:
            yield BootImage(
                image["name"], image["kernel"], tuple(image["initrd"]), image["arguments"]
            )

    def _asn(self, number: int, path: str) -> None:
        if number in _UNUSABLE_ASNS or not 0 < number < 2**32:
            right = "Give a private one, as 64512 to 65534 (RFC 6996), or your own"
            self.problems.append(
                Problem(path, number, "is not an autonomous system's number", right)
            )

    def _mac(self, text: str, path: str, host: str) -> str:
        mac = text.strip().lower()
        if not _MAC.fullmatch(mac):
            right = "Give six bytes as 52:54:00:12:34:56"
            self.problems.append(Problem(path, text, "is not a MAC address", right, host))
            return ""
        return mac.replace("-", ":")

    def _one(self, parse: Callable[[str], Any], text: str, path: str, host: str = "") -> Any:
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(Problem(path, text, "cannot be read", str(error), host))
            return None
