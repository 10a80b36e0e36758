# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a host's addresses and routes with the plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .probe_host import HostState, SeenAddress, SeenRoute
from .probe_links import LinkVerdict
from .probe_plan import (
    DEGRADED,
    FAILED,
    Address,
    Expectation,
    Finding,
    IPAddress,
    Route,
    Tally,
)


@dataclass
class AddressVerdict:
    """What is missing, so that nothing is asked that depends on it."""

    addresses: set[IPAddress] = field(default_factory=set)
    routes: list[Route] = field(default_factory=list)
    # addresses that the kernel itself keeps back because somebody else answered for them
    contested: set[IPAddress] = field(default_factory=set)

    def cut_off(self, address: IPAddress, link: str) -> bool:
        """Whether an address lies behind a route that is missing."""
        return any(
            route.link == link
            and route.to.version == address.version
            and not route.is_default
            and address in route.to
            for route in self.routes
        )


def check_addresses(
    expect: Expectation, host: HostState, links: LinkVerdict, tally: Tally
) -> AddressVerdict:
    """Compare addresses, routes and the default route; what a reported cause explains is hidden."""
    verdict = AddressVerdict()
    for address in expect.addresses:
        _check_address(address, host, links, tally, verdict)
    defaults = {(route.to, route.via, route.link) for route in expect.defaults}
    for route in expect.routes:
        if (route.to, route.via, route.link) not in defaults:
            _check_route(route, "route", expect, host, links, tally, verdict)
    for route in expect.defaults:
        _check_route(route, "default_route", expect, host, links, tally, verdict)
    _check_other_defaults(expect, host, tally)
    return verdict


def _check_address(
    address: Address, host: HostState, links: LinkVerdict, tally: Tally, verdict: AddressVerdict
) -> None:
    there = [seen for seen in host.addresses if seen.address.ip == address.address.ip]
    exact = [
        seen for seen in there if seen.link == address.link and seen.address == address.address
    ]
    ready = [seen for seen in exact if not seen.tentative and not seen.duplicate]
    if ready:
        tally.passed(address.network)
        return
    verdict.addresses.add(address.address.ip)
    if any(seen.duplicate for seen in exact):
        # told as a duplicate, with the other side's MAC address
        verdict.contested.add(address.address.ip)
        tally.hidden(address.network)
    elif address.link in links.broken:
        tally.hidden(address.network)
    else:
        seen = ", ".join(_where(item) for item in there) or "missing"
        expected = f"{address.address} on {address.link}"
        subject = str(address.address)
        tally.found(Finding(address.network, "address", FAILED, subject, expected, seen))


def _where(seen: SeenAddress) -> str:
    state = ", still being checked for duplicates" if seen.tentative else ""
    return f"{seen.address} on {seen.link}{state}"


def _check_route(
    route: Route,
    check: str,
    expect: Expectation,
    host: HostState,
    links: LinkVerdict,
    tally: Tally,
    verdict: AddressVerdict,
) -> None:
    there = [seen for seen in host.routes if seen.to == route.to]
    if any((seen.via, seen.link) == (route.via, route.link) for seen in there):
        tally.passed(route.network)
        return
    verdict.routes.append(route)
    if route.link in links.broken or _has_no_address(route, expect, verdict):
        tally.hidden(route.network)
        return
    seen_words = ", ".join(_hop(seen.via, seen.link) for seen in there) or "missing"
    tally.found(
        Finding(
            route.network, check, FAILED, str(route.to), _hop(route.via, route.link), seen_words
        )
    )


def _has_no_address(route: Route, expect: Expectation, verdict: AddressVerdict) -> bool:
    """Whether a route cannot be there because the address it needs is missing."""
    return any(
        address.address.ip in verdict.addresses
        and address.link == route.link
        and address.address.version == route.to.version
        for address in expect.addresses
    )


def _check_other_defaults(expect: Expectation, host: HostState, tally: Tally) -> None:
    """Any other default route of a family that has a planned one.

    It fails the host when it can win; one with a worse metric waits for the planned one to go.
    """
    for other in _other_defaults(expect, host):
        planned = [route for route in expect.defaults if route.to == other.to]
        best = min(
            (
                seen.metric
                for seen in host.routes
                for route in planned
                if (seen.to, seen.via, seen.link) == (route.to, route.via, route.link)
            ),
            default=None,
        )
        loses = best is not None and other.metric > best
        tally.found(
            Finding(
                network=planned[0].network,
                check="default_route",
                severity=DEGRADED if loses else FAILED,
                subject=str(other.to),
                expected=f"only {_hop(planned[0].via, planned[0].link)}",
                seen=f"also {_hop(other.via, other.link)} metric {other.metric}",
            )
        )


def _other_defaults(expect: Expectation, host: HostState) -> Iterable[SeenRoute]:
    planned = {(route.to, route.via, route.link) for route in expect.defaults}
    families = {route.to for route in expect.defaults}
    return (
        seen
        for seen in host.routes
        if seen.to in families and (seen.to, seen.via, seen.link) not in planned
    )


def _hop(via: IPAddress | None, link: str) -> str:
    return f"via {via} on {link}" if via else f"on {link}"
