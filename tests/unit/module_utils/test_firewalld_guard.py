# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dispatch of firewalld, rule by rule: who gets to a port, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_guard import (
    Answer,
    Rules,
    WayIn,
    accepts,
    zones_of,
)

SSH = WayIn(interface="eth0", source="10.1.2.3", port=22, destination="10.1.0.1")
SSH6 = WayIn(interface="eth0", source="fd00::3", port=22, destination="fd00::1")
OPEN: dict[str, Any] = {"ports": [("22", "tcp")]}
SHUT: dict[str, Any] = {}
SERVICES: dict[str, dict[str, Any]] = {
    "ssh": {"ports": [("22", "tcp")]},
    "web": {"ports": [("80", "tcp")]},
    "login": {"ports": [], "includes": ["ssh", "login"]},
    "any-tcp": {"protocols": ["tcp"]},
    "by-number": {"protocols": ["6"]},
    "here": {"ports": [("22", "tcp")], "destination": {"ipv4": "10.1.0.1"}},
    "there": {"ports": [("22", "tcp")], "destination": {"ipv4": "10.9.0.0/16"}},
    "six": {"ports": [("22", "tcp")], "destination": {"ipv6": "fd00::1"}},
    "from-all": {"source_ports": [("1-65535", "tcp")]},
    "from-some": {"source_ports": [("1024-65535", "tcp")]},
}
IPSETS: dict[str, dict[str, Any]] = {
    "admins": {"type": "hash:net", "options": {}, "entries": ["10.1.2.0/24"]},
    "others": {"type": "hash:ip", "options": {}, "entries": ["10.7.0.1"]},
    "range": {"type": "hash:ip", "options": {}, "entries": ["10.1.2.1-10.1.2.9"]},
    "six": {"type": "hash:net", "options": {"family": "inet6"}, "entries": ["fd00::/8"]},
    "macs": {"type": "hash:mac", "options": {}, "entries": ["02:00:00:00:00:01"]},
    "no-macs": {"type": "hash:mac", "options": {}, "entries": []},
    "with-port": {"type": "hash:ip,port", "options": {}, "entries": ["10.1.2.3,tcp:9"]},
    "timed": {"type": "hash:ip", "options": {"timeout": "60"}, "entries": []},
    "not-timed": {"type": "hash:net", "options": {"timeout": "0"}, "entries": ["10.1.0.0/16"]},
}


def ask(
    zones: dict[str, dict[str, Any]],
    policies: dict[str, dict[str, Any]] | None = None,
    way: WayIn = SSH,
    default: str = "public",
) -> Answer:
    rules = Rules(default, {"public": {}, **zones}, policies or {}, IPSETS, SERVICES)
    return accepts(rules, way)


def in_zone(way: WayIn = SSH, **settings: Any) -> Answer:
    """The answer of a zone with these settings, which the way falls into by its interface."""
    return ask({"lan": {"interfaces": ["eth0"], **settings}}, way=way)


def policy(priority: int = -1, ingress: str = "ANY", **settings: Any) -> dict[str, Any]:
    return {
        "priority": priority,
        "ingress_zones": [ingress],
        "egress_zones": ["HOST"],
        "target": "CONTINUE",
        **settings,
    }


# -- the zone ----------------------------------------------------------------------------------


def test_an_interface_that_no_zone_has_falls_into_the_default_zone() -> None:
    assert ask({"public": OPEN}).open
    assert ask({"public": SHUT, "lan": OPEN}, default="lan").open


def test_the_zone_of_the_interface_comes_before_the_default_zone() -> None:
    answer = ask({"public": OPEN, "lan": {"interfaces": ["eth0"]}})
    assert (answer.open, answer.zone) == (False, "lan")


def test_the_zone_of_a_source_comes_before_the_zone_of_the_interface() -> None:
    zones = {"lan": {"interfaces": ["eth0"], **OPEN}, "z": {"sources": ["10.1.0.0/16"]}}
    assert ask(zones) == Answer(False, "z", "nothing in zone z opens 22/tcp to it")


