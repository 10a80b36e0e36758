# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock-out guard: which changes are held, in which words, and how little is asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_door import Door, complete
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_guard import WayIn
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_guard_reading import (
    hold,
    rules_after,
)

Settings = dict[str, Any]
Named = dict[str, Settings]
SSH = WayIn("eth0", "10.1.2.3", 22, "tcp", "10.1.0.1")
OPEN: Settings = {"ports": [("22", "tcp")]}


@dataclass
class Change:
    """What a change leaves behind; None for what goes."""

    after_zones: dict[str, Settings | None] = field(default_factory=dict)
    after_policies: dict[str, Settings | None] = field(default_factory=dict)
    after_ipsets: dict[str, Settings | None] = field(default_factory=dict)
    after_services: dict[str, Settings | None] = field(default_factory=dict)


class Firewalld(Door):
    """A firewalld with these objects, that counts what it is asked."""

    def __init__(self, live: bool = True, **objects: Named) -> None:
        self.live = live
        self.objects = {
            kind: {name: complete(kind, given) for name, given in objects.get(kind, {}).items()}
            for kind in ("zone", "policy", "ipset", "service")
        }
        self.asked: list[str] = []

    def runtime(self, kind: str, name: str) -> Settings | None:
        assert self.live
        self.asked.append(f"{kind} {name}")
        return self.objects[kind].get(name)

    def permanent(self, kind: str, name: str) -> Settings | None:
        assert not self.live
        return self.objects[kind].get(name)

    def names(self, kind: str, permanent: bool) -> list[str]:
        assert permanent != self.live
        self.asked.append(f"names of {kind}")
        return sorted(self.objects[kind])

    def default_zone(self) -> str:
        self.asked.append("default zone")
        return "public"

    def bindings(self) -> dict[str, dict[str, list[str]]]:
        self.asked.append("bindings")
        keys = ("interfaces", "sources")
        return {
            name: {key: zone[key] for key in keys}
            for name, zone in self.objects["zone"].items()
            if any(zone[key] for key in keys)
        }


PUBLIC = {"services": ["ssh", "web"]}
SERVICES = {"ssh": {"ports": [("22", "tcp")]}, "web": {"ports": [("80", "tcp")]}}


def firewalld(live: bool = True, **objects: Named) -> Firewalld:
    zones = {"public": PUBLIC, **objects.pop("zone", {})}
    services = {**SERVICES, **objects.pop("service", {})}
    return Firewalld(live, zone=zones, service=services, **objects)


def held(door: Door, change: Change, *named: WayIn, over: WayIn | None = SSH) -> list[str]:
    return hold(door, change, named, lambda: over, lambda: ["eth0", "lo", "oob"])


# -- the current connection ----------------------------------------------------------------------


def test_a_change_that_leaves_the_connection_open_is_let_through() -> None:
    assert held(firewalld(), Change({"lcm": {"interfaces": ["eth1"]}})) == []


def test_a_change_that_binds_the_interface_to_a_zone_that_is_shut_is_held() -> None:
    change = Change({"lcm": {"interfaces": ["eth0"], "ports": [("80", "tcp")]}})
    assert held(firewalld(), change) == [
        "The current SSH connection, 10.1.2.3 to 22/tcp on eth0: after the change it falls into "
        "zone lcm, and nothing in zone lcm opens 22/tcp to it. Let zone lcm accept 22/tcp, bind "
        "eth0 or 10.1.2.3 to a zone that does, or name in 'way_in' another way that stays open."
    ]


@pytest.mark.parametrize(
    "change",
    [
        Change({"public": {"services": ["web"]}}),
        Change({"public": {**PUBLIC, "rich_rules": ["rule service name=ssh drop"]}}),
        Change({"z": {"sources": ["10.1.2.0/24"]}}),
        Change({"z": {"sources": ["ipset:new"]}}, after_ipsets={"new": {
            "type": "hash:net", "options": {}, "entries": ["10.0.0.0/8"]}}),
        Change(after_policies={"p": {"priority": -5, "target": "DROP", "ingress_zones": ["ANY"],
                                     "egress_zones": ["HOST"]}}),
        Change(after_services={"ssh": {"ports": [("2222", "tcp")]}}),
    ],
    ids=["service", "rich rule", "source", "ipset", "policy", "service definition"],
)  # fmt: skip
def test_whatever_closes_the_connection_is_found(change: Change) -> None:
    (problem,) = held(firewalld(), change)
    assert problem.startswith("The current SSH connection, ")


def test_entries_of_an_ipset_that_is_a_source_already_are_found() -> None:
    sets = {"s": {"type": "hash:net", "entries": []}}
    door = firewalld(zone={"admin": {"sources": ["ipset:s"]}}, ipset=sets)
    after = {"s": {"type": "hash:net", "options": {}, "entries": ["10.1.0.0/16"]}}
    assert held(door, Change(after_ipsets={**after}))
    assert held(door, Change()) == []


