# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's idea of firewalld's dispatch, against a real firewalld and real connections.

Random zones, policies, rich rules and ipsets are loaded into a firewalld of our own, a peer tries
to connect, and the guard is asked about the same ways. It must never say "open" where the
connection does not come in, and must be right wherever it says that it knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_guard import (
    Rules,
    WayIn,
    accepts,
)
from tests.integration.private_firewalld import PrivateFirewalld, why_not

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

DRIVER = Path(__file__).parent / "dispatch_driver.py"
Settings = dict[str, Any]

# what is always there, so that random rules can name it
IPSETS: dict[str, Settings] = {
    "nets": {"type": "hash:net", "options": {}, "entries": ["10.1.2.0/24", "10.2.0.0/16"]},
    "addresses": {"type": "hash:ip", "options": {}, "entries": ["10.1.9.9"]},
    "six": {"type": "hash:net", "options": {"family": "inet6"}, "entries": ["fd01::/16"]},
    "macs": {"type": "hash:mac", "options": {}, "entries": ["02:00:00:00:00:03"]},
}
SERVICES: dict[str, Settings] = {
    "own-ssh": {"ports": [("22", "tcp")]},
    "own-include": {"ports": [("9", "udp")], "includes": ["own-ssh"]},
    "own-here": {"ports": [("22", "tcp")], "destination": {"ipv4": "10.1.0.1"}},
    "own-six": {"ports": [("20-25", "tcp")], "destination": {"ipv6": "fd00::/8"}},
    "own-tcp": {"protocols": ["tcp"]},
    "own-from": {"source_ports": [("1024-65535", "tcp")]},
}
SOURCES = (
    "10.1.2.3", "10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8", "10.2.2.0/24", "fd01::3", "fd01::/64",
    "fd00::/8", "02:00:00:00:00:03", "02:00:00:00:00:77", "ipset:nets", "ipset:addresses",
    "ipset:six", "ipset:macs",
)  # fmt: skip
INTERFACES = ("eth0", "eth1", "eth+", "e+")
ZONES = ("aa", "bb", "zz", "public")
PORTS = (("22", "tcp"), ("20-30", "tcp"), ("80", "tcp"), ("22", "udp"))
FORWARDS = (("22", "tcp", "80", ""), ("80", "tcp", "22", ""), ("9022", "tcp", "22", ""))


@st.composite
def rich_rules(draw: st.DrawFn) -> str:
    """A rule that firewalld takes: what it is about, from whom, and what is done."""
    family = draw(st.sampled_from(("", "ipv4", "ipv6")))
    ends = {
        "": ("", 'source ipset="nets" ', 'source NOT ipset="addresses" ',
             'source mac="02:00:00:00:00:03" '),
        "ipv4": ("", 'source address="10.1.2.0/24" ', 'source NOT address="10.1.2.3" ',
                 'destination address="10.1.0.1" ', 'destination NOT address="10.1.0.0/16" '),
        "ipv6": ("", 'source address="fd01::3" ', 'source NOT address="fd01::/64" ',
                 'source NOT ipset="six" '),
    }  # fmt: skip
    element = draw(
        st.sampled_from((
            'service name="own-ssh" ', 'service name="own-include" ', 'service name="own-tcp" ',
            'port port="22" protocol="tcp" ', 'port port="79-81" protocol="tcp" ',
            'protocol value="tcp" ', 'source-port port="1-65535" protocol="tcp" ',
        ))
    )  # fmt: skip
    action = draw(
        st.sampled_from(("accept", "accept", "drop", "reject", 'accept limit value="9/s"', "log"))
    )
    priority = draw(st.sampled_from((0, 0, -5, -1, 1, 5)))
    head = f'rule priority="{priority}" ' + (f'family="{family}" ' if family else "")
    return head + draw(st.sampled_from(ends[family])) + element + action


def some(items: tuple[Any, ...], most: int = 2, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(items), min_size=least, max_size=most, unique=True)


