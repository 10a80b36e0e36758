# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The macros of L2 templates: values and dicts, in both families, and errors that say what is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.macros import is_templated
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan, problems_of


def templated(text: Any) -> Intent:
    """The good intent with a value in w1's way out, on a NIC that is not planned."""
    intent = good_intent()
    intent.template("w1")["netplan"] = {"ethernets": {"enp0s2": {"value": text}}}
    return intent


def value(text: Any) -> Any:
    (links, *_unused) = plan(templated(text)).hosts["w1"]["files"]
    return links["netplan"]["network"]["ethernets"]["enp0s2"]["value"]


def error(text: str) -> str:
    (problem,) = problems_of(templated(text))
    assert problem.path == "underlay_l2_template.netplan.ethernets.enp0s2.value"
    assert problem.value == text
    assert problem.host == "w1"
    return problem.wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ nic('uplink') }}", "enp0s3"),
        ("{{ nic('uplink', 1) }}", "enp0s4"),
        ("{{ mac('uplink', 1) }}", "52:54:00:21:01:04"),
        ("{{ ip('lcm') }}", "10.21.1.12/24"),
        ("{{ ip('lcm', 6) }}", "fd21:1::3/64"),
        ("{{ ip('lcm', family=6) }}", "fd21:1::3/64"),
        ("{{ cidr('lcm') }}", "10.21.1.0/24"),
        ("{{ cidr('lcm', 6) }}", "fd21:1::/64"),
        ("{{ gateway('lcm') }}", "10.21.1.1"),
        ("{{ gateway('lcm', 6) }}", "fd21:1::1"),
        ("{{ nameservers('lcm') }}", ["10.21.1.2"]),
        ("{{ nameservers('lcm', 6) }}", []),
        ("{{ vlan('lcm') }}", 101),
        ("{{ vlan('lcm', 6) }}", 101),
        ("{{ mtu('storage_access') }}", 9000),
        ("{{ mtu('lcm', 6) }}", 1500),
        ("{{ vip('api') }}", "10.21.1.10"),
        ("{{ host }}", "w1"),
        ("{{ rack }}", "r1"),
        ("{{ routes('workload') }}", [{"to": "10.22.2.0/24", "via": "10.22.1.1"}]),
        (
            "{{ routes('lcm', 6) }}",
            [{"to": "::/0", "via": "fd21:1::1"}, {"to": "fd21:2::/64", "via": "fd21:1::1"}],
        ),
    ],
)
def test_a_macro_gives_a_value_of_its_own_type(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("br-{{ rack }}-{{ vlan('lcm') }}", "br-r1-101"),
        ("{{ mtu('lcm') - 50 }}", 1450),
        ("{{ ip('lcm').split('/')[0] }}", "10.21.1.12"),
        ("{{ [cidr('lcm'), cidr('lcm', 6)] }}", ["10.21.1.0/24", "fd21:1::/64"]),
        ("{% if rack == 'r1' %}{{ 1 }}{% else %}{{ 2 }}{% endif %}", 1),
        ("{{ '1.10' }}", "1.10"),
        ({"{{ host }}-key": ["{{ rack }}", 5, None]}, {"w1-key": ["r1", 5, None]}),
    ],
)
def test_macros_combine_as_jinja2_does(text: Any, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{{ nic('up') }}", "there is no NIC group up; there is uplink"),
        ("{{ nic('uplink', 2) }}", "NIC group uplink has 2 NICs, no index 2"),
        ("{{ nic('uplink', -1) }}", "NIC group uplink has 2 NICs, no index -1"),
        ("{{ mac('down') }}", "there is no NIC group down; there is uplink"),
        (
            "{{ ip('external') }}",
            "the host is not on network external; it is on lcm, workload, storage_access",
        ),
        ("{{ ip('workload', 6) }}", "network workload has no IPv6 segment here"),
        ("{{ gateway('storage_replication') }}", "the host is not on network storage_replication"),
        ("{{ vip('ingress') }}", "there is no VIP ingress; there is api"),
        ("{{ adress('lcm') }}", "'adress' is undefined"),
        ("{{ ip('lcm') | no_such_filter }}", "No filter named 'no_such_filter'"),
        ("{{ ip( }}", "unexpected '}'"),
        ("{% for %}", "Expected an expression"),
        ("{{ ip() }}", "missing 1 required positional argument: 'network'"),
        ("{{ nic('uplink', 'first') }}", "not supported between instances"),
        ("{{ nic(['uplink']) }}", "unhashable type"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% include 'file' %}", "no loader for this environment"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
    ],
)
def test_what_cannot_be_rendered_is_told_with_what_there_is(text: str, wrong: str) -> None:
    found = error(text)
    assert found.startswith("cannot be rendered: ")
    assert wrong in found