@pytest.mark.parametrize(
    "source",
    ["10.1.2.3", "10.1.2.0/24", "10.1.2.99/24", "10.0.0.0/255.0.0.0", "ipset:admins", "ipset:range",
     "ipset:not-timed"],
)  # fmt: skip
def test_a_source_matches_by_address_network_or_ipset(source: str) -> None:
    answer = ask({"lan": {"interfaces": ["eth0"]}, "admin": {"sources": [source], **OPEN}})
    assert (answer.open, answer.zone, answer.decided) == (True, "admin", True)


@pytest.mark.parametrize(
    "source", ["10.1.2.4", "10.2.0.0/16", "fd00::/8", "ipset:others", "ipset:six", "ipset:no-macs"]
)
def test_a_source_that_does_not_match_leaves_the_way_to_the_interface(source: str) -> None:
    answer = ask({"lan": {"interfaces": ["eth0"]}, "admin": {"sources": [source], **OPEN}})
    assert (answer.open, answer.zone, answer.decided) == (False, "lan", True)


def test_of_two_sources_the_zone_with_the_first_name_wins_not_the_longer_prefix() -> None:
    wide, narrow = {"sources": ["10.0.0.0/8"]}, {"sources": ["10.1.2.3"], **OPEN}
    assert ask({"a": wide, "b": narrow}).zone == "a"
    assert ask({"b": wide, "a": narrow}).open


@pytest.mark.parametrize("source", ["02:00:00:00:00:01", "ipset:macs", "ipset:with-port",
                                    "ipset:timed", "ipset:unknown"])  # fmt: skip
def test_where_only_the_wire_tells_whether_a_source_matches_both_zones_must_be_open(
    source: str,
) -> None:
    def both(first: dict[str, Any], second: dict[str, Any]) -> tuple[bool, bool]:
        zones = {"a": {"sources": [source], **first}, "lan": {"interfaces": ["eth0"], **second}}
        answer = ask(zones)
        return answer.open, answer.decided

    assert both(OPEN, OPEN) == (True, True)
    assert both(OPEN, SHUT) == (False, False)
    assert both(SHUT, OPEN) == (False, False)
    assert both(SHUT, SHUT) == (False, True)


def test_an_interface_with_a_plus_stands_for_all_that_begin_so() -> None:
    assert ask({"lan": {"interfaces": ["eth+"], **OPEN}}).open
    assert ask({"lan": {"interfaces": ["+"], **OPEN}}).open
    assert ask({"lan": {"interfaces": ["ens+"], **OPEN}}).zone == "public"


def test_of_two_bindings_that_match_the_order_is_not_known_so_both_must_be_open() -> None:
    wild, exact = {"interfaces": ["eth+"]}, {"interfaces": ["eth0"], **OPEN}
    answer = ask({"a": wild, "b": exact})
    assert (answer.open, answer.zone, answer.decided) == (False, "a", False)
    assert ask({"a": {**wild, **OPEN}, "b": exact}).open


def test_a_network_as_the_source_of_a_way_must_come_in_whole() -> None:
    way = WayIn("eth0", "10.1.0.0/16", 22)
    inside = {"a": {"sources": ["10.0.0.0/8"], **OPEN}}
    part = {"a": {"sources": ["10.1.2.0/24"], **OPEN}}
    assert ask(inside, way=way).open
    assert not ask(part, way=way).open
    assert ask({**part, "public": OPEN}, way=way).open


def test_what_comes_from_the_host_itself_is_let_in() -> None:
    assert ask({"public": {"target": "DROP"}}, way=WayIn("lo", "127.0.0.1", 22)).open


def test_the_zones_that_a_way_may_fall_into_are_told() -> None:
    zones = {"b": {"sources": ["02:00:00:00:00:01"]}, "a": {"interfaces": ["eth0"]}, "c": {}}
    assert zones_of(Rules("public", zones), SSH) == ["b", "a"]


