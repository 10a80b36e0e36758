# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewalld in memory that behaves as version 1.3 does where the module could notice.

Ports are added and removed one by one, joined and cut (firewall/functions.py); a call that is
refused in its middle leaves its first half done; nothing appears in the runtime without a reload.
"""

from __future__ import annotations

import copy
import ipaddress
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_door import (
    KINDS,
    SHAPES,
    Direct,
    Door,
    Gone,
    Refused,
    Settings,
    complete,
)

State = dict[str, dict[str, Settings]]
RELOAD_ONLY = {"target", "priority", "type", "options"}
SERVICES = ("ssh", "http", "https", "dns", "ntp")
BUILT_IN_ZONES = ("drop", "external", "public", "trusted")


def zone(**keys: Any) -> Settings:
    return complete("zone", {"forward": True, **keys})


def policy(**keys: Any) -> Settings:
    return complete("policy", keys)


def ipset(*entries: str, **keys: Any) -> Settings:
    return complete("ipset", {"type": "hash:net", **keys, "entries": list(entries)})


def service(*ports: tuple[str, str], **keys: Any) -> Settings:
    return complete("service", {**keys, "ports": list(ports)})


def fresh_state() -> State:
    """What Debian's packages bring, shortened."""
    state: State = {kind: {} for kind in KINDS}
    state["zone"] = {name: zone() for name in BUILT_IN_ZONES}
    state["zone"]["public"] = zone(services=["ssh"])
    state["zone"]["trusted"] = zone(target="ACCEPT")
    state["zone"]["external"] = zone(services=["ssh"], masquerade=True)
    state["service"] = {name: service((str(1000 + at), "tcp")) for at, name in enumerate(SERVICES)}
    return state


@dataclass
class Machine:
    """What lasts between two runs of the module: the disk and the daemon's memory."""

    disk: State = field(default_factory=fresh_state)
    memory: State = field(default_factory=fresh_state)
    direct_permanent: Direct = field(default_factory=Direct)
    direct: Direct = field(default_factory=Direct)
    default_zone: str = "public"
    backend: str = "nftables"
    iptables: list[str] = field(default_factory=list)
    reloads: int = 0
    broken_disk: str = ""
    log: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def copy(self) -> Machine:
        return copy.deepcopy(self)


