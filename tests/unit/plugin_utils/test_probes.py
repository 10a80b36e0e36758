# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom each host asks: everybody in a small fleet, and enough of a large one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.probes import (
    BMCS,
    PEERS,
    mesh,
    probes,
)
from tests.unit.plugin_utils.mutations import good_intent
from tests.unit.plugin_utils.planning import plan

# net.ipv4.neigh.default.gc_thresh3: beyond it the kernel forgets neighbours without an error.
NEIGHBOURS = 1024

Name = Callable[[int, int], str]


def rack_first(rack: int, number: int) -> str:
    return f"r{rack}-node{number}"


def rack_last(rack: int, number: int) -> str:
    return f"node{number}-{rack}"


class Fleet:
    """Hosts in racks, each with an address of both families on one network."""

    def __init__(self, racks: list[int], name: Name = rack_first) -> None:
        self.rack_of: dict[str, str] = {}
        self.parts: dict[str, dict[str, Any]] = {}
        for rack, count in enumerate(racks):
            for number in range(count):
                self._add(name(rack, number), rack, number)
        segments = [
            {"name": f"{rack}{version}", "gateway": None, "mtu": 9000 - rack}
            for rack in range(len(racks))
            for version in ("", "v6")
        ]
        fleet = {"networks": [{"name": "lcm", "segments": segments}]}
        self.mesh = mesh(self.parts, fleet)

    def _add(self, name: str, rack: int, number: int) -> None:
        texts = {
            "": f"10.{rack}.{number >> 8}.{number & 255}/16",
            "v6": f"fd{rack:02}::{number:x}/64",
        }
        addresses = [
            {"network": "lcm", "segment": f"{rack}{version}", "link": "bond0", "address": text}
            for version, text in texts.items()
        ]
        self.rack_of[name] = str(rack)
        self.parts[name] = {"name": name, "addresses": addresses}

    def asked_by(self, host: str, family: int = 4, limit: int = PEERS) -> list[str]:
        found = probes(self.mesh, self.parts[host], limit)
        return [item["host"] for item in found if (":" in item["address"]) == (family == 6)]


@pytest.mark.parametrize("name", [rack_first, rack_last])
@pytest.mark.parametrize("family", [4, 6])
class TestALargeFleet:
    def test_of_1000_hosts_asks_evenly_below_the_neighbour_table(
        self, name: Name, family: int
    ) -> None:
        fleet = Fleet([334, 333, 333], name)
        asked: Counter[str] = Counter()
        crossed = set()
        for host, rack in fleet.rack_of.items():
            peers = fleet.asked_by(host, family)
            assert len(peers) == len(set(peers)) == PEERS
            assert host not in peers
            asked.update(peers)
            crossed |= {(rack, fleet.rack_of[peer]) for peer in peers}
        assert set(asked) == set(fleet.rack_of), "somebody is asked by nobody"
        assert max(asked.values()) + PEERS < NEIGHBOURS
        # As many as it asks, but for what does not divide evenly.
        assert min(asked.values()) >= PEERS - 4
        assert max(asked.values()) <= PEERS + 4
        assert len(crossed) == 9, "a pair of segments is crossed by nobody"

    def test_of_more_racks_than_peers_crosses_every_pair(self, name: Name, family: int) -> None:
        fleet = Fleet([8] * 40, name)
        asked: Counter[str] = Counter()
        crossed = set()
        for host, rack in fleet.rack_of.items():
            peers = fleet.asked_by(host, family)
            asked.update(peers)
            crossed |= {(rack, fleet.rack_of[peer]) for peer in peers}
        assert len(crossed) == 40 * 40
        assert min(asked.values()) >= PEERS // 2
        assert max(asked.values()) <= PEERS * 2

    def test_of_racks_of_different_sizes_leaves_nobody_out(self, name: Name, family: int) -> None:
        fleet = Fleet([1, 5, 80], name)
        asked = Counter(peer for host in fleet.parts for peer in fleet.asked_by(host, family))
        assert set(asked) == set(fleet.parts)