# -- within the zone ---------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["default", "DROP", "%%REJECT%%", "REJECT"])
def test_a_zone_lets_in_what_it_opens_and_nothing_else(target: str) -> None:
    assert in_zone(target=target, **OPEN).open
    assert not in_zone(target=target).open
    assert not in_zone(target=target, ports=[("22", "udp"), ("23-80", "tcp"), ("1-21", "tcp")]).open


def test_a_port_may_lie_in_a_range() -> None:
    assert in_zone(ports=[("20-30", "tcp")]).open


def test_the_target_accept_lets_in_what_no_rule_refuses() -> None:
    assert in_zone(target="ACCEPT").open
    assert not in_zone(target="ACCEPT", rich_rules=['rule service name="ssh" drop']).open


@pytest.mark.parametrize("service", ["ssh", "login", "any-tcp", "by-number", "here", "from-all"])
def test_a_service_opens_its_ports_protocols_and_what_it_includes(service: str) -> None:
    assert in_zone(services=[service]).open


@pytest.mark.parametrize("service", ["web", "there", "six"])
def test_a_service_for_another_port_or_destination_opens_nothing(service: str) -> None:
    assert in_zone(services=[service]) == Answer(
        False, "lan", "nothing in zone lan opens 22/tcp to it"
    )


@pytest.mark.parametrize("service", ["unknown", "from-some"])
def test_a_service_that_might_open_the_port_is_not_counted_on(service: str) -> None:
    assert in_zone(services=[service]) == Answer(
        False,
        "lan",
        "nothing in zone lan opens 22/tcp to it; "
        f"zone lan opens the service {service}, but not for sure",
        decided=False,
    )


def test_a_service_with_a_destination_is_not_counted_on_when_ours_is_unknown() -> None:
    way = WayIn("eth0", "10.1.2.3", 22)
    answer = in_zone(way, services=["here"])
    assert (answer.open, answer.decided) == (False, False)


@pytest.mark.parametrize("protocol", ["tcp", "6"])
def test_a_protocol_opens_all_its_ports(protocol: str) -> None:
    assert in_zone(protocols=[protocol]).open
    assert not in_zone(protocols=["udp", "17", "gre"]).open


def test_a_source_port_opens_the_way_only_when_it_means_every_port() -> None:
    assert in_zone(source_ports=[("1-65535", "tcp")]).open
    assert not in_zone(source_ports=[("1024-65535", "tcp")]).open
    assert in_zone(source_ports=[("1-65535", "udp")]).decided


def test_icmp_settings_do_not_matter() -> None:
    assert in_zone(icmp_blocks=["echo-request"], icmp_block_inversion=True, **OPEN).open
    rules = ['rule icmp-block name="echo-request"', 'rule icmp-type name="echo-reply" drop']
    assert in_zone(rich_rules=rules, **OPEN) == Answer(True, "lan", "zone lan opens 22/tcp")


@pytest.mark.parametrize(
    "forward",
    [("22", "tcp", "2222", ""), ("20-30", "tcp", "", "10.9.9.9"), ("22", "tcp", "22", "10.9.9.9")],
)
def test_a_port_that_is_forwarded_never_gets_to_its_own_listener(
    forward: tuple[str, str, str, str],
) -> None:
    assert not in_zone(forward_ports=[forward], target="ACCEPT", **OPEN).open


@pytest.mark.parametrize(
    "forward", [("22", "udp", "2222", ""), ("23", "tcp", "2222", ""), ("22", "tcp", "", "fd00::9")]
)
def test_a_forward_of_another_port_protocol_or_family_changes_nothing(
    forward: tuple[str, str, str, str],
) -> None:
    assert in_zone(forward_ports=[forward], **OPEN).open


