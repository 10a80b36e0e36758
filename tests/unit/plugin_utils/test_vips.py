# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may hold or announce which virtual address, and what their daemons are told (S4.6-7)."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.keepalived_text import (
    SCRIPT_TEXT,
    START_TEXT,
    priority,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vips import frr_conf
from tests.unit.plugin_utils.mutations import good_intent
from tests.unit.plugin_utils.planning import plan
from tests.unit.plugin_utils.vip_fleet import API, API6, Fleet, fleet, managers

BGP = {"asn": 64512, "peers": [{"asn": 64600}]}
ANY = {"name": "any", "network": "lcm", "mode": "bgp", "address": "10.9.9.9"}
ANY6 = {"name": "any6", "network": "lcm", "mode": "bgp", "address": "2001:db8:9::9"}
ABSENT = [
    {"name": "underlay-vip", "state": "absent"},
    {"name": "underlay-vip-bgp", "state": "absent"},
]


def three(*vips: dict[str, Any], bgp: dict[str, Any] | None = None) -> Fleet:
    """Three managers with these VIPs; API alone if there is none."""
    return fleet(managers("m1", "m2", "m10", vips=list(vips or (API,)), bgp=bgp))


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def block(text: str, start: str) -> list[str]:
    """The lines between `start {` and the `}` that ends it."""
    found = lines(text)
    begin = found.index(f"{start} {{") + 1
    return found[begin : found.index("}", begin)]


# --- who ------------------------------------------------------------------------------------------


def test_only_holders_have_daemons_and_all_others_are_told_that_they_have_none() -> None:
    planned = three(API, ANY, bgp=BGP)
    for host in ("m1", "m2", "m10"):
        assert [item["state"] for item in planned.items[host].values()] == ["present", "present"]
    for host in ("w1", "w2", "st1"):
        assert list(planned.items[host].values()) == ABSENT


def test_each_mode_has_a_daemon_of_its_own() -> None:
    by_arp, by_bgp = three(API), three(ANY, bgp=BGP)
    assert by_arp.item("m1")["state"] == "present"
    assert by_arp.item("m1", "underlay-vip-bgp") == ABSENT[1]
    assert by_bgp.item("m1") == ABSENT[0]
    assert by_bgp.item("m1", "underlay-vip-bgp")["state"] == "present"


def test_without_vips_every_host_is_told_that_it_has_none() -> None:
    planned = fleet(managers("cp1", vips=[]))
    assert all(list(items.values()) == ABSENT for items in planned.items.values())


def test_an_address_that_others_hold_is_kept_and_nothing_is_run_or_asked_for_it() -> None:
    """As kube-vip's, which is there once Kubernetes is."""
    intent = good_intent()
    intent.vip("api").update(mode="none", roles=["no_such_group"])
    planned = plan(intent)
    assert planned.fleet["vips"][0]["address"] == "10.21.1.10"
    assert planned.fleet["api_endpoints"][0]["address"] == "10.21.1.10"
    assert planned.fleet["mesh"]["vips"] == []
    for part in planned.hosts.values():
        assert [item["state"] for item in part["daemons"]["vip"]] == ["absent", "absent"]
        assert part["expect"]["vips"] == []


def test_only_the_hosts_of_the_vips_cluster_hold_it() -> None:
    intent = managers("m1", "m2", vips=[{**API, "cluster": "one"}])
    for name, variables in intent.hosts.items():
        variables["underlay_cluster"] = "two" if name == "m2" else "one"
    # a workload network is one cluster's (S4.8)
    intent.template("m2")["attach"] = [{"network": "lcm", "link": "bond0"}]
    planned = fleet(intent)
    assert planned.item("m1")["state"] == "present"
    assert planned.item("m2") == ABSENT[0]


# --- by ARP ---------------------------------------------------------------------------------------


