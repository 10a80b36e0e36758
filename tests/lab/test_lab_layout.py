"""A topology is checked as a whole: every problem at once, with path and what would be right."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import TopologyError, load, parse
from tests.lab.layout import TOPOLOGIES

DEMO = TOPOLOGIES / "demo.yml"


def demo_data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    return data


def problems(data: Any) -> list[str]:
    with pytest.raises(TopologyError) as caught:
        parse(data)
    return caught.value.problems


@pytest.mark.parametrize("path", sorted(TOPOLOGIES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_topology_of_ours_can_be_built(path: Path) -> None:
    assert load(path).gateway.name == "gw"


def test_a_trunk_carries_its_racks_vlans_and_the_gateways_all_of_them() -> None:
    demo = load(DEMO)
    assert demo.host("w1").uplink("enp0s3").vlans == (101, 201, 301, 401, 500)
    assert demo.host("w2").uplink("enp0s4").vlans == (102, 202, 302, 402, 500)
    assert len(demo.gateway.uplinks[0].vlans) == len(demo.vlans)


def test_no_two_cards_share_a_port_of_a_switch() -> None:
    demo = load(DEMO)
    uplinks = [nic.port for host in demo.hosts for nic in host.uplinks]
    assert sorted(uplinks) == list(range(1, len(uplinks) + 1))
    provisioning = [host.provisioning.port for host in demo.hosts]
    assert len(set(provisioning)) == len(provisioning)


def test_each_uplink_may_have_vlans_of_its_own() -> None:
    data = demo_data()
    data["hosts"][1]["uplinks"] = [{"vlans": [101]}, {}]
    host = parse(data).host("cp1")
    assert host.uplinks[0].vlans == (101,)
    assert host.uplinks[1].vlans == (101, 201, 301, 401, 500)


def test_all_problems_are_named_at_once() -> None:
    data = copy.deepcopy(demo_data())
    data["mtu"] = 9000
    data["vlans"][1]["id"] = 101
    data["racks"][0]["vlans"].append(999)
    data["hosts"][2]["address"] = "192.168.99.1"
    data["hosts"][3]["rack"] = "r9"
    data["hosts"][4]["uplink"] = 2
    found = problems(data)
    for path in ("mtu", "vlans[1].id", "racks[0].vlans[5]", "hosts[2].address", "hosts[3].rack"):
        assert any(line.startswith(f"{path}: ") for line in found), (path, found)
    assert any(line.startswith("hosts[4].uplink: ") for line in found)


@pytest.mark.parametrize("data", [None, [], "text", {"hosts": 3}, {"hosts": [None]}, {"vlans": {}}])
def test_nonsense_is_a_list_of_problems_and_no_crash(data: Any) -> None:
    assert problems(data)


@pytest.mark.parametrize("gateways", [0, 2])
def test_there_is_exactly_one_gateway(gateways: int) -> None:
    data = demo_data()
    for index, host in enumerate(data["hosts"]):
        host.pop("role", None)
        host["rack"] = "r1"
        if index < gateways:
            host["role"] = "gateway"
    assert any("role: gateway" in line for line in problems(data))


def test_the_virtual_switch_sets_the_highest_mtu() -> None:
    data = demo_data()
    data["vlans"][0]["mtu"] = 1501
    assert problems(data) == ["vlans[0].mtu: 1501: should be a number from 1280 to 1500"]


def test_a_file_that_is_no_yaml_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "broken.yml"
    path.write_text("hosts: [")
    with pytest.raises(TopologyError, match=r"broken\.yml: 1 problem"):
        load(path)


def test_an_empty_machine_boots_by_a_port_with_an_untagged_vlan() -> None:
    machine = load(TOPOLOGIES / "pxe.yml").host("n1")
    assert machine.empty
    assert machine.uplinks[0].native == 600
    assert not load(DEMO).host("w1").empty


def test_an_empty_machine_needs_a_link_to_boot_by() -> None:
    data = demo_data()
    data["hosts"][1] |= {"empty": True, "uplinks": 0}
    data["hosts"][2]["uplinks"] = [{"native": 999}]
    assert [text.partition(":")[0] for text in problems(data)] == [
        "hosts[1].empty",
        "hosts[2].uplinks[0].native",
    ]
