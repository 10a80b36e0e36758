# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether firewalld would let a new connection in: its dispatch, as a pure function.

The order is the one that firewalld 1.3.3 writes to nftables (``core/nftables.py``), read there and
tried with real connections:

1. The zone. First by source: zones in the order of their names, the first with a source that
   matches wins, however wide that source is. Then by interface: of several bindings that match
   (``eth0`` and ``eth+``) the one made last stands first, which nobody can ask for. Then the
   default zone.
2. Ports that are forwarded (table nat) never get to the port's own listener.
3. Policies that end at HOST with a negative priority, the lowest first. They are dispatched by
   interfaces and sources of their zones themselves, not by the zone found in 1.
4. The zone's rich rules with a negative priority; then what rejects or drops; then what accepts:
   rules, ports, services, protocols and source ports alike; then rules with a positive priority.
5. Policies with a positive priority. 6. The zone's target.

Some questions have no answer beforehand: a limit, the peer's MAC address, rules of one priority
whose order is not told. There a rule that may deny denies, and one that may accept does not.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Union

from .firewalld_rich_rule import End, RichRule, rich_rules_of

Settings = dict[str, Any]
_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# IANA's protocol numbers, of those that have ports
_NUMBERS = {"tcp": "6", "udp": "17", "dccp": "33", "sctp": "132"}
_LAST_PORT = 65535


class Match(enum.IntEnum):
    """Whether something matches. "And" is min(), "or" is max(), "not" is 2 - x."""

    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True)
class WayIn:
    """A way to a port of this host. Of ``source``, an address or a network, all must come in.

    ``destination`` is this host's own address where it is known; some rules name it.
    """

    interface: str
    source: str
    port: int
    protocol: str = "tcp"
    destination: str | None = None

    def __str__(self) -> str:
        return f"{self.source} to {self.port}/{self.protocol} on {self.interface}"


@dataclass(frozen=True)
class Rules:
    """What a firewalld has at runtime, as far as a way in may meet it."""

    default_zone: str
    zones: Mapping[str, Settings]
    policies: Mapping[str, Settings] = field(default_factory=dict)
    ipsets: Mapping[str, Settings] = field(default_factory=dict)
    services: Mapping[str, Settings] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Whether a new connection comes in for sure, in which zone, and why.

    ``decided`` is False when the safe side was taken because the rules alone do not tell.
    """

    open: bool
    zone: str
    why: str
    decided: bool = True


@dataclass(frozen=True)
class _Step:
    """A rule on the way: whether it matches and what it then does."""

    match: Match
    accepts: bool
    why: str

    @property
    def ends(self) -> bool:
        """Whether nothing behind it is to be counted on."""
        return self.match == Match.YES if self.accepts else self.match != Match.NO


def accepts(rules: Rules, way: WayIn) -> Answer:
    """Whether ``way`` is open to a new connection. Panic mode is not looked at."""
    question = _Question(rules, way)
    answers = [question.in_zone(zone) for zone in zones_of(rules, way)]
    shut = [answer for answer in answers if not answer.open]
    if not shut:
        return replace(answers[0], decided=all(answer.decided for answer in answers))
    unsure = len(shut) < len(answers) or not all(answer.decided for answer in shut)
    return replace(shut[0], decided=not unsure)


def zones_of(rules: Rules, way: WayIn) -> list[str]:
    """The zones that the way may fall into: one, or several where that cannot be told."""
    question = _Question(rules, way)
    found: list[str] = []
    for name in sorted(rules.zones):
        match = question.from_sources(rules.zones[name].get("sources", ()))
        if match != Match.NO:
            found.append(name)
        if match == Match.YES:
            return found
    bound = [
        name
        for name in sorted(rules.zones)
        if carries(rules.zones[name].get("interfaces", ()), way.interface)
    ]
    return list(dict.fromkeys(found + (bound or [rules.default_zone])))


def trail(rules: Rules, way: WayIn) -> list[tuple[str, bool, int, str]]:
    """All that the way may meet, in order: equal trails of two sets of rules mean equal answers."""
    question = _Question(rules, way)
    return [
        (zone, step.accepts, int(step.match), step.why)
        for zone in zones_of(rules, way)
        for step in question.steps(zone, rules.zones.get(zone, {}))
        if step.match != Match.NO
    ]


def carries(bindings: Iterable[str], interface: str) -> bool:
    """Whether one of a zone's interfaces is this one; ``eth+`` is all that begin with eth."""
    return any(
        interface.startswith(bound[:-1]) if bound.endswith("+") else interface == bound
        for bound in bindings
    )