def test_a_zone_that_loses_its_interface_no_longer_counts() -> None:
    door = firewalld(zone={"old": {"interfaces": ["eth0"], **OPEN}, "public": {}})
    (problem,) = held(door, Change({"new": {"interfaces": ["eth0"]}}))
    assert "zone new" in problem
    (problem,) = held(door, Change({"old": {"interfaces": [], **OPEN}}))
    assert "zone public" in problem
    (problem,) = held(door, Change({"old": None}))
    assert "zone public" in problem


def test_a_source_that_moves_to_another_zone_leaves_the_one_that_had_it() -> None:
    door = firewalld(zone={"a": {"sources": ["10.1.0.0/16"], **OPEN}})
    (problem,) = held(door, Change({"b": {"sources": ["10.1.0.0/16"]}}))
    assert "zone b" in problem


def test_a_policy_that_goes_no_longer_opens() -> None:
    policy = {"priority": -1, "ingress_zones": ["ANY"], "egress_zones": ["HOST"], **OPEN}
    door = firewalld(zone={"public": {}}, policy={"p": policy})
    assert held(door, Change()) == []
    assert held(door, Change(after_policies={"p": None}))


def test_nothing_is_held_without_an_ssh_connection_and_nothing_is_asked() -> None:
    door = firewalld()
    assert held(door, Change({"public": {}}), over=None) == []
    assert door.asked == []


def test_a_change_elsewhere_is_not_blamed_for_a_connection_that_the_rules_do_not_explain() -> None:
    # a limit may let it in; and a connection may be older than the rules
    for public in ({"rich_rules": ["rule service name=ssh accept limit value=3/m"]}, {}):
        door = firewalld(zone={"public": public})
        assert held(door, Change({"lcm": {"interfaces": ["eth1"]}})) == []
        more = {**public, "ports": [("443", "tcp")]}
        assert held(door, Change({"public": more})) == []


def test_a_change_that_adds_a_doubt_is_held_and_says_so() -> None:
    drop = ["rule service name=ssh drop limit value=3/m"]
    (problem,) = held(firewalld(), Change({"public": {**PUBLIC, "rich_rules": drop}}))
    assert "nobody can tell for sure; the safe side was taken" in problem


def test_offline_the_configuration_on_disk_is_asked_and_nothing_is_excused() -> None:
    door = firewalld(live=False, zone={"public": {}})
    (problem,) = held(door, Change())
    assert "once firewalld starts with this it falls into zone public" in problem
    assert held(firewalld(live=False), Change()) == []


# -- ways that the user names --------------------------------------------------------------------

OOB = WayIn("oob", "10.9.0.5", 22)


def test_a_named_way_that_is_open_lets_the_current_connection_close() -> None:
    change = Change({"lcm": {"interfaces": ["eth0"]}, "oob": {"interfaces": ["oob"], **OPEN}})
    assert held(firewalld(), change, OOB) == []


def test_every_named_way_must_be_open_and_all_that_are_not_are_told() -> None:
    change = Change({"oob": {"interfaces": ["oob"]}})
    problems = held(firewalld(), change, OOB, SSH, WayIn("oob", "10.9.0.6", 2222))
    assert problems == [
        "way_in[0]: 10.9.0.5 to 22/tcp on oob: after the change it falls into zone oob, and "
        "nothing in zone oob opens 22/tcp to it. Name a way that is open after the change, or "
        "open this one in the same change.",
        "way_in[2]: 10.9.0.6 to 2222/tcp on oob: after the change it falls into zone oob, and "
        "nothing in zone oob opens 2222/tcp to it. Name a way that is open after the change, or "
        "open this one in the same change.",
    ]


def test_a_named_way_by_an_interface_that_is_not_there_is_refused() -> None:
    assert held(firewalld(), Change(), WayIn("oob1", "10.9.0.5", 22)) == [
        "way_in[0].interface: oob1: this host has no such interface. Give one of: eth0, lo, oob."
    ]


# -- what is asked -------------------------------------------------------------------------------


def test_only_what_the_way_can_meet_is_read() -> None:
    zones = {f"z{number}": {"interfaces": [f"eth{number}"]} for number in range(1, 20)}
    door = firewalld(zone=zones, policy={"p": {"egress_zones": ["HOST"]}})
    rules = rules_after(door, Change({"lcm": {"interfaces": ["vlan7"], **OPEN}}), SSH)
    assert sorted(door.asked) == [
        "bindings", "default zone", "names of policy", "policy p", "service ssh", "service web",
        "zone public",
    ]  # fmt: skip
    assert rules.zones["public"]["services"] == ["ssh", "web"]


def test_what_a_service_includes_and_a_rich_rule_names_is_read_too() -> None:
    rule = 'rule source ipset="admins" service name="login" accept'
    door = firewalld(
        zone={"public": {"rich_rules": [rule]}},
        service={"login": {"includes": ["ssh", "login"]}},
        ipset={"admins": {"type": "hash:net", "entries": ["10.1.2.0/24"]}},
    )
    assert held(door, Change({"public": {"rich_rules": [rule], "ports": []}})) == []


def test_an_object_of_the_change_is_not_read_from_firewalld() -> None:
    door = firewalld()
    rules_after(door, Change({"public": PUBLIC}, after_services={"ssh": {}, "web": {}}), SSH)
    assert sorted(door.asked) == ["bindings", "default zone", "names of policy"]
