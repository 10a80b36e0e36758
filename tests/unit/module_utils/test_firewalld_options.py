# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in the firewall's options: one finding each, with its place, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_observe import DoorKnown
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_options import (
    PLURALS,
    SPECS,
    Wish,
    read,
)
from ansible_collections.underlay.cluster.plugins.modules import firewalld
from tests.unit.module_utils.firewalld_driving import Host
from tests.unit.module_utils.firewalld_fake import FakeDoor, Machine

OK = ["22/tcp", "53/udp", "1-2/tcp"]


def wishes(**params: Any) -> list[Wish]:
    return list(read(params, DoorKnown(FakeDoor(Machine()))).wishes)


def problems(**params: Any) -> list[str]:
    with pytest.raises(HostError) as raised:
        wishes(**params)
    return list(raised.value.problems)


def zone(**keys: Any) -> dict[str, Any]:
    return {"zones": [{"name": "lcm", **keys}]}


def ipset(**keys: Any) -> dict[str, Any]:
    return {"ipsets": [{"name": "cluster", **keys}]}


def policy(**keys: Any) -> dict[str, Any]:
    return {"policies": [{"name": "through", **keys}]}


BAD = [
    (zone(ports=[*OK, "0/tcp"]), "zones[0].ports[3]: '0/tcp'", "from 1 to 65535"),
    (zone(ports=["65536/tcp"]), "zones[0].ports[0]: '65536/tcp'", "from 1 to 65535"),
    (zone(ports=[*OK, "80-79/tcp"]), "zones[0].ports[3]: '80-79/tcp'", "write 79-80"),
    (zone(ports=["ssh "]), "zones[0].ports[0]: 'ssh '", "like 80/tcp"),
    (zone(ports=["80/icmp"]), "zones[0].ports[0]: '80/icmp'", "one of tcp, udp"),
    (zone(source_ports=["80"]), "zones[0].source_ports[0]: '80'", "like 80/tcp"),
    (zone(protocols=["gre", "nope"]), "zones[0].protocols[1]: 'nope'", "no protocol"),
    (zone(protocols=["256"]), "zones[0].protocols[0]: '256'", "at most 255"),
    (zone(prots=[]), "zones[0].prots:", "known are name"),
    (zone(target="REFUSE"), "zones[0].target: 'REFUSE'", "one of default"),
    (zone(state="gone"), "zones[0].state: 'gone'", "present or absent"),
    (zone(exclusive="perhaps"), "zones[0].exclusive:", "bool"),
    (zone(sources=["10.0.0.1/24"]), "zones[0].sources[0]: '10.0.0.1/24'", "write 10.0.0.0/24"),
    (zone(sources=["52:54:00:00:00:0g"]), "zones[0].sources[0]:", "MAC address like"),
    (zone(sources=["52:54:00:00:0:01"]), "zones[0].sources[0]:", "MAC address like"),
    (zone(sources=["somewhere"]), "zones[0].sources[0]: 'somewhere'", "10.0.0.0/24"),
    (zone(sources=["ipset:none"]), "zones[0].sources[0]: 'ipset:none'", "no ipset 'none'"),
    (zone(interfaces=["a b"]), "zones[0].interfaces[0]: 'a b'", "15 characters"),
    (zone(services=["ssh", "shh"]), "zones[0].services[1]: 'shh'", "no service 'shh'"),
    (zone(icmp_blocks=["echo"]), "zones[0].icmp_blocks[0]: 'echo'", "no ICMP type 'echo'"),
    (zone(rich_rules=["accept all"]), "zones[0].rich_rules[0]: 'accept all'", "INVALID_RULE"),
    (
        zone(rich_rules=["rule accept", 'rule service name="shh" accept']),
        "zones[0].rich_rules[1]:",
        "no service 'shh'",
    ),
    (
        zone(forward_ports=[{"port": "80", "protocol": "tcp"}]),
        "zones[0].forward_ports[0]: '80:tcp::'",
        "to_port or to_addr",
    ),
    (
        zone(forward_ports=[{"port": "80", "protocol": "tcp", "to_port": "0"}]),
        "zones[0].forward_ports[0]:",
        "to_port: 0 is no port",
    ),
    (
        zone(forward_ports=[{"protocol": "tcp", "to_port": "0"}]),
        "zones[0].forward_ports[0].port:",
        "missing required",
    ),
    ({"zones": [{"name": "a" * 18}]}, "zones[0].name: '" + "a" * 18, "at most 17"),
    ({"zones": [{"state": "present"}]}, "zones[0].name:", "missing required"),
    ({"zones": [{"name": "lcm"}, {"name": "lcm"}]}, "zones[1].name: 'lcm'", "zones[0] already"),
    (
        {"zones": [{"name": "a", "interfaces": ["e0"]}, {"name": "b", "interfaces": ["e1", "e0"]}]},
        "zones[1].interfaces[1]: 'e0'",
        "zone a too",
    ),
    (
        {
            "zones": [
                {"name": "a", "sources": ["10.0.0.1/32"]},
                {"name": "b", "sources": ["10.0.0.1"]},
            ]
        },
        "zones[1].sources[0]: '10.0.0.1'",
        "zone a too",
    ),
    (ipset(entries=["10.0.0.0/8", "10.0.0.1/8"]), "ipsets[0].entries[1]:", "write 10.0.0.0/8"),
    (
        ipset(entries=["10.0.0.0/8", "fd00::/8", "10.1.0.0/16", "fd01::/16"]),
        "ipsets[0].entries[1]: 'fd00::/8'",
        "IPv6 in a set of IPv4",
    ),
    (ipset(family="inet6", entries=["10.0.0.0/8"]), "ipsets[0].entries[0]:", "set of IPv6"),
    (ipset(family="inet5"), "ipsets[0].family: 'inet5'", "inet, inet6"),
    (ipset(type="hash:all"), "ipsets[0].type: 'hash:all'", "hash:net"),
    (ipset(type="hash:mac", entries=["1:2"]), "ipsets[0].entries[0]: '1:2'", "MAC address"),
    (ipset(options={"size": 1}), "ipsets[0].options: 'size'", "maxelem"),
    (ipset(options={"timeout": 5}, entries=["10.0.0.1"]), "ipsets[0].options.timeout:", "expire"),
    ({"ipsets": [{"name": "a" * 32}]}, "ipsets[0].name:", "at most 31"),
    (policy(target="default"), "policies[0].target: 'default'", "CONTINUE"),
    (policy(priority=0), "policies[0].priority: '0'", "not 0"),
    (policy(ingress_zones=["nowhere"]), "policies[0].ingress_zones[0]:", "no zone 'nowhere'"),
    (policy(ingress_zones=["ANY", "public"]), "policies[0].ingress_zones:", "ANY stands alone"),
    (policy(egress_zones=["HOST"], masquerade=True), "policies[0].masquerade:", "HOST"),
    (
        {"zones": [{"name": "x"}], "policies": [{"name": "x"}]},
        "policies[0].name: 'x'",
        "zone in zones[0]",
    ),
    (
        {"services": [{"name": "api", "destination": {"ipv4": "fd00::1"}}]},
        "services[0].destination.ipv4: 'fd00::1'",
        "IPv4",
    ),
    (
        {
            "services": [{"name": "api", "state": "absent"}],
            "zones": [{"name": "lcm", "services": ["api"]}],
        },
        "zones[0].services[0]: 'api'",
        "no service 'api'",
    ),
    ({"zones": [{"name": "public", "state": "absent"}]}, "zones[0].state:", "default zone"),
    (
        {
            "ipsets": [{"name": "both", "type": "hash:net,net"}],
            "zones": [{"name": "lcm", "sources": ["ipset:both"]}],
        },
        "zones[0].sources[0]:",
        "cannot be a source",
    ),
]