class TestASmallFleet:
    @pytest.mark.parametrize("racks", [[2], [1, 1], [3, 2, 1], [11, 11, 11]])
    def test_asks_everybody(self, racks: list[int]) -> None:
        fleet = Fleet(racks)
        for host in fleet.parts:
            for family in (4, 6):
                assert set(fleet.asked_by(host, family)) == set(fleet.parts) - {host}

    def test_of_one_host_asks_nobody(self) -> None:
        assert Fleet([1]).asked_by("r0-node0") == []

    def test_asks_as_many_as_the_limit_says(self) -> None:
        fleet = Fleet([10, 10])
        peers = fleet.asked_by("r0-node3", limit=4)
        assert len(peers) == 4
        assert {fleet.rack_of[peer] for peer in peers} == {"0", "1"}

    def test_asks_at_the_smaller_mtu_of_both_segments(self) -> None:
        fleet = Fleet([2, 2])
        found = probes(fleet.mesh, fleet.parts["r0-node0"])
        mtus = {item["host"]: item["mtu"] for item in found}
        assert mtus == {"r0-node1": 9000, "r1-node0": 8999, "r1-node1": 8999}


class TestTheProbesOfAPlan:
    def of(self, host: str) -> list[dict[str, Any]]:
        planned = plan(good_intent())
        return probes(planned.fleet["mesh"], planned.hosts[host])

    def test_ask_the_gateways_and_the_peers_of_both_families(self) -> None:
        lcm = [item for item in self.of("w1") if item["network"] == "lcm"]
        assert {(item["target"], item["host"], item["address"]) for item in lcm} == {
            ("gateway", None, "10.21.1.1"),
            ("peer", "cp1", "10.21.1.11"),
            ("peer", "st1", "10.21.2.10"),
            ("peer", "w2", "10.21.2.11"),
            ("gateway", None, "fd21:1::1"),
            ("peer", "cp1", "fd21:1::2"),
            ("peer", "st1", "fd21:2::2"),
            ("peer", "w2", "fd21:2::3"),
            ("vip", "api", "10.21.1.10"),
        }

    def test_go_from_the_hosts_own_address_and_link_at_the_paths_mtu(self) -> None:
        (peer, _unused) = [
            item
            for item in self.of("w1")
            if item["network"] == "storage_access" and item["target"] == "peer"
        ]
        assert peer == {
            "network": "storage_access",
            "source": "10.23.1.2",
            "link": "bond0.301",
            "target": "peer",
            "host": "st1",
            "address": "10.23.2.2",
            "mtu": 9000,
        }

    def test_do_not_ask_a_gateway_that_is_not_there(self) -> None:
        intent = good_intent()
        intent.network("workload")["segments"] = [
            {"name": "all", "vlan": 200, "cidr": "10.22.0.0/16"}
        ]
        planned = plan(intent)
        found = probes(planned.fleet["mesh"], planned.hosts["w1"])
        workload = {item["target"] for item in found if item["network"] == "workload"}
        assert workload == {"peer"}

    def test_do_not_ask_hosts_without_an_address_there(self) -> None:
        hosts = {item["host"] for item in self.of("st1") if item["network"] == "storage_access"}
        assert hosts == {None, "w1", "w2"}


def vip(name: str, address: str, *holders: str, **more: Any) -> dict[str, Any]:
    about = {"name": name, "network": "lcm", "mode": "arp", "port": 6443, "cluster": ""}
    return {**about, "address": address, "holders": list(holders), **more}


class Machines:
    """Hosts with an address on LCM, VIPs and BMCs, as a plan has them."""

    def __init__(self, count: int, provisioning: int = 0, wardens: int = 0) -> None:
        names = [f"n{number}" for number in range(count)]
        self.wardens = frozenset(names[:wardens])
        waiting = names[len(names) - provisioning :] if provisioning else []
        self.parts = {
            name: {
                "name": name,
                "state": "provisioning" if name in waiting else "operational",
                "cluster": "",
                "addresses": [
                    {
                        "network": "lcm",
                        "kind": "lcm",
                        "segment": "all",
                        "link": "bond0.101",
                        "address": f"10.21.{number >> 8}.{number & 255}/16",
                    }
                ],
            }
            for number, name in enumerate(names)
        }
        lcm = {"name": "all", "cidr": "10.21.0.0/16", "gateway": None, "mtu": 9000}
        oob = {"name": "all", "cidr": "10.26.0.0/16", "gateway": None, "mtu": 1500}
        self.fleet: dict[str, Any] = {
            "networks": [
                {"name": "lcm", "kind": "lcm", "segments": [lcm]},
                {"name": "boards", "kind": "oob", "segments": [oob]},
            ],
            "vips": [vip("api", "10.21.200.1", "n0", "n1")],
            "bmcs": [
                {"host": name, "address": f"10.26.{number >> 8}.{number & 255}"}
                for number, name in enumerate(names)
            ],
        }

    def of(self, host: str, target: str) -> list[dict[str, Any]]:
        whole = mesh(self.parts, self.fleet, self.wardens)
        return [item for item in probes(whole, self.parts[host]) if item["target"] == target]