def test_the_vip_is_on_the_link_of_its_network_with_no_second_route_to_the_subnet() -> None:
    """S4.6: the API's VIP is of the LCM subnet; the link is the one that has the host's address."""
    text = three().text("m1")
    assert "interface bond0.101" in lines(text)
    assert "10.21.1.200/32 dev bond0.101" in block(text, "virtual_ipaddress")


def test_a_vip_that_is_not_fixed_has_the_address_that_the_ledger_gave() -> None:
    planned = three({"name": "api", "network": "lcm", "segment": "r1"})
    assert f"{planned.vips[0]['address']}/32 dev bond0.101" in planned.text("m1")


def test_adverts_go_to_the_other_holders_in_the_segment_and_from_nobody_else() -> None:
    """S4.7: the holders are neighbours on one VLAN; adverts from beyond a router do not count."""
    planned = three()
    text = planned.text("m2")
    assert f"unicast_src_ip {planned.address('m2')}" in lines(text)
    others = [planned.address(host) for host in ("m1", "m10")]
    assert block(text, "unicast_peer") == [f"{address} min_ttl 255" for address in others]
    assert "vrrp_check_unicast_src" in lines(text)


def test_a_single_holder_has_no_peer_and_no_word_about_unicast() -> None:
    text = fleet(managers("cp1", vips=[API])).text("cp1")
    assert "unicast_" not in text.replace("vrrp_check_unicast_src", "")
    assert "10.21.1.200/32 dev bond0.101" in text


def test_nobody_begins_as_the_holder_or_takes_it_from_another() -> None:
    found = lines(three().text("m1"))
    assert "state BACKUP" in found
    assert "nopreempt" in found
    assert not [line for line in found if line.startswith("weight")]


def test_holders_come_in_natural_order_whatever_the_order_of_the_inventory() -> None:
    texts = {host: three().text(host) for host in ("m1", "m2", "m10")}
    found = {
        host: [line for line in lines(text) if line.startswith("priority")]
        for host, text in texts.items()
    }
    assert found == {"m1": ["priority 200"], "m2": ["priority 150"], "m10": ["priority 100"]}
    turned = fleet(managers("m10", "m2", "m1", vips=[API]))
    assert texts["m1"].count("priority 200") == turned.text("m1").count("priority 200") == 1


@given(holders=st.integers(1, 190))
def test_no_two_holders_have_one_priority_nor_one_that_means_something(holders: int) -> None:
    found = [priority(place, holders) for place in range(holders)]
    assert len(set(found)) == holders
    assert found == sorted(found, reverse=True)
    assert 0 < min(found) <= max(found) <= 200


def test_the_router_id_is_the_vips_own_or_follows_from_its_address() -> None:
    assert "virtual_router_id 200" in lines(three().text("m1"))
    assert "virtual_router_id 7" in lines(three({**API, "router_id": 7}).text("m1"))


def test_the_services_port_is_asked_here_and_at_the_other_holders() -> None:
    planned = three({**API, "port": 8443})
    words = [planned.address("m1"), "8443", "127.0.0.1"]
    words += [planned.address(host) for host in ("m2", "m10")]
    script = f"/etc/underlay/underlay-vip/answers.py {' '.join(words)}"
    assert f'script "/usr/bin/python3 -IS {script}"' in lines(planned.text("m1"))


def test_ipv6_vips_have_their_own_holders_addresses_and_loopback() -> None:
    planned = three(API, API6)
    text = planned.text("m1")
    assert "fd21:1::200/128 dev bond0.101" in lines(text)
    assert f"unicast_src_ip {planned.address('m1', 6)}" in lines(text)
    assert f"{planned.address('m2', 6)} min_ttl 255" in lines(text)
    addresses = [planned.address(host, 6) for host in ("m1", "m2")]
    assert f"answers.py {addresses[0]} 6443 ::1 {addresses[1]}" in text
    assert text.count("vrrp_instance ") == 2
    assert "vrrp_version 3" in lines(text)


def test_a_name_that_is_no_word_for_keepalived_becomes_one() -> None:
    assert "vrrp_instance the-API--200 {" in lines(three({**API, "name": 'the API"'}).text("m1"))


