# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every firewall and every wish, tried on random ones."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_difference import plan
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_door import (
    Direct,
    FirewalldError,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_observe import (
    DoorKnown,
    observe,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_options import read
from tests.unit.module_utils.firewalld_driving import Host, meaning
from tests.unit.module_utils.firewalld_fake import (
    FakeDoor,
    Machine,
    ipset,
    policy,
    service,
    zone,
)

ZONES = ("alpha", "beta", "public", "trusted")
OTHER_ZONES = ("drop", "external")
INTERFACES = ("e0", "e1", "e2", "e3")
SOURCES = ("10.1.0.0/16", "10.2.0.5", "52:54:00:00:00:01", "ipset:one", "ipset:two")
RULES = ('rule service name="ssh" accept', "rule protocol value=gre drop", "rule accept")
FORWARDS = (("80", "tcp", "8080", ""), ("81", "tcp", "", "10.9.9.9"))
ENTRIES = ("10.0.0.0/24", "10.0.1.0/24", "10.0.0.7", "10.3.0.0/16", "10.3.4.0/24")
SPANS = ("20", "21", "22-25", "24-30", "26", "20-40", "53")
PROTOCOLS = ("tcp", "udp")


class Chance:
    """Random firewalls and wishes. One number makes each: Hypothesis' own lists are slow here."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def yes(self, of: int = 2) -> bool:
        return self.random.randrange(of) == 0

    def one(self, items: Any) -> Any:
        return self.random.choice(list(items))

    def some(self, items: Any, most: int = 3) -> list[Any]:
        items = list(items)
        return self.random.sample(items, self.random.randrange(min(most, len(items)) + 1))

    def ports(self) -> list[tuple[str, str]]:
        return self.some(itertools.product(SPANS, PROTOCOLS), 4)

    # --- a firewalld whose runtime has drifted from its disk, as they do --------------------------

    def machine(self) -> Machine:
        machine = Machine()
        disk = machine.disk
        disk["service"]["api"] = service(("6443", "tcp"))
        disk["ipset"]["one"] = ipset("10.0.0.0/24", options={"family": "inet"})
        for name in self.some(("alpha", "beta"), 2):
            disk["zone"][name] = zone(target=self.one(["default", "DROP"]))
        if self.yes():
            disk["policy"]["through"] = policy(ingress_zones=["ANY"], egress_zones=["HOST"])
        machine.memory = copy.deepcopy(disk)
        if self.yes():
            machine.memory["service"]["api"]["ports"] = []
        for state in (disk, machine.memory):
            for each in state["zone"].values():
                each.update(self._rules())
            self._bind(state)
        machine.memory["ipset"]["one"]["entries"] = self.one([[], ["10.0.0.0/24"]])
        machine.direct = Direct(passthroughs=(("ipv4", ("-A", "FORWARD", "-j", "ACCEPT")),))
        machine.iptables = ["-A KUBE-SERVICES -j ACCEPT"]
        return machine

    def _rules(self) -> dict[str, Any]:
        return {
            "ports": self.ports(),
            "services": self.some(("ssh", "http", "dns")),
            "rich_rules": self.some(RULES),
            "forward_ports": self.some(FORWARDS, 2),
            "masquerade": self.yes(),
        }

    def _bind(self, state: Any) -> None:
        for key, items in (("interfaces", INTERFACES), ("sources", SOURCES[:4])):
            for item in items:
                owner = self.one([None, *state["zone"]])
                if owner is not None:
                    state["zone"][owner][key].append(item)

    # --- options of the module that have no mistake of their own ----------------------------------

    def wish(self) -> dict[str, Any]:
        names = self.some(ZONES)
        interfaces = self.random.sample(INTERFACES, len(INTERFACES))
        sources = self.random.sample(SOURCES, len(SOURCES))
        zones = []
        for name in names:
            if name in ("alpha", "beta") and self.yes(5):
                zones.append({"name": name, "state": "absent"})
                continue
            item: dict[str, Any] = {"name": name, "exclusive": self.yes()}
            item.update({key: value for key, value in self._asked().items() if self.yes()})
            if self.yes():
                item["interfaces"] = [interfaces.pop() for _at in range(self.one((0, 1)))]
            if self.yes():
                item["sources"] = [sources.pop() for _at in range(self.one((0, 1, 1)))]
            if self.yes(4):
                item["target"] = self.one(["default", "DROP", "ACCEPT"])
            zones.append(item)
        entries = [self.some(ENTRIES, 5) for _name in range(2)]
        return {
            "zones": zones,
            "ipsets": [
                {"name": name, "exclusive": self.yes(), "entries": given}
                for name, given in zip(("one", "two"), entries, strict=True)
            ],
            "services": [
                {"name": "api", "exclusive": self.yes(), "ports": self._port_texts()}
                for _once in range(self.one((0, 1)))
            ],
            "policies": [self._policy() for _once in range(self.one((0, 1)))],
        }

    def _port_texts(self) -> list[str]:
        return ["/".join(port) for port in self.ports()]

    def _asked(self) -> dict[str, Any]:
        keys = ("port", "protocol", "to_port", "to_addr")
        return {
            "ports": self._port_texts(),
            "services": self.some(("ssh", "http", "api")),
            "rich_rules": self.some(RULES),
            "forward_ports": [
                dict(zip(keys, item, strict=True)) for item in self.some(FORWARDS, 2)
            ],
            "masquerade": self.yes(),
        }

    def _policy(self) -> dict[str, Any]:
        if self.yes(4):
            return {"name": "through", "state": "absent"}
        return {
            "name": self.one(["through", "other"]),
            "exclusive": True,
            "ingress_zones": self.one([["ANY"], ["public"], []]),
            "egress_zones": self.one([["HOST"], ["trusted"], []]),
            "ports": self._port_texts(),
            "target": self.one(["CONTINUE", "ACCEPT"]),
        }


def cases(count: int) -> Any:
    """Run a test with so many random firewalls and wishes."""

    def decorate(test: Any) -> Any:
        unhurried = settings(max_examples=count, deadline=None)
        return unhurried(given(st.integers(0, 1 << 48).map(_case))(test))

    return decorate


def _case(seed: int) -> tuple[Machine, dict[str, Any], Chance]:
    chance = Chance(seed)
    return chance.machine(), chance.wish(), chance


Case = tuple[Machine, dict[str, Any], Chance]


def run(host: Host, params: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A run, or no example at all when the random wish cannot be (a set that is used goes)."""
    try:
        return host.run(params, **options)
    except FirewalldError:
        raise
    except HostError as error:
        assume("nothing was changed" not in str(error))
        raise


def both(host: Host) -> dict[str, Any]:
    return {"disk": meaning(host.machine.disk), "memory": meaning(host.machine.memory)}


@cases(700)
def test_check_mode_predicts_what_the_real_run_does(case: Case) -> None:
    machine, params, _chance = case
    host = Host(machine)
    before = machine.copy()
    predicted = run(host, params, check=True)
    assert (machine.disk, machine.memory) == (before.disk, before.memory)
    desired = read(params, DoorKnown(FakeDoor(machine)))
    work = plan(desired, observe(FakeDoor(machine), desired))
    real = run(host, params)
    for key in ("changed", "changes", "diff", "reloads", "reload_reasons"):
        assert real[key] == predicted[key], key
    assert machine.refusals == []
    for state, after in ((machine.disk, work.permanent_after), (machine.memory, work.after)):
        for kind, objects in after.items():
            there = {name: one for name, one in objects.items() if one is not None}
            found = {name: state[kind][name] for name in objects if name in state[kind]}
            assert meaning({kind: found}) == meaning({kind: there})


@cases(700)
def test_a_second_run_changes_nothing(case: Case) -> None:
    machine, params, _chance = case
    host = Host(machine)
    run(host, params)
    machine.log.clear()
    again = host.run(params)
    assert not again["changed"]
    assert again["changes"] == []
    assert again["diff"] == {"before": "", "after": ""}
    reading = {"permanent", "runtime", "names", "bindings", "default_zone", "permanent_zone_of",
               "icmp_types", "backend"}  # fmt: skip
    assert {what for what, *_rest in machine.log} <= reading


@cases(700)
def test_nothing_of_others_is_lost_with_or_without_a_reload(case: Case) -> None:
    machine, params, _chance = case
    before = machine.copy()
    host = Host(machine)
    run(host, params)
    assert machine.direct == before.direct
    assert machine.iptables == before.iptables
    managed = {item["name"]: item for item in params["zones"]}
    claimed = {key: {one for item in params["zones"] for one in item.get(key, ())}
               for key in ("interfaces", "sources")}  # fmt: skip
    for state, former in ((machine.disk, before.disk), (machine.memory, before.memory)):
        for name, old in meaning({"zone": former["zone"]}).items():
            item = managed.get(name.removeprefix("zone "), {})
            if item.get("state") == "absent":
                continue
            now = meaning({"zone": state["zone"]})[name]
            for key, value in old.items():
                if key in claimed and key not in item:
                    assert set(value) - claimed[key] <= set(now[key]), (name, key)
                elif not item and key != "target":
                    assert now[key] == value, (name, key)
                elif isinstance(value, list) and not item.get("exclusive") and key != "ports":
                    kept = set(value) - claimed.get(key, set())
                    assert kept <= set(now[key]), (name, key)


@cases(400)
def test_the_order_of_lists_does_not_matter(case: Case) -> None:
    machine, params, chance = case
    other = Host(machine.copy())
    host = Host(machine)
    run(host, params)
    run(other, _shuffled(params, chance.random))
    assert both(host) == both(other)


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(one, chance) for key, one in value.items()}
    if isinstance(value, list):
        return [_shuffled(one, chance) for one in chance.sample(value, len(value))]
    return value


@cases(12)
def test_a_run_that_dies_at_any_call_is_finished_by_the_next(case: Case) -> None:
    machine, params, chance = case
    after = chance.yes()
    smooth = Host(machine.copy())
    run(smooth, params)
    for call in itertools.count(1):
        host = Host(machine.copy())
        try:
            host.run(params, door=FakeDoor(host.machine, dies_at=call, after=after))
        except FirewalldError:
            host.run(params)
        else:
            if len(host.machine.log) < call:
                break
        assert both(host) == both(smooth), call
        assert host.machine.direct == smooth.machine.direct
        assert host.machine.iptables == smooth.machine.iptables
        assert host.note.read() is None


@cases(200)
def test_offline_the_disk_alone_becomes_as_asked(case: Case) -> None:
    machine, params, _chance = case
    live = Host(machine.copy())
    run(live, params)
    offline = Host(machine)
    memory = copy.deepcopy(machine.memory)
    run(offline, params, door=FakeDoor(machine, live=False))
    assert meaning(machine.disk) == meaning(live.machine.disk)
    assert machine.memory == memory