class _Question:
    """One way in, asked of one set of rules."""

    def __init__(self, rules: Rules, way: WayIn) -> None:
        self.rules = rules
        self.way = way
        self.source = _network(way.source)
        self.destination = _network(way.destination or "")
        known = self.source or self.destination
        self.version = known.version if known else None

    def in_zone(self, zone: str) -> Answer:
        """The answer when the way falls into this zone."""
        if self.way.interface == "lo":
            return Answer(True, zone, "what comes from the host itself is let in")
        settings = self.rules.zones.get(zone)
        if settings is None:
            return Answer(False, zone, "the zone's settings are not known", decided=False)
        *steps, last = _to_the_end(self.steps(zone, settings))
        skipped = [step for step in steps if step.match == Match.MAYBE]
        why = last.why
        if not last.accepts and skipped:
            why += f"; {skipped[0].why}, but not for sure"
        decided = last.match == Match.YES and (last.accepts or not skipped)
        return Answer(last.accepts, zone, why, decided)

    def from_sources(self, sources: Iterable[str]) -> Match:
        """Whether one of a zone's sources matches: a network, a MAC address or an ipset."""
        return max((self._from_source(source) for source in sources), default=Match.NO)

    def _from_source(self, source: str) -> Match:
        if source.startswith("ipset:"):
            return self._in_ipset(source[len("ipset:") :], self.source)
        network = _network(source)
        # no address: a MAC address, which only the wire tells
        return self._in_network(network, self.source) if network else Match.MAYBE

    def steps(self, zone: str, settings: Settings) -> Iterator[_Step]:
        """All rules in the order in which a packet meets them; the last one always ends."""
        yield from self._diversions(zone, settings)
        yield from self._policies(before=True)
        yield from self._body(f"zone {zone}", settings)
        yield from self._policies(before=False)
        target = settings.get("target", "default")
        if target == "ACCEPT":
            yield _Step(Match.YES, True, f"the target of zone {zone} is ACCEPT")
        else:
            way = f"{self.way.port}/{self.way.protocol}"
            yield _Step(Match.YES, False, f"nothing in zone {zone} opens {way} to it")

    def _policies(self, before: bool) -> Iterator[_Step]:
        """The policies before or behind the zone's own rules."""
        chosen: dict[int, list[list[_Step]]] = {}
        for name, settings in sorted(self.rules.policies.items()):
            priority = int(settings.get("priority", -1))
            if "HOST" in settings.get("egress_zones", ()) and (priority < 0) == before:
                chosen.setdefault(priority, []).append(list(self._policy(name, settings)))
        for priority in sorted(chosen):
            same = chosen[priority]
            if len(same) == 1:
                yield from same[0]
            else:
                yield from _in_any_order([step for steps in same for step in _to_the_end(steps)])

    def _policy(self, name: str, settings: Settings) -> Iterator[_Step]:
        entered = self._enters(settings)
        target = settings.get("target", "CONTINUE")
        steps = list(self._body(f"policy {name}", settings))
        if target != "CONTINUE":
            why = f"the target of policy {name} is {target}"
            steps.append(_Step(Match.YES, target == "ACCEPT", why))
        for step in steps:
            yield replace(step, match=min(step.match, entered))

    def _enters(self, policy: Settings) -> Match:
        """Whether a policy is asked: by the interfaces and sources of its ingress zones."""
        ingress = policy.get("ingress_zones", ())
        if "ANY" in ingress:
            return Match.YES
        zones = [self.rules.zones.get(name) for name in ingress if name != "HOST"]
        if any(carries(zone.get("interfaces", ()), self.way.interface) for zone in zones if zone):
            return Match.YES
        return max(
            (self.from_sources(zone.get("sources", ())) if zone else Match.MAYBE for zone in zones),
            default=Match.NO,
        )

    def _diversions(self, zone: str, settings: Settings) -> Iterator[_Step]:
        """Ports that are forwarded: away from the port, and perhaps to it."""
        yield from self._forwards(f"zone {zone}", settings, Match.YES)
        for name, policy in sorted(self.rules.policies.items()):
            if "HOST" not in policy.get("ingress_zones", ()):
                yield from self._forwards(f"policy {name}", policy, self._enters(policy))

    def _forwards(self, owner: str, settings: Settings, entered: Match) -> Iterator[_Step]:
        found: list[tuple[Match, Sequence[str]]] = []
        for port, protocol, to_port, to_address in settings.get("forward_ports", ()):
            family = "ipv6" if ":" in (to_address or "") else "ipv4"
            found.append((self._of_family(family), (port, protocol, to_port, to_address)))
        for rule in rich_rules_of(settings):
            if rule.element == "forward-port":
                told = [rule.attributes.get(key, "") for key in _FORWARD_KEYS]
                found.append((self._rich_ends(rule), told))
        for match, (port, protocol, to_port, to_address) in found:
            reached = min(match, entered)
            if _covers(port, protocol, self.way):
                # somebody may listen there, but not whom the port belongs to
                why = f"a forward port of {owner} sends {port}/{protocol} elsewhere"
                yield _Step(min(reached, Match.MAYBE), False, why)
            elif not to_address and to_port and _covers(to_port, protocol, self.way):
                why = f"a forward port of {owner} brings {port}/{protocol} to it"
                yield _Step(min(reached, Match.MAYBE), True, why)

    def _body(self, owner: str, settings: Settings) -> Iterator[_Step]:
        """The rules of a zone or policy, without its target."""
        rich = [(rule, self._rich_step(owner, rule)) for rule in rich_rules_of(settings)]
        acting = [(rule.priority, step) for rule, step in rich if step]
        yield from _by_priority(item for item in acting if item[0] < 0)
        level = [step for priority, step in acting if priority == 0]
        yield from (step for step in level if not step.accepts)
        yield from (step for step in level if step.accepts)
        yield from self._opened(owner, settings)
        yield from _by_priority(item for item in acting if item[0] > 0)

    def _opened(self, owner: str, settings: Settings) -> Iterator[_Step]:
        for port, protocol in settings.get("ports", ()):
            if _covers(port, protocol, self.way):
                yield _Step(Match.YES, True, f"{owner} opens {port}/{protocol}")
        for name in settings.get("services", ()):
            yield _Step(self._service(name), True, f"{owner} opens the service {name}")
        for protocol in settings.get("protocols", ()):
            if _is_protocol(protocol, self.way):
                yield _Step(Match.YES, True, f"{owner} opens the protocol {protocol}")
        for port, protocol in settings.get("source_ports", ()):
            match = self._from_port(port, protocol)
            yield _Step(match, True, f"{owner} opens the source port {port}/{protocol}")

    def _rich_step(self, owner: str, rule: RichRule) -> _Step | None:
        if rule.action not in ("accept", "reject", "drop"):
            return None
        match = min(self._rich_ends(rule), self._rich_element(rule))
        if rule.limited:
            match = min(match, Match.MAYBE)
        accepting = rule.action == "accept"
        verb = {"accept": "accepts", "reject": "rejects", "drop": "drops"}[rule.action]
        return _Step(match, accepting, f"the rich rule '{rule.text}' of {owner} {verb} it")

    def _rich_ends(self, rule: RichRule) -> Match:
        """Whether family, source and destination of a rich rule match."""
        return min(
            self._of_family(rule.family),
            self._at_end(rule.source, self.source),
            self._at_end(rule.destination, self.destination),
        )

    def _at_end(self, end: End | None, ours: _Network | None) -> Match:
        if end is None:
            return Match.YES
        if end.mac or not (end.address or end.ipset):
            return Match.MAYBE
        if end.address:
            network = _network(end.address)
            version: int | None = network.version if network else None
            match = self._in_network(network, ours) if network else Match.MAYBE
        else:
            ipset = self.rules.ipsets.get(end.ipset or "", {})
            version = _set_version(ipset) if ipset else None
            match = self._in_ipset(end.ipset or "", ours)
        if not end.invert:
            return match
        # "not this address" still asks for a packet of the address' family
        other_family = version and self.version and version != self.version
        return Match.NO if other_family else Match(2 - match)

    def _rich_element(self, rule: RichRule) -> Match:
        value = rule.attributes
        if rule.element is None:
            return Match.YES
        if rule.element == "service":
            return self._service(value.get("name", ""))
        if rule.element == "protocol":
            return _yes(_is_protocol(value.get("value", ""), self.way))
        if rule.element == "port":
            return _yes(_covers(value.get("port", ""), value.get("protocol", ""), self.way))
        if rule.element == "source-port":
            return self._from_port(value.get("port", ""), value.get("protocol", ""))
        # ICMP, masquerading and segment sizes: nothing about a port
        return Match.NO

    def _service(self, name: str, seen: tuple[str, ...] = ()) -> Match:
        """Whether a service or one that it includes has the way's port."""
        service = self.rules.services.get(name)
        if service is None:
            return Match.MAYBE
        own = [_yes(_covers(port, proto, self.way)) for port, proto in service.get("ports", ())]
        own += [_yes(_is_protocol(each, self.way)) for each in service.get("protocols", ())]
        own += [self._from_port(port, proto) for port, proto in service.get("source_ports", ())]
        match = min(max(own, default=Match.NO), self._at_service(service))
        others = [each for each in service.get("includes", ()) if each not in (*seen, name)]
        return max([match, *(self._service(each, (*seen, name)) for each in others)])

    def _at_service(self, service: Settings) -> Match:
        """Whether the packet goes where a service has its destination, if it has one."""
        destination = {key: value for key, value in service.get("destination", {}).items() if value}
        if not destination:
            return Match.YES
        found = Match.NO
        for family, address in destination.items():
            there = self._at_end(End(address=address), self.destination)
            found = max(found, min(self._of_family(family), there))
        return found

    def _of_family(self, family: str | None) -> Match:
        if not family:
            return Match.YES
        if self.version is None:
            return Match.MAYBE
        return _yes(family == f"ipv{self.version}")

    def _from_port(self, port: str, protocol: str) -> Match:
        """A rule on the peer's port, which is anybody's guess unless it means all."""
        if not _is_protocol(protocol, self.way):
            return Match.NO
        first, last = _range(port)
        return Match.YES if first <= 1 and last >= _LAST_PORT else Match.MAYBE

    def _in_network(self, network: _Network, ours: _Network | None) -> Match:
        if ours is None:
            other = self.version is not None and self.version != network.version
            return Match.NO if other else Match.MAYBE
        if ours.version != network.version or not ours.overlaps(network):
            return Match.NO
        return Match.YES if ours.prefixlen >= network.prefixlen else Match.MAYBE

    def _in_ipset(self, name: str, ours: _Network | None) -> Match:
        ipset = self.rules.ipsets.get(name)
        if ipset is None:
            return Match.MAYBE
        parts = ipset.get("type", "").partition(":")[2].split(",")
        entries = ipset.get("entries", ())
        # entries that time out are put in past firewalld: it does not know them
        if int(ipset.get("options", {}).get("timeout", 0) or 0):
            return Match.MAYBE
        if parts[0] == "mac":
            return Match.MAYBE if entries else Match.NO
        if self.version is not None and self.version != _set_version(ipset):
            return Match.NO
        match = max(
            (
                self._in_network(network, ours)
                for entry in entries
                for network in _entry_networks(entry)
            ),
            default=Match.NO,
        )
        # the other parts (a peer's port, a mark, an interface) nobody knows
        return match if len(parts) == 1 else min(match, Match.MAYBE)