@pytest.mark.parametrize(("params", "place", "hint"), BAD, ids=[place for _p, place, _h in BAD])
def test_a_mistake_is_told_once_with_its_place_and_nothing_is_written(
    params: dict[str, Any], place: str, hint: str
) -> None:
    host = Host()
    before = host.machine.copy()
    with pytest.raises(HostError) as raised:
        host.run(params)
    (problem,) = raised.value.problems
    assert problem.startswith(place)
    assert hint in problem
    assert (host.machine.disk, host.machine.memory) == (before.disk, before.memory)


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(
        zones=[
            {"name": "a", "ports": ["0/tcp", "22/tcp", "x"], "services": ["none"]},
            {"name": "b", "rich_rules": ["nonsense", 'rule service name="none" accept']},
        ],
        ipsets=[{"name": "s", "entries": ["10.0.0.0/8", "10.0.0.1/8"]}],
    )
    assert [problem.split(": ")[0] for problem in found] == [
        "ipsets[0].entries[1]",
        "zones[0].ports[0]",
        "zones[0].ports[2]",
        "zones[1].rich_rules[0]",
        "zones[0].services[0]",
        "zones[1].rich_rules[1]",
    ]


def test_what_is_built_in_cannot_be_removed(tmp_path: Any) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones/trusted.xml").touch()
    known = DoorKnown(FakeDoor(Machine()), tmp_path)
    with pytest.raises(HostError, match=r"zones\[0\].state: 'absent': trusted is built in"):
        read({"zones": [{"name": "trusted", "state": "absent"}]}, known)