RULES: dict[str, st.SearchStrategy[Any]] = {
    "ports": some(PORTS),
    "services": some(tuple(SERVICES)),
    "protocols": some(("tcp", "udp")),
    "source_ports": some((("1-65535", "tcp"), ("1024-65535", "tcp"), ("7", "tcp")), 1),
    "rich_rules": st.lists(rich_rules(), max_size=3, unique=True),
}
ZONE = st.fixed_dictionaries(
    {"target": st.sampled_from(("default", "default", "ACCEPT", "DROP", "%%REJECT%%"))},
    optional={**RULES, "forward_ports": some(FORWARDS, 1)},
)
POLICY = st.fixed_dictionaries(
    {
        "target": st.sampled_from(("CONTINUE", "CONTINUE", "ACCEPT", "DROP", "REJECT")),
        "priority": st.sampled_from((-2, -1, 1, 2)),
        "ingress_zones": st.one_of(st.just(["ANY"]), some(ZONES, least=1)),
        "egress_zones": st.just(["HOST"]),
    },
    optional=RULES,
)


@dataclass
class Case:
    """What is loaded into firewalld."""

    zones: dict[str, Settings]
    policies: dict[str, Settings]
    rebind: list[tuple[str, str]] = field(default_factory=list)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zones: dict[str, Settings] = {
        name: {**draw(ZONE), "interfaces": [], "sources": []} for name in ZONES
    }
    for key, pool in (("interfaces", INTERFACES), ("sources", SOURCES)):
        for item in draw(some(pool, 4)):
            zones[draw(st.sampled_from(ZONES))][key].append(item)
    policies = draw(st.lists(POLICY, max_size=2))
    bound = [(name, each) for name, zone in zones.items() for each in zone["interfaces"]]
    again = draw(st.permutations(bound)) if draw(st.booleans()) else []
    return Case(zones, {f"p{number}": each for number, each in enumerate(policies)}, again)


class Loaded:
    """A running firewalld, its peer, and the ways between them."""

    def __init__(self, firewalld: PrivateFirewalld) -> None:
        self.driver = firewalld.popen("/usr/bin/python3", str(DRIVER))
        assert self.driver.stdout is not None
        assert self.driver.stdin is not None
        self.answers = self.driver.stdout
        self.questions = self.driver.stdin
        self.ways = [
            WayIn(interface, source, port, "tcp", own)
            for interface, source, own, port in self._read()
        ]

    def open(self, case: Case) -> list[bool] | None:
        """Which of the ways are open with this loaded; None when firewalld refuses it."""
        question = {
            "zones": case.zones,
            "policies": case.policies,
            "ipsets": IPSETS,
            "services": SERVICES,
            "rebind": case.rebind,
        }
        self.questions.write(json.dumps(question) + "\n")
        self.questions.flush()
        answer = self._read()
        if "refused" in answer:
            event(f"refused: {answer['refused'][:60]}")
        measured: list[bool] | None = answer.get("open")
        return measured

    def _read(self) -> Any:
        line = self.answers.readline()
        assert line, "the driver ended"
        return json.loads(line)


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    with PrivateFirewalld() as firewalld:
        running = Loaded(firewalld)
        yield running
        running.driver.kill()
        running.driver.wait()


def rules_of(case: Case) -> Rules:
    return Rules("public", case.zones, case.policies, IPSETS, SERVICES)


@given(case=cases())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_the_guard_says_open_only_where_a_connection_comes_in_and_is_right_where_it_knows(
    loaded: Loaded, case: Case
) -> None:
    measured = loaded.open(case)
    assume(measured is not None)
    assert measured is not None
    for way, came_in in zip(loaded.ways, measured, strict=True):
        answer = accepts(rules_of(case), way)
        event(f"decided {answer.decided}, guard {answer.open}, measured {came_in}")
        told = f"{way}: the guard says {answer}, measured {came_in}"
        assert came_in or not answer.open, told
        assert answer.open == came_in or not answer.decided, told
