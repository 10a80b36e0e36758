# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example inventories, planned as a person does, against MOSK's table of nodes and networks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import ROOT, Run, play

INVENTORIES = ROOT / "inventories"
SINGLE_RACK = "mosk_single_rack"
MULTIRACK = ["mosk_multirack_arp", "mosk_multirack_bgp"]

# Kinds of networks by kind of node, without PXE, which is no operational node's (S4.1).
NETWORKS = {
    "manager": {"lcm", "workload"},
    "controller": {"lcm", "external", "workload", "storage_access"},
    "compute": {"lcm", "workload", "storage_access"},
    "storage": {"lcm", "workload", "storage_access", "storage_replication"},
    "provisioning": {"lcm", "pxe"},
}
RACKS = ("r1", "r2", "r3")


@dataclass(frozen=True)
class Example:
    """A planned example. kinds: host -> its kind of node."""

    name: str
    run: Run
    store: Path
    fleet: dict[str, Any]
    hosts: dict[str, dict[str, Any]]
    kinds: dict[str, str]

    @property
    def handover(self) -> Path:
        plan = (self.store / "plans" / "current").read_text("utf-8").strip()
        return self.store / "plans" / plan / "handover"

    def nodes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Everybody but the server that machines are booted from."""
        for name, part in self.hosts.items():
            if self.kinds[name] != "provisioning":
                yield name, part

    def segments(self, kind: str) -> list[dict[str, Any]]:
        return [
            {**segment, "network": network["name"]}
            for network in self.fleet["networks"]
            for segment in network["segments"]
            if network["kind"] == kind
        ]

    def segment(self, item: dict[str, Any]) -> dict[str, Any]:
        """The segment of an item of a host's addresses."""
        (found,) = (
            segment
            for segment in self.segments(item["kind"])
            if (segment["network"], segment["name"]) == (item["network"], item["segment"])
        )
        return found


def planned(name: str, store: Path) -> Example:
    run = play("plan.yml", INVENTORIES / name, "-e", f"underlay_store={store}")
    assert run.status == 0, run.output
    plan = store / "plans" / (store / "plans" / "current").read_text("utf-8").strip()
    parts = {file.stem: json.loads(file.read_text("utf-8")) for file in plan.glob("hosts/*.json")}
    inventory = yaml.safe_load((INVENTORIES / name / "hosts.yml").read_text("utf-8"))
    groups = inventory["all"]["children"]["underlay"]["children"]
    kinds = {host: kind for kind, group in groups.items() for host in group["hosts"]}
    fleet = json.loads((plan / "plan.json").read_text("utf-8"))
    return Example(name, run, store, fleet, parts, kinds)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Example]:
    """Each planned once; nobody changes them."""
    names = [SINGLE_RACK, *MULTIRACK]
    return {name: planned(name, tmp_path_factory.mktemp(name)) for name in names}


@pytest.fixture(params=[SINGLE_RACK, *MULTIRACK])
def example(request: pytest.FixtureRequest, examples: dict[str, Example]) -> Example:
    return examples[request.param]


@pytest.fixture(params=MULTIRACK)
def racks(request: pytest.FixtureRequest, examples: dict[str, Example]) -> Example:
    return examples[request.param]