def test_values_are_read_with_ansibles_rules_for_types() -> None:
    (wish,) = wishes(zones=[{"name": "lcm", "exclusive": "yes", "masquerade": "no", "ports": None}])
    assert wish.exclusive
    assert wish.given == {"masquerade": False}


def test_a_service_a_set_and_a_zone_of_this_call_may_be_named() -> None:
    found = wishes(
        zones=[{"name": "lcm", "services": ["api"], "sources": ["ipset:cluster"]}],
        services=[{"name": "api", "ports": ["6443/tcp"]}],
        ipsets=[{"name": "cluster", "entries": ["10.0.0.0/8"]}],
        policies=[{"name": "out", "ingress_zones": ["lcm"], "egress_zones": ["ANY"]}],
    )
    assert [wish.kind for wish in found] == ["ipset", "service", "zone", "policy"]


def test_only_kinds_that_are_named_are_asked_for() -> None:
    door = FakeDoor(Machine())
    read({"zones": [{"name": "lcm", "ports": OK}]}, DoorKnown(door))
    assert door.calls == 0


@pytest.mark.parametrize(
    ("entries", "family"), [(["10.0.0.0/8"], "inet"), (["fd00::/8"], "inet6"), (["::1"], "inet6")]
)
def test_a_sets_family_is_that_of_its_entries(entries: list[str], family: str) -> None:
    (wish,) = wishes(ipsets=[{"name": "s", "entries": entries}])
    assert wish.given["options"] == {"family": family}


def test_entries_of_several_parts_and_ranges_pass_as_they_are() -> None:
    (ranges, parts) = wishes(
        ipsets=[
            {"name": "r", "entries": ["10.0.0.1-10.0.0.9"]},
            {"name": "p", "type": "hash:ip,port", "entries": ["10.0.0.1,tcp:80"]},
        ]
    )
    assert ranges.given["entries"] == ["10.0.0.1-10.0.0.9"]
    assert parts.given["entries"] == ["10.0.0.1,tcp:80"]


def test_of_ten_thousand_entries_with_overlaps_none_overlap_and_all_addresses_stay() -> None:
    nets = [f"10.{at // 256}.{at % 256}.0/24" for at in range(10_000)]
    entries = [*nets, "10.3.0.0/16", "10.38.7.9", *reversed(nets)]
    host = Host()
    host.run({"ipsets": [{"name": "big", "entries": entries}]})
    assert host.machine.refusals == []
    kept = host.machine.disk["ipset"]["big"]["entries"]
    assert set(kept) == {net for net in nets if not net.startswith("10.3.")} | {"10.3.0.0/16"}
    assert len(kept) == 10_000 - 256 + 1


@pytest.mark.parametrize("kind", list(SPECS))
def test_the_documentation_has_the_options_that_are_read(kind: str) -> None:
    options = yaml.safe_load(firewalld.DOCUMENTATION)["options"][PLURALS[kind]]["suboptions"]
    assert set(options) == set(SPECS[kind])
    for name, told in options.items():
        spec = SPECS[kind][name]
        assert told["type"] == spec["type"], name
        assert told.get("elements") == spec.get("elements"), name
        assert told.get("default") == spec.get("default"), name
        assert told.get("required", False) == spec.get("required", False), name