def test_a_forward_to_the_port_may_be_the_way_but_is_not_counted_on() -> None:
    answer = in_zone(forward_ports=[("2222", "tcp", "22", "")])
    assert (answer.open, answer.decided) == (False, False)
    assert "a forward port of zone lan brings 2222/tcp to it" in answer.why


# -- rich rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        "rule service name=ssh accept",
        'rule port port="20-22" protocol="tcp" accept',
        'rule protocol value="tcp" accept',
        'rule family="ipv4" source address="10.1.0.0/16" accept',
        'rule family="ipv4" source NOT address="10.2.0.0/16" port port="22" protocol="tcp" accept',
        'rule source ipset="admins" accept',
        'rule source NOT ipset="others" accept',
        'rule family="ipv4" destination address="10.1.0.1" service name="ssh" accept',
        'rule family="ipv4" destination NOT address="10.9.0.1" service name="ssh" accept',
        'rule service name="ssh" log prefix="ssh in" level="info" limit value="1/m" accept',
        'rule service name="ssh" audit limit value="1/m" accept',
        'rule source-port port="1-65535" protocol="tcp" accept',
        'rule priority="7" service name="ssh" accept',
        'rule priority="32767" accept',
    ],
)
def test_a_rich_rule_that_matches_opens(rule: str) -> None:
    answer = in_zone(rich_rules=[rule])
    assert answer == Answer(True, "lan", f"the rich rule '{rule}' of zone lan accepts it")


@pytest.mark.parametrize(
    "rule",
    [
        'rule service name="web" accept',
        'rule family="ipv6" service name="ssh" accept',
        'rule family="ipv4" source address="10.2.0.0/16" accept',
        'rule family="ipv4" source NOT address="10.1.0.0/16" accept',
        'rule family="ipv6" source NOT address="fd01::/16" accept',
        'rule source NOT ipset="six" service name="ssh" accept',
        'rule source ipset="others" accept',
        'rule family="ipv4" destination address="10.9.0.1" service name="ssh" accept',
        'rule service name="ssh" mark set="1"',
        'rule service name="ssh" log',
        "rule masquerade",
        "rule tcp-mss-clamp",
    ],
)
def test_a_rich_rule_that_does_not_match_or_only_marks_and_logs_changes_nothing(rule: str) -> None:
    assert in_zone(rich_rules=[rule]) == in_zone()
    assert in_zone(rich_rules=[rule.replace("accept", "drop")], **OPEN) == in_zone(**OPEN)


@pytest.mark.parametrize(
    ("match", "action"),
    [
        ("service name=ssh", "accept limit value=3/m"),
        ("source mac=02:00:00:00:00:01", "accept"),
        ("source NOT mac=02:00:00:00:00:01", "accept"),
        ("source ipset=unknown", "accept"),
        ("source-port port=1024-65535 protocol=tcp", "accept"),
        ("service name=unknown", "accept"),
    ],
)
def test_where_a_rule_only_may_match_an_accept_does_not_open_and_a_deny_closes(
    match: str, action: str
) -> None:
    answer = in_zone(rich_rules=[f"rule {match} {action}"])
    assert (answer.open, answer.decided) == (False, False)
    assert answer.why.endswith("but not for sure")
    for deny in ("drop", "reject"):
        rule = f"rule {match} {action.replace('accept', deny)}"
        answer = in_zone(rich_rules=[rule], **OPEN)
        assert (answer.open, answer.decided) == (False, False)
        assert rule in answer.why


def test_a_destination_only_may_match_when_our_address_is_unknown() -> None:
    way = WayIn("eth0", "10.1.2.3", 22)
    rule = 'rule family="ipv4" destination address="10.1.0.1" {}'
    assert not in_zone(way, rich_rules=[rule.format("accept")]).open
    assert not in_zone(way, rich_rules=[rule.format("drop")], **OPEN).open
    six = 'rule family="ipv6" destination address="fd00::1" drop'
    assert in_zone(way, rich_rules=[six], **OPEN).open


