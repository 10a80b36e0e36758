# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach what: the table is complete, true to the rules, and short enough to be read."""

from __future__ import annotations

from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.difference import (
    fleet_difference,
    host_difference,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.reach import (
    grouped,
    reach_lines,
    reach_tables,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.summary import summary
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan

PODS = {
    "provider": "static",
    "pod_network_cidr": "172.31.0.0/16",
    "service_cidr": "172.30.0.0/16",
}


def intent(**firewall: Any) -> Intent:
    found = good_intent()
    found.fleet["underlay_firewalld"] = {"enabled": True, **firewall}
    return found


def reach(given: Intent, host: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = plan(given).hosts[host]["firewall"]["reach"]
    return rows


def test_a_row_names_zone_network_who_what_and_why() -> None:
    assert reach(intent(), "cp1")[:2] == [
        {
            "zone": "underlay-lcm",
            "networks": ["lcm"],
            "who": "anyone",
            "sources": [],
            "what": ["22/tcp"],
            "why": "open_ports[0]",
        },
        {
            "zone": "underlay-lcm",
            "networks": ["lcm"],
            "who": "anyone",
            "sources": [],
            "what": ["6443/tcp"],
            "why": "open_ports[3]",
        },
    ]


def test_every_port_of_a_zone_has_a_row_and_every_row_of_ports_its_zone() -> None:
    planned = plan(intent())
    for part in planned.hosts.values():
        for zone in part["firewall"]["zones"]:
            told = {
                what
                for row in part["firewall"]["reach"]
                if row["zone"] == zone["name"] and not row["sources"]
                for what in row["what"]
            }
            if zone["name"].startswith("underlay-") and zone["state"] == "present":
                assert told == {*zone["ports"], "ICMP"}


def test_every_rich_rule_has_a_row_with_its_set() -> None:
    given = intent(between_hosts="needed", components=[{"name": "ceph", "clients": ["192.0.2.7"]}])
    given.fleet["underlay_pod_network"] = PODS
    for part in plan(given).hosts.values():
        for zone in part["firewall"]["zones"]:
            told = {
                (source, what)
                for row in part["firewall"]["reach"]
                if row["zone"] == zone["name"]
                for source in row["sources"]
                for what in row["what"]
            }
            for rule in zone.get("rich_rules", ()):
                words = rule.split('"')
                what = "VRRP" if "protocol value" in rule else f"{words[5]}/{words[7]}"
                assert (f"ipset:{words[3]}", what) in told


def test_those_who_are_trusted_are_told_one_by_one() -> None:
    given = intent(trusted_subnets=["192.168.10.0/24"])
    given.fleet["underlay_pod_network"] = PODS
    rows = [row for row in reach(given, "w1") if row["zone"] == "trusted"]
    assert [(row["who"], row["why"]) for row in rows] == [
        ("cluster hosts", "between_hosts: all"),
        ("pods", "underlay_pod_network"),
        ("services", "underlay_pod_network"),
        ("192.168.10.0/24", "trusted_subnets[0]"),
    ]
    assert all(row["what"] == ["everything"] for row in rows)


def test_what_passes_by_every_zone_is_told_too() -> None:
    """firewalld accepts what a CNI has translated; to be silent about it would be untrue."""
    given = intent()
    given.fleet["underlay_pod_network"] = PODS
    assert reach(given, "w1")[-1]["what"] == ["translated ports (services, host ports)"]
    assert not any("translated" in row["what"][0] for row in reach(intent(), "w1"))


def test_networks_with_the_same_rows_share_a_table() -> None:
    tables = reach_tables(reach(intent(), "w1"))
    assert list(tables) == ["lcm, workload, storage_access", "any network"]


def test_the_table_is_plain_text_no_wider_than_a_terminal() -> None:
    given = intent(
        between_hosts="needed",
        components=[{"name": "metallb"}, {"name": "ceph", "clients": ["192.0.2.7"]}],
    )
    given.fleet["underlay_pod_network"] = PODS
    lines = list(reach_lines(reach(given, "cp1")))
    assert max(map(len, lines)) <= 100
    assert "".join(lines).isascii()
    assert lines[0] == "lcm, workload"
    assert lines[1].split("  ")[1] == "WHO"


def test_hosts_with_equal_tables_share_one() -> None:
    planned = plan(intent())
    assert [hosts for hosts, _rows in grouped(planned.hosts)] == [["cp1"], ["st1"], ["w1", "w2"]]


def test_hosts_without_a_firewall_have_no_table() -> None:
    assert grouped(plan(good_intent()).hosts) == []


def test_the_plans_summary_shows_the_tables() -> None:
    given = intent()
    model, _problems = read_intent(given.fleet, given.hosts, given.groups)
    text = summary(model, plan(given), Ledger())
    assert "Who may reach what on w1, w2:" in text
    assert "Who may reach" not in summary(model, plan(good_intent()), Ledger())


def test_the_plans_diff_shows_what_a_host_lets_in_before_and_after() -> None:
    before = plan(good_intent()).hosts["w1"]
    after = plan(intent()).hosts["w1"]
    (entry,) = host_difference("w1", before, after)
    assert entry["before_header"] == "w1: firewall"
    assert entry["before"] == ""
    assert "underlay-lcm: bond0.101" in entry["after"]
    assert "443/tcp" in entry["after"]


def test_the_plans_diff_shows_who_enters_the_sets_once_for_the_fleet() -> None:
    first = plan(intent())
    given = intent(trusted_subnets=["192.168.10.0/24"])
    after = plan(given, first.ledger)
    (entry,) = fleet_difference(first.fleet, after.fleet)
    gone = set(entry["before"].splitlines()) - set(entry["after"].splitlines())
    new = set(entry["after"].splitlines()) - set(entry["before"].splitlines())
    assert (gone, new) == (set(), {"  192.168.10.0/24"})
    assert list(fleet_difference(first.fleet, first.fleet)) == []