def test_keepalived_runs_beside_that_of_somebody_else() -> None:
    planned = three(API, API6)
    item = planned.item("m1")
    words = item["arguments"]
    own = f"{planned.address('m1')},{planned.address('m1', 6)}"
    assert words[:4] == ["-IS", "{folder}/start.py", own, "/usr/sbin/keepalived"]
    assert words[words.index("--use-file") + 1] == "{folder}/keepalived.conf"
    for option in ("--pid", "--vrrp_pid"):
        assert words[words.index(option) + 1].startswith("/run/underlay-vip/")
    assert "--dont-respawn" in words, "systemd starts it again, always after the same time"
    assert item["reload"] is True, "a restart would move the addresses"
    assert item["check"] == [
        ["/usr/sbin/keepalived", "--config-test", "--use-file", "{folder}/keepalived.conf"]
    ]


# --- whether a service answers --------------------------------------------------------------------


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that answers on 127.0.0.1, and on no other address of the host's own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def may_hold(tmp_path: Path, listening: int) -> Callable[..., bool]:
    """What the script says, of this host's address, its loopback's, and the other holders'."""
    path = tmp_path / "answers.py"
    path.write_text(SCRIPT_TEXT, encoding="utf-8")

    def run(source: str, *addresses: str) -> bool:
        argv = [sys.executable, "-IS", str(path), source, str(listening), *addresses]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert not done.stderr
        return done.returncode == 0

    return run


MayHold = Callable[..., bool]


def test_a_host_may_hold_the_address_if_its_service_answers(may_hold: MayHold) -> None:
    assert may_hold("127.0.0.9", "127.0.0.1", "127.0.0.2")


def test_a_host_leaves_it_to_another_whose_service_answers(may_hold: MayHold) -> None:
    assert not may_hold("127.0.0.9", "127.0.0.2", "127.0.0.3", "127.0.0.1")


def test_while_no_service_answers_the_address_is_held_all_the_same(may_hold: MayHold) -> None:
    """Before Kubernetes is installed, the address is there that it is installed by."""
    assert may_hold("127.0.0.9", "127.0.0.2", "127.0.0.3")
    assert may_hold("127.0.0.9", "127.0.0.2")


def test_an_address_that_cannot_be_reached_is_no_answer(may_hold: MayHold) -> None:
    # the kernel itself refuses both: RFC 919, 7 and RFC 1112, 4
    assert may_hold("127.0.0.9", "127.0.0.2", "255.255.255.255", "240.0.0.1")


def test_a_host_without_its_own_address_holds_nothing(may_hold: MayHold) -> None:
    # of a block for documentation, RFC 5737
    assert not may_hold("192.0.2.77", "127.0.0.1", "127.0.0.2")