def test_a_macro_without_its_fact_says_which_is_missing() -> None:
    intent = templated("{{ mac('uplink', 0) }}")
    del intent.hosts["w1"]["underlay_nics"][1]["mac"]
    (problem,) = problems_of(intent)
    assert "NIC enp0s3 has no mac in the host's NIC facts" in problem.wrong


def test_a_gateway_that_is_not_there_is_told() -> None:
    intent = templated("{{ gateway('workload') }}")
    intent.network("workload")["segments"] = [{"name": "all", "vlan": 200, "cidr": "10.22.0.0/16"}]
    (problem,) = problems_of(intent)
    assert "segment all of workload has no gateway" in problem.wrong


def test_an_address_that_is_not_wanted_is_told() -> None:
    intent = templated("{{ ip('workload') }}")
    intent.attach("w1", "workload").update(address=False)
    (problem,) = problems_of(intent)
    assert "the host has no address on workload" in problem.wrong


@pytest.mark.parametrize(
    "text",
    [
        "{{ ip.__globals__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ nic.__func__.__code__ }}",
        "{{ host.__class__.__base__.__subclasses__() }}",
    ],
)
def test_there_is_no_way_out_of_the_sandbox(text: str) -> None:
    assert "unsafe" in error(text)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"nics": "{{ [] }}"}, "nics"),
        ({"attach": "{{ [] }}"}, "attach"),
        ({"attach": ["{{ {} }}"]}, "attach[0]"),
        ({"nics": [{"name": "a", "count": "{{ 1 }}"}]}, "nics[a].count"),
        ({"nics": [{"name": "a", "match": "[?name=='{{ host }}']"}]}, "nics[a].match"),
        (
            {"attach": [{"network": "lcm", "link": "enp0s2", "address": "{% if 1 %}{% endif %}"}]},
            "attach[lcm].address",
        ),
    ],
)
def test_what_is_read_before_rendering_cannot_be_templated(
    change: dict[str, Any], path: str
) -> None:
    intent = good_intent()
    intent.template("w1").update(change)
    (problem,) = problems_of(intent)
    assert problem.path == f"underlay_l2_template.{path}"
    assert problem.wrong == "cannot be rendered"


def test_a_template_that_is_all_one_expression_is_refused() -> None:
    intent = good_intent()
    intent.hosts["w1"]["underlay_l2_template"] = "{{ template }}"
    assert [item.path for item in problems_of(intent)] == ["underlay_l2_template"]


def test_what_is_rendered_is_checked_as_what_is_written() -> None:
    intent = good_intent()
    intent.template("w1")["bonds"][0]["mtu"] = "{{ mtu('storage_access') }}"
    assert plan(intent).hosts["w1"]["expect"]["links"][2]["mtu"] == 9000
    intent.template("w1")["bonds"][0]["mode"] = "{{ 'lac' ~ 'p' }}"
    (problem,) = problems_of(intent)
    assert problem.path == "underlay_l2_template.bonds[bond0].mode"


def test_nics_or_addresses_that_are_lacking_are_not_told_again_by_macros() -> None:
    intent = templated("{{ nic('uplink') }} {{ ip('lcm') }}")
    intent.template("w1")["nics"][0]["count"] = 3
    assert [item.path for item in problems_of(intent)] == [
        "underlay_l2_template.nics[uplink].match"
    ]
    intent = templated("{{ ip('lcm') }}")
    intent.hosts["w1"]["underlay_rack"] = "r9"
    assert {item.path for item in problems_of(intent)} == {"underlay_rack"}


def test_a_network_attached_twice_is_told_in_a_templated_template_too() -> None:
    intent = templated("{{ host }}")
    intent.template("w1")["attach"].append({"network": "lcm", "link": "bond0"})
    (problem,) = problems_of(intent)
    assert problem.wrong == "is attached twice"


@pytest.mark.parametrize("value", ["{{ a }}", "{% b %}", {"k": ["{{ a }}"]}, {"{{ a }}": 1}])
def test_templated_is_what_has_jinja2_anywhere(value: Any) -> None:
    assert is_templated(value)


@pytest.mark.parametrize("value", ["plain", "a { b } c", 5, None, {"k": [1, "x"]}, []])
def test_plain_data_is_not_templated(value: Any) -> None:
    assert not is_templated(value)
