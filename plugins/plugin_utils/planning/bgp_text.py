# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FRR's configuration of a host that announces virtual addresses by BGP, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address

_OURS = "underlay-vips"
_NOTHING = "underlay-nothing"
# A host that is gone says no goodbye: its routes end with the hold time, of which the shortest but
# none is 3 s (RFC 4271, 4.2). FRR's own 180 s would be minutes of lost connections.
_KEEPALIVE, _HOLD = 3, 9
_CONNECT_AGAIN = 5
_WORD = {4: "ip", 6: "ipv6"}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A router that the host announces to. near: it is on one of the host's own subnets."""

    address: Address
    asn: int
    near: bool


@dataclass(frozen=True, slots=True)
class Speaker:
    """A host that announces. router_id: written as an IPv4 address (RFC 4271, 4.2)."""

    router_id: str
    asn: int
    neighbours: Sequence[Neighbour]
    vips: Sequence[Address]


def bgp_conf(speaker: Speaker) -> str:
    """Return the whole configuration; it is the same for bgpd alone and for all of FRR."""
    return "\n".join(["frr defaults traditional", *_filters(speaker), *_router(speaker)]) + "\n"


def _filters(speaker: Speaker) -> Iterator[str]:
    """Yield what may go out, the VIPs and nothing else, and that nothing may come in."""
    yield "!"
    for number, vip in enumerate(speaker.vips, start=1):
        word = _WORD[vip.version]
        yield f"{word} prefix-list {_OURS} seq {5 * number} permit {_prefix(vip)}"
    yield "!"
    yield f"route-map {_NOTHING} deny 10"
    yield "exit"


def _router(speaker: Speaker) -> Iterator[str]:
    yield "!"
    yield f"router bgp {speaker.asn}"
    yield f" bgp router-id {speaker.router_id}"
    yield " bgp log-neighbor-changes"
    yield " no bgp default ipv4-unicast"
    # The addresses are on the host by netplan; bgpd asks no kernel whether they are.
    yield " no bgp network import-check"
    for neighbour in speaker.neighbours:
        yield from _neighbour(neighbour, speaker.asn)
    for version in (4, 6):
        yield from _family(speaker, version)
    yield "exit"


def _neighbour(neighbour: Neighbour, asn: int) -> Iterator[str]:
    start = f" neighbor {neighbour.address}"
    yield f"{start} remote-as {neighbour.asn}"
    yield f"{start} timers {_KEEPALIVE} {_HOLD}"
    yield f"{start} timers connect {_CONNECT_AGAIN}"
    if neighbour.asn != asn and not neighbour.near:
        yield f"{start} ebgp-multihop"


def _family(speaker: Speaker, version: int) -> Iterator[str]:
    vips = [vip for vip in speaker.vips if vip.version == version]
    if not vips:
        return
    yield " !"
    yield f" address-family ipv{version} unicast"
    for vip in vips:
        yield f"  network {_prefix(vip)}"
    for neighbour in speaker.neighbours:
        if neighbour.address.version == version:
            start = f"  neighbor {neighbour.address}"
            yield f"{start} activate"
            yield f"{start} prefix-list {_OURS} out"
            yield f"{start} route-map {_NOTHING} in"
    yield " exit-address-family"


def _prefix(address: Address) -> str:
    return f"{address}/{address.max_prefixlen}"
