"""Links, addresses and routes against the plan, from what ``ip -j -d`` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.probe_host import (
    HostState,
    read_host,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_links import check_links
from ansible_collections.underlay.cluster.plugins.module_utils.probe_plan import (
    Tally,
    read_expectation,
    read_probes,
)
from ansible_collections.underlay.cluster.plugins.module_utils.probe_run import measure

Json = dict[str, Any]


def link(name: str, kind: str = "", **more: Any) -> Json:
    """One entry of ``ip -j -d address show``, up and with a carrier."""
    entry: Json = {
        "ifindex": 2, "ifname": name, "flags": ["UP", "LOWER_UP"], "mtu": 1500,
        "link_type": "ether", "address": "52:54:00:00:00:01", "linkinfo": {}, "addr_info": [],
    }  # fmt: skip
    data = more.pop("data", {})
    if kind:
        entry["linkinfo"].update({"info_kind": kind, "info_data": data})
    entry.update(more)
    return entry


def member(name: str, bond: str = "bond0", aggregator: int = 1, **more: Any) -> Json:
    entry = link(name, master=bond, **more)
    state = {"mii_status": "UP", "ad_aggregator_id": aggregator}
    entry["linkinfo"] = {"info_slave_kind": "bond", "info_slave_data": state}
    return entry


def vlan(name: str, number: int, parent: str, **more: Any) -> Json:
    return link(name, "vlan", link=parent, data={"id": number}, **more)


def bond(**more: Any) -> Json:
    return link("bond0", "bond", data={"ad_info": {"aggregator": 1}}, **more)


def state(*links: Json, routes: Sequence[Json] = ()) -> HostState:
    def runner(argv: Sequence[str], timeout: float) -> Completed:
        if "address" in argv:
            return Completed(0, json.dumps([*links, {}]))
        return Completed(0, json.dumps(list(routes) if "-4" in argv else []))

    return read_host(runner)


PLAN = {
    "links": [
        {"name": "bond0.101", "type": "vlan", "vlan": 101, "parent": "bond0", "mtu": 1500,
         "network": "lcm"},
        {"name": "br-storage", "type": "bridge", "members": ["bond0.301"], "network": "storage"},
        {"name": "bond0.301", "type": "vlan", "vlan": 301, "parent": "bond0", "network": "storage"},
        {"name": "bond0", "type": "bond", "members": ["enp0s3", "enp0s4"], "mtu": 1500},
        {"name": "enp0s3", "type": "ethernet", "mtu": 1500},
        {"name": "enp0s4", "type": "ethernet", "mtu": 1500},
    ]
}  # fmt: skip


def good() -> dict[str, Json]:
    links = [
        member("enp0s3"), member("enp0s4"), bond(), vlan("bond0.101", 101, "bond0"),
        vlan("bond0.301", 301, "bond0", master="br-storage"), link("br-storage", "bridge"),
    ]  # fmt: skip
    return {entry["ifname"]: entry for entry in links}


def findings(links: dict[str, Json]) -> list[tuple[str, str, str, str]]:
    """Check, severity, subject and what is seen."""
    tally = Tally()
    check_links(read_expectation(PLAN), state(*links.values()), tally)
    return [(item.check, item.severity, item.subject, item.seen) for item in tally.findings]


class TestLinks:
    def test_links_as_planned_have_no_findings(self) -> None:
        assert findings(good()) == []

    def test_a_vlan_with_another_id_is_a_finding(self) -> None:
        links = good()
        links["bond0.101"] = vlan("bond0.101", 102, "bond0")
        assert findings(links) == [("vlan", "failed", "bond0.101", "VLAN 102 on bond0")]

    def test_a_vlan_on_another_parent_is_a_finding(self) -> None:
        links = good()
        links["bond0.101"] = vlan("bond0.101", 101, "enp0s2")
        assert findings(links) == [("vlan", "failed", "bond0.101", "VLAN 101 on enp0s2")]

    def test_a_link_of_another_kind_is_a_finding(self) -> None:
        links = good()
        links["br-storage"] = link("br-storage", "bond")
        assert findings(links) == [("link", "failed", "br-storage", "bond link")]

    def test_a_bridge_without_its_member_is_a_finding(self) -> None:
        links = good()
        links["bond0.301"] = vlan("bond0.301", 301, "bond0")
        assert findings(links) == [("link", "failed", "br-storage", "without bond0.301")]

    def test_another_mtu_is_a_finding(self) -> None:
        links = good()
        links["bond0.101"] = vlan("bond0.101", 101, "bond0", mtu=1400)
        assert findings(links) == [("mtu", "failed", "bond0.101", "1400")]

    def test_a_vlan_that_nobody_planned_is_a_leftover(self) -> None:
        links = good()
        links["bond0.999"] = vlan("bond0.999", 999, "bond0")
        assert findings(links) == [("leftover", "degraded", "bond0.999", "VLAN 999 on bond0")]

    def test_a_vlan_on_an_unplanned_link_is_nobodys_business(self) -> None:
        links = good()
        links["enp0s2.7"] = vlan("enp0s2.7", 7, "enp0s2")
        assert findings(links) == []

    def test_a_missing_parent_is_the_only_finding(self) -> None:
        links = {name: entry for name, entry in good().items() if "bond0" not in name}
        assert findings(links) == [("link", "failed", "bond0", "no such link")]

    def test_hidden_checks_count_as_failed_for_their_networks(self) -> None:
        tally = Tally()
        check_links(read_expectation(PLAN), state(member("enp0s3"), member("enp0s4")), tally)
        failed = {entry["network"]: entry["failed"] for entry in tally.measured({})}
        assert failed == {None: 1, "lcm": 1, "storage": 2}


class TestBond:
    @pytest.mark.parametrize(
        ("entry", "seen"),
        [
            (None, "enp0s4: no such NIC"),
            (member("enp0s4", flags=["UP"]), "enp0s4: no carrier"),
            (link("enp0s4"), "enp0s4: not in the bond"),
            (member("enp0s4", bond="bond1"), "enp0s4: member of bond1"),
            (member("enp0s4", aggregator=2), "enp0s4: not in the active LACP aggregator"),
        ],
        ids=["gone", "no carrier", "outside", "elsewhere", "no LACP partner"],
    )
    def test_one_member_less_is_a_weakness_and_one_finding(
        self, entry: Json | None, seen: str
    ) -> None:
        links = good()
        if entry is None:
            del links["enp0s4"]
        else:
            links["enp0s4"] = entry
        assert findings(links) == [("bond", "degraded", "bond0", seen)]

    def test_no_member_at_all_is_a_failure_that_hides_what_rides_on_it(self) -> None:
        links = good()
        links["enp0s3"] = member("enp0s3", flags=["UP"])
        links["enp0s4"] = member("enp0s4", flags=["UP"])
        assert findings(links) == [
            ("bond", "failed", "bond0", "enp0s3: no carrier; enp0s4: no carrier")
        ]


class TestReading:
    def test_routes_with_several_next_hops_are_several_routes(self) -> None:
        hops = [{"gateway": "10.0.0.1", "dev": "a"}, {"gateway": "10.0.0.2", "dev": "b"}]
        seen = state(routes=[{"dst": "default", "nexthops": hops, "metric": 5}]).routes
        assert [(str(route.via), route.link, route.metric) for route in seen] == [
            ("10.0.0.1", "a", 5),
            ("10.0.0.2", "b", 5),
        ]

    def test_a_host_route_without_a_length_is_one_address(self) -> None:
        (seen,) = state(routes=[{"dst": "10.0.0.7", "dev": "a"}]).routes
        assert str(seen.to) == "10.0.0.7/32"

    def test_routes_that_lead_nowhere_are_not_routes(self) -> None:
        assert state(routes=[{"type": "blackhole", "dst": "10.0.0.0/8"}]).routes == ()

    def test_a_failing_ip_is_told_in_its_words(self) -> None:
        with pytest.raises(HostError, match="Operation not supported"):
            read_host(lambda _argv, _timeout: Completed(2, "", "Operation not supported"))

    @pytest.mark.parametrize(
        "expect",
        [
            {"addresses": [{"link": "a", "address": "10.0.0.300/24"}]},
            {"links": [{"name": "a"}]},
            {"routes": [{"to": "10.0.0.1/24", "via": None, "link": "a"}]},
            {"links": 5},
        ],
    )
    def test_a_plan_that_makes_no_sense_is_an_error_in_words(self, expect: Json) -> None:
        with pytest.raises(HostError, match="The plan given in 'expect' cannot be read"):
            read_expectation(expect)

    def test_a_probe_that_makes_no_sense_is_an_error_in_words(self) -> None:
        with pytest.raises(HostError, match="'source' is missing"):
            read_probes([{"target": "peer", "address": "10.0.0.1", "link": "a", "mtu": 1500}])


class TestSettling:
    def test_what_comes_up_late_is_waited_for(self) -> None:
        expect = read_expectation({"links": [{"name": "enp0s3", "type": "ethernet"}]})
        states = [state(), state(link("enp0s3", flags=["UP"])), state(link("enp0s3"))]
        report = measure(expect, [], 10, read=lambda: states.pop(0))
        assert (report.findings, states) == ([], [])

    def test_what_time_cannot_mend_is_not_waited_for(self) -> None:
        expect = read_expectation({"links": [{"name": "enp0s3", "type": "ethernet", "mtu": 9000}]})
        states = [state(link("enp0s3"))]
        report = measure(expect, [], 10, read=lambda: states.pop(0))
        assert [item["check"] for item in report.findings] == ["mtu"]
