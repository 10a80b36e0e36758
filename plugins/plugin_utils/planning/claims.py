# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the intent to claims: which owner wants an address of which segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Model,
    Network,
    Segment,
    Vip,
    Wanted,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_order
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import Claim
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem


def vip_claims(model: Model) -> Iterator[Claim]:
    """Yield the claims of the VIPs whose network and segment are known."""
    fixed = set()
    for vip in model.vips:
        network = model.networks.get(vip.network)
        if network is None or vip.address in fixed:
            continue  # both are told by the checks of VIPs
        if vip.address is not None:
            fixed.add(vip.address)
        segment = vip_segment(vip, network)
        family = vip.address or (segment and segment.cidr)
        if family is not None:
            path = f"{vip.path}.address"
            yield Claim(vip.owner, network.name, family.version, segment, vip.address, path)


def vip_segment(vip: Vip, network: Network) -> Segment | None:
    """Return the segment that a VIP's address lies in or comes from, if there is just one."""
    named = [segment for segment in network.segments if vip.segment in (None, segment.name)]
    if vip.address is not None:
        named = [segment for segment in named if vip.address in segment.cidr]
    return named[0] if len(named) == 1 else None


def vip_holders(vip: Vip, model: Model, roles: Roles) -> list[str]:
    """Return the hosts that may hold a VIP, in natural order: those of its roles and cluster."""
    asked = roles.hosts_of_all(vip.roles)
    known = [name for name in asked if name in model.hosts]
    return natural_order([name for name in known if vip.cluster in ("", model.hosts[name].cluster)])


class HostClaims:
    """Works out the segments and claims of hosts; what does not fit is collected."""

    def __init__(self, model: Model) -> None:
        self.problems: list[Problem] = []
        self._networks = model.networks
        self._segments: dict[tuple[str, str], list[Segment]] = {}

    def segments(self, host: Host) -> dict[str, list[Segment]]:
        """Return the host's segments on each network that it attaches, IPv4 first."""
        found = {}
        for name, _address in host.template.networks:
            if name in self._networks and name not in found:
                found[name] = self._segments_of(host, self._networks[name])
        return found

    def claims(self, host: Host, segments: Mapping[str, list[Segment]]) -> Iterator[Claim]:
        """Yield one claim for each family of each network on which the host has an address."""
        wanted = self._wanted(host, segments)
        addressed = dict.fromkeys(name for name, address in host.template.networks if address)
        for name in addressed:
            for segment in segments.get(name, ()):
                wish = wanted.get((name, segment.version))
                path = wish.path if wish else segment.path
                address = wish.address if wish else None
                version = segment.version
                yield Claim(host.name, name, version, segment, address, path, host.name)

    def _wanted(
        self, host: Host, segments: Mapping[str, list[Segment]]
    ) -> dict[tuple[str, int], Wanted]:
        wanted: dict[tuple[str, int], Wanted] = {}
        for item in host.wanted:
            families = [segment.version for segment in segments.get(item.network, ())]
            key = item.network, item.address.version
            if item.network in segments and not families:
                continue  # its rack has no segment there, which is told already
            if item.network not in segments:
                wrong = f"is for network {item.network}, which the host does not attach"
                right = f"The host attaches {', '.join(segments) or 'no network'}"
            elif (item.network, True) not in host.template.networks:
                wrong = f"is for network {item.network}, attached with address: false"
                right = "Take the wish back, or attach the network with an address"
            elif item.address.version not in families:
                wrong = f"is IPv{item.address.version}, and the host's segment there is not"
                right = f"Ask for an address of {segments[item.network][0].cidr}"
            elif key in wanted:
                wrong, right = "is a second wish of its family", "Ask for one address"
            else:
                wanted[key] = item
                continue
            self.problems.append(Problem(item.path, str(item.address), wrong, right, host.name))
        return wanted

    def _segments_of(self, host: Host, network: Network) -> list[Segment]:
        key = network.name, host.rack
        if key not in self._segments:
            found = network.segments_for(host.rack)
            self._segments[key] = sorted(found, key=lambda segment: segment.version)
        if not self._segments[key]:
            racks = sorted({rack for segment in network.segments for rack in segment.racks})
            wrong = f"has no segment of network {network.name}"
            right = (
                f"Its segments are for {', '.join(racks) or 'no rack'}: "
                f"add one for this rack at {network.path}.segments, or set another underlay_rack"
            )
            self.problems.append(
                Problem("underlay_rack", host.rack or "(empty)", wrong, right, host.name)
            )
        return self._segments[key]
