# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules on networks are made of: a row of the MOSK document's, and a look at the fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address, parse_address
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Model,
    Network,
    Segment,
    Vip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_order
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

Seen = TypeVar("Seen")
# Where a person changes what a host attaches.
ATTACH = "underlay_l2_template.attach"

Networks = Mapping[str, Network]
HostSegments = Mapping[str, Mapping[str, Sequence[Segment]]]


@dataclass(frozen=True, slots=True)
class Rule(Generic[Seen]):
    """A rule of the document. row: its number, S4.n, which ends each of its messages."""

    row: str
    check: Callable[[Seen], Iterator[Problem]]

    def problems(self, seen: Seen) -> Iterator[Problem]:
        """Yield what breaks the rule."""
        for problem in self.check(seen):
            yield named(problem, self.row)


def named(problem: Problem, row: str) -> Problem:
    """Return a problem whose message ends with the row of the rule that it breaks."""
    return replace(problem, right=f"{problem.right} ({row})") if row else problem


class FleetView:
    """A model as rules look at it: who attaches what, cluster by cluster.

    segments: host -> network -> the host's segments there; vips: VIP -> its address, as far as it
    has one; told: what is known to be wrong already, as nothing is said that follows from it
    """

    def __init__(
        self,
        model: Model,
        segments: HostSegments,
        vips: Mapping[str, str],
        told: Iterable[Problem] = (),
    ) -> None:
        self.model = model
        self.roles = Roles(model)
        self.addresses: dict[str, Address] = {
            name: parse_address(text) for name, text in vips.items()
        }
        self.hosts = [model.hosts[name] for name in natural_order(list(model.hosts))]
        self.clusters: dict[str, list[Host]] = {}
        for host in self.hosts:
            self.clusters.setdefault(host.cluster, []).append(host)
        self._segments = segments
        self._told = [problem.path for problem in told if not problem.host]
        self._attached = {
            host.name: {
                name: address for name, address in host.template.networks if name in model.networks
            }
            for host in self.hosts
        }

    def is_sound(self, thing: Network | Vip) -> bool:
        """Say whether nothing is known to be wrong with a network or VIP."""
        return not any(path.startswith(f"{thing.path}.") for path in self._told)

    def of_kind(self, *kinds: str) -> list[Network]:
        """Return the networks of any of some kinds, or all, in the order of the inventory."""
        networks = self.model.networks.values()
        return [network for network in networks if not kinds or network.kind in kinds]

    def attached(self, host: Host, *kinds: str) -> list[Network]:
        """Return the networks that a host attaches; with kinds, those of any of them."""
        networks = [self.model.networks[name] for name in self._attached[host.name]]
        return [network for network in networks if not kinds or network.kind in kinds]

    def addressed(self, host: Host, *kinds: str) -> list[Network]:
        """Return the networks on which a host has an address."""
        mine = self._attached[host.name]
        return [network for network in self.attached(host, *kinds) if mine[network.name]]

    def segments(self, host: Host, network: Network) -> Sequence[Segment]:
        """Return a host's segments on a network that it attaches, IPv4 first."""
        return self._segments.get(host.name, {}).get(network.name, ())

    def of_cluster(self, cluster: str, *kinds: str) -> list[Network]:
        """Return the networks that a cluster's hosts attach, in the order of the inventory."""
        names = {name for host in self.clusters[cluster] for name in self._attached[host.name]}
        return [network for network in self.of_kind(*kinds) if network.name in names]

    def nodes(self, kind: str, cluster: str) -> list[Host]:
        """Return a cluster's nodes of a kind: manager, controller, compute or storage."""
        members = self.roles.nodes(kind)
        return [host for host in self.clusters[cluster] if host.name in members]


def words(names: Iterable[str]) -> str:
    """Write names in a row, or that there are none."""
    return ", ".join(names) or "none"


def named_cluster(cluster: str) -> str:
    """Write whose hosts are meant, where an inventory has several clusters."""
    return f"cluster {cluster}" if cluster else "the cluster"
