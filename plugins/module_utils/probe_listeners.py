# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look where the servers of the storage networks listen: on their addresses there, nowhere else."""

from __future__ import annotations

from collections.abc import Iterable

from .ports import PortRange, merged, text
from .probe_plan import DEGRADED, FAILED, Expectation, Finding, IPAddress, Listeners, Tally
from .probe_surroundings import Socket, Surroundings

# Ports of Ceph's range are others' as well, as cilium-operator's 6942: they are told, but they are
# no Ceph that serves on a wrong network. A process in another PID namespace has no name here.
_CEPH_OWNERS = ("ceph", "an unknown process")


def check_listeners(expect: Expectation, around: Surroundings, tally: Tally) -> None:
    """Tell who listens by TCP where it must not; a process's ports on an address are one cause."""
    for listeners in expect.listeners:
        wrong = _wrong(listeners, around)
        if not wrong:
            for network in listeners.networks:
                tally.passed(network)
            continue
        first, *others = listeners.networks
        found = [
            _finding(first, listeners, owner, address, sockets)
            for (owner, address), sockets in wrong.items()
        ]
        for finding in found:
            tally.found(finding)
        failed = any(finding.severity == FAILED for finding in found)
        for network in others:
            (tally.hidden if failed else tally.passed)(network)


def _wrong(listeners: Listeners, around: Surroundings) -> dict[tuple[str, IPAddress], list[Socket]]:
    """The sockets that must not be, by process and address."""
    found = [item for item in around.sockets if _is_wrong(item, listeners)]
    wrong: dict[tuple[str, IPAddress], list[Socket]] = {}
    for item, owner in around.owners(found).items():
        wrong.setdefault((owner, item.address), []).append(item)
    return wrong


def _is_wrong(found: Socket, listeners: Listeners) -> bool:
    return (
        found.protocol == "tcp"
        and listeners.ports.first <= found.port <= listeners.ports.last
        and found.address not in listeners.addresses
    )


def _finding(
    network: str | None,
    listeners: Listeners,
    owner: str,
    address: IPAddress,
    sockets: Iterable[Socket],
) -> Finding:
    ranges = merged(PortRange(found.port, found.port) for found in sockets)
    ports = ", ".join(text(item) for item in ranges)
    allowed = " or ".join(map(str, listeners.addresses))
    where = f"every address, {address}" if address.is_unspecified else str(address)
    return Finding(
        network=network,
        check="listener",
        severity=FAILED if owner.startswith(_CEPH_OWNERS) else DEGRADED,
        subject=f"{owner}, TCP {ports}",
        expected=f"{listeners.what} on TCP {text(listeners.ports)} listens on {allowed} alone",
        seen=f"listens on {where}",
    )