def test_a_deny_stands_before_all_that_opens() -> None:
    deny = 'rule family="ipv4" source address="10.1.2.0/24" reject'
    ways: list[dict[str, Any]] = [
        {"services": ["ssh"]},
        {"ports": [("22", "tcp")]},
        {"protocols": ["tcp"]},
        {"rich_rules": ['rule service name="ssh" accept']},
        {"target": "ACCEPT"},
    ]
    for way_in in ways:
        settings = {**way_in, "rich_rules": [*way_in.get("rich_rules", []), deny]}
        answer = in_zone(**settings)
        assert answer.why == f"the rich rule '{deny}' of zone lan rejects it"
        assert (answer.open, answer.decided) == (False, True)


def test_a_negative_priority_stands_before_every_deny_and_a_positive_one_behind_all() -> None:
    accept = 'rule priority="{}" service name="ssh" accept'
    drop = 'rule priority="{}" service name="ssh" drop'
    assert in_zone(rich_rules=[drop.format(0), accept.format(-1)]).open
    assert not in_zone(rich_rules=[drop.format(0), accept.format(1)]).open
    assert in_zone(rich_rules=[drop.format(1)], **OPEN).open
    assert not in_zone(rich_rules=[drop.format(1)], target="ACCEPT").open


def test_of_two_priorities_the_lower_number_comes_first() -> None:
    rules = ["rule priority=-5 service name=ssh drop", "rule priority=-10 service name=ssh accept"]
    assert in_zone(rich_rules=rules).open
    rules = ["rule priority=10 service name=ssh accept", "rule priority=5 service name=ssh drop"]
    assert not in_zone(rich_rules=rules).open


@pytest.mark.parametrize("priority", [-5, 5])
def test_of_two_rules_of_one_priority_the_deny_is_taken_for_the_first(priority: int) -> None:
    rules = [f"rule priority={priority} service name=ssh {action}" for action in ("accept", "drop")]
    answer = in_zone(rich_rules=rules)
    assert (answer.open, answer.decided) == (False, False)


def test_a_rich_rule_that_forwards_the_port_takes_it_away() -> None:
    rule = 'rule family="{}" forward-port port="22" protocol="tcp" to-port="2222"'
    assert not in_zone(rich_rules=[rule.format("ipv4")], **OPEN).open
    assert in_zone(rich_rules=[rule.format("ipv6")], **OPEN).open


def test_a_rich_rule_that_nobody_understands_may_deny_everything() -> None:
    answer = in_zone(rich_rules=["rule teleport value=22"], **OPEN)
    assert (answer.open, answer.decided) == (False, False)


def test_ipv6_goes_the_same_way() -> None:
    assert ask({"a": {"sources": ["fd00::/8"], **OPEN}}, way=SSH6).open
    assert ask({"a": {"sources": ["ipset:six"], **OPEN}}, way=SSH6).open
    assert in_zone(SSH6, services=["six"]).open
    rule = 'rule family="ipv6" source address="fd00::3" drop'
    assert not in_zone(SSH6, rich_rules=[rule], **OPEN).open
    assert not in_zone(SSH6, forward_ports=[("22", "tcp", "", "fd00::9")], **OPEN).open


# -- policies ----------------------------------------------------------------------------------


def test_a_policy_with_a_negative_priority_comes_before_the_zone() -> None:
    shut = {"lan": {"interfaces": ["eth0"]}}
    assert ask(shut, {"p": policy(-1, **OPEN)}).open
    assert ask(shut, {"p": policy(-1, target="ACCEPT")}).open
    answer = ask({"public": OPEN}, {"p": policy(-1, target="DROP")})
    assert answer == Answer(False, "public", "the target of policy p is DROP")
    assert not ask({"public": OPEN}, {"p": policy(-1, target="REJECT")}).open