def test_keepalived_is_started_with_its_words_once_the_addresses_are_there(tmp_path: Path) -> None:
    path = tmp_path / "start.py"
    path.write_text(START_TEXT, encoding="utf-8")
    argv = [sys.executable, "-IS", str(path), "127.0.0.1,127.0.0.2", "/bin/echo", "--as", "it is"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("--as it is\n", "")


# --- by BGP ---------------------------------------------------------------------------------------


def test_a_host_announces_its_vips_to_the_gateway_of_its_own_lcm_segment() -> None:
    planned = three(ANY, bgp=BGP)
    found = lines(planned.text("m1", "underlay-vip-bgp"))
    assert f"bgp router-id {planned.address('m1')}" in found
    assert {"router bgp 64512", "network 10.9.9.9/32"} <= set(found)
    assert "neighbor 10.21.1.1 remote-as 64600" in found


def test_only_the_vips_go_out_and_nothing_comes_in() -> None:
    found = lines(three(ANY, bgp=BGP).text("m1", "underlay-vip-bgp"))
    assert "neighbor 10.21.1.1 prefix-list underlay-vips out" in found
    assert "neighbor 10.21.1.1 route-map underlay-nothing in" in found
    permitted = [line for line in found if " permit " in line]
    assert permitted == ["ip prefix-list underlay-vips seq 5 permit 10.9.9.9/32"]
    assert "route-map underlay-nothing deny 10" in found


def test_each_family_goes_to_the_peers_of_its_family_alone() -> None:
    both = lines(three(ANY, ANY6, bgp=BGP).text("m1", "underlay-vip-bgp"))
    assert "network 2001:db8:9::9/128" in both
    assert "neighbor fd21:1::1 activate" in both
    only_v4 = three(ANY, bgp=BGP).text("m1", "underlay-vip-bgp")
    assert "fd21:1::1" not in only_v4
    assert "ipv6" not in only_v4


def test_racks_have_peers_of_their_own() -> None:
    """S4.7 by routing: no VLAN need reach across racks, as each rack's router is announced to."""
    peers = [
        {"rack": ["r1"], "asn": 64601, "address": "10.21.1.3"},
        {"rack": ["r2"], "asn": 64602, "address": "10.21.2.3"},
    ]
    intent = managers("m1", "m2", vips=[ANY], bgp={"asn": 64512, "peers": peers})
    intent.hosts["m2"]["underlay_rack"] = "r2"
    planned = fleet(intent)
    for host, own, other in (("m1", "10.21.1.3", "64602"), ("m2", "10.21.2.3", "64601")):
        text = planned.text(host, "underlay-vip-bgp")
        assert f"neighbor {own} remote-as" in text
        assert other not in text


@pytest.mark.parametrize(
    ("address", "asn", "far"),
    [("10.21.1.3", 64600, False), ("198.51.100.1", 64600, True), ("198.51.100.1", 64512, False)],
    ids=["on the link", "beyond a router", "of the same system"],
)
def test_only_another_systems_peer_beyond_a_router_needs_more_hops(
    address: str, asn: int, far: bool
) -> None:
    bgp = {"asn": 64512, "peers": [{"asn": asn, "address": address}]}
    found = lines(three(ANY, bgp=bgp).text("m1", "underlay-vip-bgp"))
    assert (f"neighbor {address} ebgp-multihop" in found) is far


def test_bgpd_listens_nowhere_and_touches_no_route() -> None:
    item = three(ANY, bgp=BGP).item("m1", "underlay-vip-bgp")
    words = item["arguments"]
    assert words[words.index("--bgp_port") + 1] == "0"
    assert words[words.index("--vty_port") + 1] == "0"
    assert "--no_zebra" in words
    assert item["readable"] is True, "it runs as the user frr"


def test_a_host_with_ipv6_alone_has_a_router_id_too() -> None:
    intent = managers("m1", "m2", vips=[ANY6], bgp=BGP)
    for name in ("lcm", "workload", "storage_access", "storage_replication"):
        network = intent.network(name)
        network["segments"] = [item for item in network["segments"] if ":" in item["cidr"]]
    for variables in intent.hosts.values():
        attach = variables["underlay_l2_template"]["attach"]
        attach[:] = [item for item in attach if item["network"] == "lcm"]
    intent.fleet["underlay_networks"] = [intent.network("lcm")]
    for item in intent.network("lcm")["segments"]:
        item["vlan"] = 100 + int(item["name"][1])
    texts = {host: fleet(intent).text(host, "underlay-vip-bgp") for host in ("m1", "m2")}
    ids = {
        line for text in texts.values() for line in lines(text) if line.startswith("bgp router-id")
    }
    assert len(ids) == 2
    assert "bgp router-id 0.0.0.0" not in ids


def test_who_runs_all_of_frr_gets_what_our_own_bgpd_would() -> None:
    planned = three(ANY, bgp=BGP)
    text = frr_conf(planned.model, planned.vips, "m1", planned.parts["m1"])
    assert text == planned.text("m1", "underlay-vip-bgp")
    assert frr_conf(planned.model, planned.vips, "w1", planned.parts["w1"]) is None