_FORWARD_KEYS = ("port", "protocol", "to-port", "to-addr")


def _by_priority(steps: Iterable[tuple[int, _Step]]) -> Iterator[_Step]:
    """Rich rules of either side of 0; those of one priority stand in no order that is told."""
    chosen: dict[int, list[_Step]] = {}
    for priority, step in steps:
        chosen.setdefault(priority, []).append(step)
    for priority in sorted(chosen):
        yield from _in_any_order(chosen[priority])


def _to_the_end(steps: Iterable[_Step]) -> Iterator[_Step]:
    """The steps up to the first behind which nothing is to be counted on."""
    for step in steps:
        yield step
        if step.ends:
            return


def _in_any_order(steps: Iterable[_Step]) -> list[_Step]:
    """Steps of which any may be the first: what denies then only may deny."""
    met = [step for step in steps if step.match != Match.NO]
    accepting = [step for step in met if step.accepts]
    denying = [step for step in met if not step.accepts]
    if accepting:
        denying = [replace(step, match=Match.MAYBE) for step in denying]
    return denying + accepting


def _yes(matches: bool) -> Match:
    return Match.YES if matches else Match.NO


def _covers(port: str, protocol: str, way: WayIn) -> bool:
    first, last = _range(port)
    return protocol == way.protocol and first <= way.port <= last


def _is_protocol(protocol: str, way: WayIn) -> bool:
    return protocol in (way.protocol, _NUMBERS.get(way.protocol))


def _range(port: str) -> tuple[int, int]:
    first, _dash, last = str(port).partition("-")
    return int(first), int(last or first)


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if text else None
    except ValueError:
        return None


def _set_version(ipset: Settings) -> int:
    return 6 if ipset.get("options", {}).get("family") == "inet6" else 4


def _entry_networks(entry: str) -> list[_Network]:
    """The addresses of an ipset's entry: one, a network, or a range of them."""
    address = entry.split(",", 1)[0]
    first, dash, last = address.partition("-")
    if not dash:
        network = _network(address)
        return [network] if network else []
    try:
        ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        return list(ipaddress.summarize_address_range(*ends))
    except (TypeError, ValueError):
        return []