class FakeKeeping:
    """The iptables commands of the fake machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def save(self) -> Any:
        return list(self.machine.iptables)

    def put_back(self, saved: Any) -> int:
        lost = [rule for rule in saved if rule not in self.machine.iptables]
        self.machine.iptables += lost
        return len(lost)


class FakeDoor(Door):
    """A door to a Machine; ``dies_at`` makes the call of that number raise Gone.

    ``after``: that call is done nevertheless, and only its answer is lost.
    """

    def __init__(
        self, machine: Machine, live: bool = True, dies_at: int = 0, after: bool = False
    ) -> None:
        self.machine = machine
        self.live = live
        self.calls = 0
        self._dies_at = dies_at
        self._after = after

    def _call(self, *what: Any) -> None:
        self.calls += 1
        self.machine.log.append(what)
        if self.calls == self._dies_at and not self._after:
            raise Gone("firewalld has gone.")

    def _answer(self) -> None:
        if self.calls == self._dies_at and self._after:
            raise Gone("firewalld has gone.")

    def _refuse(self, code: str, message: str) -> Refused:
        self.machine.refusals.append(f"{code}: {message}")
        return Refused(code, f"{code}: {message}")

    # --- reading ----------------------------------------------------------------------------------

    def permanent(self, kind: str, name: str) -> Settings | None:
        self._call("permanent", kind, name)
        return copy.deepcopy(self.machine.disk[kind].get(name))

    def runtime(self, kind: str, name: str) -> Settings | None:
        assert self.live
        self._call("runtime", kind, name)
        return copy.deepcopy(self.machine.memory[kind].get(name))

    def names(self, kind: str, permanent: bool) -> list[str]:
        self._call("names", kind, permanent)
        return sorted((self.machine.disk if permanent else self.machine.memory)[kind])

    def default_zone(self) -> str:
        self._call("default_zone")
        return self.machine.default_zone

    def backend(self) -> str:
        self._call("backend")
        return self.machine.backend

    def version(self) -> str:
        return "1.3.3"

    def icmp_types(self) -> list[str]:
        self._call("icmp_types")
        return ["echo-request", "redirect"]

    def bindings(self) -> dict[str, dict[str, list[str]]]:
        self._call("bindings")
        state = self.machine.memory if self.live else self.machine.disk
        return {
            name: {key: list(one[key]) for key in ("interfaces", "sources")}
            for name, one in state["zone"].items()
            if one["interfaces"] or one["sources"]
        }

    def permanent_zone_of(self, what: str, name: str) -> str | None:
        self._call("permanent_zone_of", what, name)
        return _zone_of(self.machine.disk, f"{what}s", name)

    def normal_rich_rule(self, text: str) -> str:
        if not text.startswith("rule"):
            raise Refused("INVALID_RULE", f"INVALID_RULE: {text}")
        return " ".join(text.split())

    # --- writing ----------------------------------------------------------------------------------

    def write_permanent(self, kind: str, name: str, settings: Settings) -> None:
        self._call("write_permanent", kind, name, tuple(settings))
        settings = copy.deepcopy(settings)
        disk = self.machine.disk
        self._check(disk, kind, name, settings)
        new = complete(kind, {"forward": True} if kind == "zone" else {})
        disk[kind][name] = {**disk[kind].get(name, new), **settings}
        self._answer()

    def remove_permanent(self, kind: str, name: str) -> None:
        self._call("remove_permanent", kind, name)
        self.machine.disk[kind].pop(name, None)
        self._answer()

    def set_runtime(self, kind: str, name: str, settings: Settings) -> None:
        self._call("set_runtime", kind, name, tuple(settings))
        settings = copy.deepcopy(settings)
        one = self.machine.memory[kind].get(name)
        if one is None:
            raise self._refuse(f"INVALID_{kind.upper()}", name)
        if kind == "service" or RELOAD_ONLY & set(settings):
            raise self._refuse("INVALID_SETTING", name)
        self._check(self.machine.memory, kind, name, settings)
        for key, value in settings.items():
            if key in ("ports", "source_ports"):
                self._set_ports(one, key, value)
            else:
                one[key] = value
        self._answer()

    def _set_ports(self, one: Settings, key: str, value: list[Any]) -> None:
        old = list(one[key])
        for item in sorted(set(old) - set(value)):
            try:
                one[key] = remove_port(one[key], item)
            except LookupError as error:
                raise self._refuse("NOT_ENABLED", str(item)) from error
        for item in sorted(set(value) - set(old)):
            try:
                one[key] = add_port(one[key], item)
            except LookupError as error:
                raise self._refuse("ALREADY_ENABLED", str(item)) from error

    def move(self, what: str, name: str, zone: str) -> None:
        self._call("move", what, name, zone)
        zones = self.machine.memory["zone"]
        if zone not in zones:
            raise self._refuse("INVALID_ZONE", zone)
        key = f"{what}s"
        for other in zones.values():
            if name in other[key]:
                other[key].remove(name)
        zones[zone][key].append(name)
        self._answer()

    def _check(self, state: State, kind: str, name: str, settings: Settings) -> None:
        assert set(settings) <= set(SHAPES[kind]), settings
        for key in ("interfaces", "sources") if kind == "zone" else ():
            for item in settings.get(key, ()):
                owner = _zone_of(state, key, item)
                if owner not in (None, name):
                    raise self._refuse("ZONE_CONFLICT", f"{item} is in {owner}")
                if item.startswith("ipset:") and item[6:] not in state["ipset"]:
                    raise self._refuse("INVALID_IPSET", item)
        for item in settings.get("services", ()):
            if item not in state["service"]:
                raise self._refuse("INVALID_SERVICE", item)
        for key in ("ingress_zones", "egress_zones"):
            for item in settings.get(key, ()):
                if item not in ("ANY", "HOST") and item not in state["zone"]:
                    raise self._refuse("INVALID_ZONE", item)
        if kind == "ipset":
            _refuse_overlaps(self, settings.get("entries", []))

    # --- the whole --------------------------------------------------------------------------------

    def check_permanent(self) -> None:
        self._call("check_permanent")
        if self.machine.broken_disk:
            raise Refused("INVALID_ZONE", self.machine.broken_disk)
        self._check_disk()

    def _check_disk(self) -> None:
        disk = self.machine.disk
        for kind in ("zone", "policy"):
            for name, one in disk[kind].items():
                self._check(disk, kind, name, one)

    def reload(self) -> None:
        self._call("reload")
        if self.machine.broken_disk:
            raise Refused("INVALID_ZONE", self.machine.broken_disk)
        self._check_disk()
        self.machine.memory = copy.deepcopy(self.machine.disk)
        self.machine.direct = self.machine.direct_permanent
        self.machine.iptables = []
        self.machine.reloads += 1
        self._answer()

    def direct(self) -> Direct:
        self._call("direct")
        return self.machine.direct

    def set_direct(self, rules: Direct) -> None:
        self._call("set_direct")
        new = rules.without(self.machine.direct)
        now = self.machine.direct
        self.machine.direct = Direct(
            now.chains + new.chains, now.rules + new.rules, now.passthroughs + new.passthroughs
        )
        self._answer()


def _zone_of(state: State, key: str, item: str) -> str | None:
    return next((name for name, one in state["zone"].items() if item in one[key]), None)


def _refuse_overlaps(door: FakeDoor, entries: list[str]) -> None:
    try:
        networks = sorted(ipaddress.ip_network(entry) for entry in entries)
    except (TypeError, ValueError):
        return
    for left, right in itertools.pairwise(networks):
        if left.overlaps(right):
            raise door._refuse("INVALID_ENTRY", f"{left} overlaps {right}")
    if any(str(network).endswith("/0") for network in networks):
        raise door._refuse("INVALID_ENTRY", "/0")


Port = tuple[str, str]


def _span(text: str) -> tuple[int, int]:
    numbers = [int(number) for number in re.split("-", text)]
    return numbers[0], numbers[-1]


def _text(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


def add_port(ports: list[Port], new: Port) -> list[Port]:
    """Policy.add_port with coalescePortRange."""
    first, last = _span(new[0])
    same = [item for item in ports if item[1] == new[1]]
    spans = sorted(_span(item[0]) for item in same)
    if any(a <= first and last <= b for a, b in spans):
        raise LookupError(new)
    removed = []
    for a, b in spans:
        if first <= a and last >= b:
            removed.append((a, b))
        elif first <= a <= last < b:
            removed.append((a, b))
            last = b
        elif a < first <= b <= last:
            removed.append((a, b))
            first = a
    gone = {(_text(span), new[1]) for span in removed}
    return [item for item in ports if item not in gone] + [(_text((first, last)), new[1])]


def remove_port(ports: list[Port], old: Port) -> list[Port]:
    """Policy.remove_port with breakPortRange."""
    first, last = _span(old[0])
    spans = [_span(item[0]) for item in ports if item[1] == old[1]]
    if not any(a <= first and last <= b for a, b in spans):
        raise LookupError(old)
    result = list(ports)
    for a, b in spans:
        if b < first or last < a:
            continue
        result.remove((_text((a, b)), old[1]))
        if a < first:
            result.append((_text((a, first - 1)), old[1]))
        if last < b:
            result.append((_text((last + 1, b)), old[1]))
    return result