class TestEveryHost:
    def test_is_on_exactly_the_networks_of_its_kind(self, example: Example) -> None:
        for name, part in example.hosts.items():
            kinds = [item["kind"] for item in part["addresses"]]
            assert sorted(kinds) == sorted(NETWORKS[example.kinds[name]]), name

    def test_is_on_the_segments_of_its_rack(self, example: Example) -> None:
        for name, part in example.hosts.items():
            for item in part["addresses"]:
                segment = example.segment(item)
                assert segment["racks"] in ([], [part["rack"]]), name
                address = ip_address(item["address"].partition("/")[0])
                assert address in ip_network(segment["cidr"])

    def test_has_one_lcm_address_and_routes_to_every_other_lcm_segment(
        self, example: Example
    ) -> None:
        """S4.2 to S4.4; the API's own segment, where it has one, is among them."""
        for name, part in example.hosts.items():
            (own,) = (item for item in part["addresses"] if item["kind"] == "lcm")
            gateway = example.segment(own)["gateway"]
            home = example.segment(own)["cidr"]
            wanted = {(s["cidr"], gateway) for s in example.segments("lcm") if s["cidr"] != home}
            routes = {(route["to"], route["via"]) for route in part["expect"]["routes"]}
            assert wanted <= routes, name

    def test_has_its_default_route_by_external_and_only_there(self, example: Example) -> None:
        """S4.12"""
        for name, part in example.hosts.items():
            ways = [route["network"] for route in part["expect"]["default_route"]]
            controller = example.kinds[name] == "controller"
            assert ways == (["external"] if controller else []), name

    def test_has_jumbo_frames_on_storage_and_all_below_it(self, example: Example) -> None:
        for name, part in example.hosts.items():
            links = {link["name"]: link for link in part["expect"]["links"]}
            for item in part["addresses"]:
                if item["kind"].startswith("storage"):
                    assert links[item["link"]]["mtu"] == 9000, name
                    assert links["bond0"]["mtu"] == 9000, name
                    assert links["enp65s0f0"]["mtu"] == 9000, name

    def test_but_the_server_has_nothing_of_the_pxe_network(self, example: Example) -> None:
        """S4.1"""
        subnets = [ip_network(segment["cidr"]) for segment in example.segments("pxe")]
        for name, part in example.nodes():
            assert "eno1" not in [link["name"] for link in part["expect"]["links"]], name
            texts = re.findall(r"\d+\.\d+\.\d+\.\d+", json.dumps(part["expect"]["addresses"]))
            texts += [route["via"] for route in part["expect"]["routes"]]
            for text in texts:
                assert not any(ip_address(text) in subnet for subnet in subnets), name

    def test_boots_by_an_address_of_its_racks_pxe_segment(self, example: Example) -> None:
        """S4.1, the table's first column: the address is its own, and on no link of it."""
        booted = {item["host"]: item["address"] for item in example.fleet["pxe"]["hosts"]}
        assert set(booted) == {name for name, _part in example.nodes()}
        for name, part in example.nodes():
            (home,) = (s for s in example.segments("pxe") if s["racks"] in ([], [part["rack"]]))
            assert ip_address(booted[name]) in ip_network(home["cidr"]), name
        assert example.fleet["pxe"]["servers"] == ["pxe1"]

    def test_has_a_board_in_its_rack_and_no_address_there(self, example: Example) -> None:
        """S4.15"""
        boards = {item["host"]: item["address"] for item in example.fleet["bmcs"]}
        assert set(boards) == set(example.hosts)
        for name, part in example.hosts.items():
            (home,) = (s for s in example.segments("oob") if s["racks"] in ([], [part["rack"]]))
            assert ip_address(boards[name]) in ip_network(home["cidr"])
            assert "oob" not in {item["kind"] for item in part["addresses"]}


class TestSeveralRacks:
    def test_have_a_host_of_each_kind_and_one_template_for_all_of_a_kind(
        self, racks: Example
    ) -> None:
        """MOSK needs a template for each kind in each rack; here one for each kind."""
        for kind in ("manager", "controller", "compute", "storage"):
            members = [name for name in racks.hosts if racks.kinds[name] == kind]
            assert sorted(racks.hosts[name]["rack"] for name in members) == list(RACKS)
        files = [
            file.relative_to(INVENTORIES / racks.name)
            for file in (INVENTORIES / racks.name).rglob("*.yml")
            if "underlay_l2_template" in file.read_text("utf-8")
        ]
        assert sorted(map(str, files)) == sorted(f"group_vars/{kind}.yml" for kind in NETWORKS)

    def test_share_no_vlan_but_the_external_one_and_with_arp_the_apis(self, racks: Example) -> None:
        """S4.7: the API's segment reaches every manager. S4.9: external reaches all controllers."""
        stretched = {
            network["name"]
            for network in racks.fleet["networks"]
            for segment in network["segments"]
            if not segment["racks"]
        }
        assert stretched == ({"external", "api"} if "arp" in racks.name else {"external"})

    def test_differ_in_nothing_but_segments(self, racks: Example) -> None:
        """Hosts of one kind have the same kinds of links whatever their rack."""
        for kind in NETWORKS:
            shapes = {
                json.dumps(
                    sorted(
                        [str(link["network"]), link["type"], link["mtu"]]
                        for link in part["expect"]["links"]
                    )
                )
                for name, part in racks.hosts.items()
                if racks.kinds[name] == kind
            }
            assert len(shapes) == 1, kind