def test_a_policy_with_a_positive_priority_comes_behind_the_zone_and_before_its_target() -> None:
    assert ask({"public": SHUT}, {"p": policy(1, **OPEN)}).open
    assert ask({"public": OPEN}, {"p": policy(1, target="DROP")}).open
    assert not ask({"public": {"target": "ACCEPT"}}, {"p": policy(1, target="DROP")}).open


def test_of_two_policies_the_lower_number_comes_first() -> None:
    drop, accept = policy(-10, target="DROP"), policy(-20, target="ACCEPT")
    assert ask({}, {"a": drop, "b": accept}).open
    assert not ask({}, {"a": policy(-30, target="DROP"), "b": accept}).open


def test_of_two_policies_of_one_priority_the_deny_is_taken_for_the_first() -> None:
    answer = ask({}, {"a": policy(-1, target="ACCEPT"), "b": policy(-1, target="DROP")})
    assert (answer.open, answer.decided) == (False, False)
    assert ask({}, {"a": policy(-1, target="ACCEPT"), "b": policy(-1)}).open
    doubt = ask({}, {"a": policy(-1, services=["from-some"]), "b": policy(-1)})
    assert (doubt.open, doubt.decided) == (False, False)


def test_a_policy_that_continues_leaves_the_decision_to_the_zone() -> None:
    assert ask({"public": OPEN}, {"p": policy(-1)}).open
    assert not ask({"public": SHUT}, {"p": policy(-1)}).open


def test_a_policy_that_does_not_end_at_the_host_decides_nothing() -> None:
    assert ask({"public": OPEN}, {"p": {**policy(target="DROP"), "egress_zones": ["ANY"]}}).open
    output = {**policy(ingress="HOST", target="DROP"), "egress_zones": ["public"]}
    assert ask({"public": OPEN}, {"p": output}).open


def test_a_policy_asks_for_interfaces_and_sources_of_its_zones_not_for_the_zone_met() -> None:
    zones = {"admin": {"sources": ["10.1.2.3"], **OPEN}, "lan": {"interfaces": ["eth0"]}}
    assert not ask(zones, {"p": policy(-1, ingress="lan", target="DROP")}).open
    assert not ask(zones, {"p": policy(-1, ingress="admin", target="DROP")}).open
    assert ask({**zones, "z": {"interfaces": ["eth1"]}}, {"p": policy(-1, "z", target="DROP")}).open


def test_a_policy_of_a_zone_without_bindings_is_not_in_force_be_it_the_default_zone() -> None:
    assert ask({"public": OPEN}, {"p": policy(-1, ingress="public", target="DROP")}).open


def test_a_policy_that_may_be_asked_only_may_open_and_closes() -> None:
    zones = {"macs": {"sources": ["02:00:00:00:00:01"], **OPEN}, "public": OPEN}
    assert not ask(zones, {"p": policy(-1, ingress="macs", target="DROP")}).open
    shut = {"macs": {"sources": ["02:00:00:00:00:01"]}, "public": SHUT}
    answer = ask(shut, {"p": policy(-1, ingress="macs", target="ACCEPT")})
    assert (answer.open, answer.decided) == (False, False)


def test_rich_rules_of_a_policy_count_like_those_of_a_zone() -> None:
    rule = 'rule family="ipv4" source address="10.1.2.3" drop'
    assert not ask({"public": OPEN}, {"p": policy(-1, rich_rules=[rule])}).open


def test_a_policy_that_forwards_the_port_takes_it_away_wherever_it_ends() -> None:
    away = policy(-1, forward_ports=[("22", "tcp", "22", "10.9.9.9")], egress_zones=["ANY"])
    assert not ask({"public": OPEN}, {"p": away}).open
    other = {**away, "ingress_zones": ["z"]}
    assert ask({"public": OPEN, "z": {"interfaces": ["eth1"]}}, {"p": other}).open


def test_a_zone_that_is_not_known_is_not_counted_on() -> None:
    answer = accepts(Rules("gone", {}), SSH)
    assert (answer.open, answer.zone, answer.decided) == (False, "gone", False)