class TestVips:
    """S4.2-7: every host reaches the API's address."""

    def test_are_asked_by_every_host_from_its_own_address(self) -> None:
        machines = Machines(3)
        for host in machines.parts:
            (probe,) = machines.of(host, "vip")
            assert probe == {
                "network": "lcm",
                "target": "vip",
                "host": "api",
                "address": "10.21.200.1",
                "source": machines.parts[host]["addresses"][0]["address"].partition("/")[0],
                "link": "bond0.101",
                "mtu": 9000,
            }

    @pytest.mark.parametrize(
        "wrong",
        [
            vip("api", "10.21.200.1"),
            vip("api", "10.21.200.1", "gone"),
            vip("api", "10.21.200.1", "n2"),
            vip("api", "10.21.200.1", "n0", cluster="other"),
            vip("api", "fd21::1", "n0"),
            {key: value for key, value in vip("api", "10.21.200.1").items() if key != "holders"},
        ],
        ids=["nobody's", "unknown", "provisioning", "other cluster", "other family", "old plan"],
    )
    def test_are_not_asked_for_by_whom_they_are_not_for(self, wrong: dict[str, Any]) -> None:
        machines = Machines(3, provisioning=1)
        machines.fleet["vips"] = [wrong]
        assert machines.of("n0", "vip") == []

    def test_are_asked_from_their_own_network_before_others_of_its_kind(self) -> None:
        machines = Machines(2)
        segment = {"name": "two", "cidr": "10.31.0.0/16", "gateway": None, "mtu": 1500}
        second = {"name": "lcm2", "kind": "lcm", "segments": [segment]}
        machines.fleet["networks"].append(second)
        place = {"network": "lcm2", "kind": "lcm", "segment": "two", "link": "bond0.102"}
        machines.parts["n0"]["addresses"].insert(0, {**place, "address": "10.31.0.1/16"})
        machines.parts["n1"]["addresses"] = [{**place, "address": "10.31.0.2/16"}]
        assert [item["network"] for item in machines.of("n0", "vip")] == ["lcm"]
        (probe,) = machines.of("n1", "vip")
        assert (probe["network"], probe["link"], probe["mtu"]) == ("lcm2", "bond0.102", 1500)

    def test_outside_of_all_segments_are_asked_at_the_smallest_mtu(self) -> None:
        machines = Machines(1)
        small = {"name": "small", "cidr": "10.22.0.0/16", "gateway": None, "mtu": 1400}
        machines.fleet["networks"][0]["segments"].append(small)
        machines.fleet["vips"] = [vip("api", "172.16.0.1", "n0", mode="bgp")]
        assert [item["mtu"] for item in machines.of("n0", "vip")] == [1400]


class TestBmcs:
    """S4.15: BMCs are not reachable from the cluster."""

    def test_are_tried_by_a_host_from_wherever_its_routes_lead(self) -> None:
        (first, _second) = Machines(2).of("n0", "refused")
        assert first == {
            "network": "boards",
            "target": "refused",
            "host": "BMC of n0",
            "address": "10.26.0.0",
            "source": None,
            "link": None,
            "mtu": None,
        }

    @pytest.mark.parametrize(
        ("count", "provisioning"), [(1, 0), (5, 2), (32, 0), (33, 0), (400, 0), (400, 350)]
    )
    def test_are_all_tried_and_by_no_host_more_than_a_few(
        self, count: int, provisioning: int
    ) -> None:
        machines = Machines(count, provisioning)
        whole = mesh(machines.parts, machines.fleet)
        tried = []
        for part in machines.parts.values():
            share = [item["address"] for item in probes(whole, part) if item["target"] == "refused"]
            assert len(share) == len(set(share)) <= BMCS
            tried += share
        assert set(tried) == {item["address"] for item in machines.fleet["bmcs"]}

    def test_are_not_tried_by_those_who_switch_machines_on(self) -> None:
        machines = Machines(3, wardens=1)
        assert machines.of("n0", "refused") == []
        assert len(machines.of("n1", "refused")) == 3


class TestAHostThatIsProvisioned:
    """S4.1: it is on PXE, and not on the cluster's networks yet."""

    def test_is_asked_by_nobody_and_asks_nobody(self) -> None:
        machines = Machines(4, provisioning=1)
        assert [item["host"] for item in machines.of("n0", "peer")] == ["n1", "n2"]
        whole = mesh(machines.parts, machines.fleet)
        assert probes(whole, machines.parts["n3"]) == []