class TestTheApiEndpoint:
    def test_is_where_the_example_says(self, example: Example) -> None:
        """S4.6: from the LCM subnet by hand, from a range of its own, or, by BGP, from none."""
        wanted = {
            SINGLE_RACK: "https://10.11.0.250:6443",
            "mosk_multirack_arp": "https://10.11.0.250:6443",
            "mosk_multirack_bgp": "https://10.11.255.1:6443",
        }
        assert [item["url"] for item in example.fleet["api_endpoints"]] == [wanted[example.name]]
        (vip,) = example.fleet["vips"]
        assert vip["holders"] == ["mgr1", "mgr2", "mgr3"]
        assert vip["mode"] == ("bgp" if "bgp" in example.name else "arp")


class TestWhatIsHandedOver:
    def test_the_summary_says_where_it_is(self, example: Example) -> None:
        assert f"For the next tools: {example.handover}" in example.run.output

    def test_has_ceph_on_storage_hosts_alone(self, example: Example) -> None:
        """S4.13, S4.14"""
        files = {file.name for file in (example.handover / "ceph").iterdir()}
        assert files == {"sto1.conf", "sto2.conf", "sto3.conf"}

    def test_has_metallb_answer_on_controllers_alone(self, example: Example) -> None:
        """S4.9, S4.10"""
        text = (example.handover / "metallb.yaml").read_text("utf-8")
        pool, answer = yaml.safe_load_all(text)
        assert pool["spec"]["addresses"] == ["203.0.113.100-203.0.113.199"]
        (chosen,) = answer["spec"]["nodeSelectors"][0]["matchExpressions"]
        assert chosen["values"] == ["ctl1", "ctl2", "ctl3"]

    def test_has_managers_announce_to_the_router_of_their_rack(
        self, examples: dict[str, Example]
    ) -> None:
        """S4.6-7, by BGP: the peer is the gateway of the host's own LCM segment."""
        folder = examples["mosk_multirack_bgp"].handover / "frr"
        assert {file.name for file in folder.iterdir()} == {f"mgr{n}.conf" for n in (1, 2, 3)}
        for number in (1, 2, 3):
            text = (folder / f"mgr{number}.conf").read_text("utf-8")
            assert f"neighbor 10.11.{number}.1 remote-as {64600 + number}" in text
            assert "10.11.255.1/32" in text
        assert not (examples["mosk_multirack_arp"].handover / "frr").exists()

    def test_is_set_as_facts_on_every_host_without_asking_one(
        self, example: Example, tmp_path: Path
    ) -> None:
        told = [
            "underlay_addresses == files['addresses.json'][inventory_hostname]",
            "underlay_kubelet_node_ip == files['kubelet_node_ips.json'][inventory_hostname]",
            "underlay_api_endpoint.port == 6443",
        ]
        files = {
            name: json.loads((example.handover / name).read_text("utf-8"))
            for name in ("addresses.json", "kubelet_node_ips.json")
        }
        learn = {"underlay.cluster.address_facts": {"store": str(example.store)}}
        compare = {"ansible.builtin.assert": {"that": told}}
        book = {"hosts": "underlay", "gather_facts": False, "vars": {"files": files}}
        playbook = tmp_path / "facts.yml"
        playbook.write_text(yaml.safe_dump([{**book, "tasks": [learn, compare]}]), "utf-8")

        run = play(str(playbook), INVENTORIES / example.name)

        assert run.status == 0, run.output
        assert run.changed == 0
        assert run.output.count("All assertions passed") == len(example.hosts)


def test_an_example_is_planned_without_leaving_anything_beside_it(example: Example) -> None:
    assert not (INVENTORIES / example.name / ".underlay").exists()


def test_a_preview_names_the_place_of_the_real_run_and_makes_its_files(tmp_path: Path) -> None:
    store = ("-e", f"underlay_store={tmp_path / 'store'}")
    preview = play("plan.yml", INVENTORIES / SINGLE_RACK, *store, "--check")
    assert not (tmp_path / "store").exists()
    real = play("plan.yml", INVENTORIES / SINGLE_RACK, *store)
    (line,) = (line for line in real.output.splitlines() if line.startswith("For the next tools"))
    assert line in preview.output
    assert (Path(line.partition(": ")[2]) / "addresses.json").exists()
