# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files for the next tools, read back as those tools read them."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.underlay.cluster.plugins.plugin_utils.handover_text import (
    handover_texts,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.vips import ANNOUNCED
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import FolderStore
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import plan

# The keys of the objects' specs with the types of their values.
# rook/rook, Documentation/CRDs/Cluster: network-providers.md ("Specifying Ceph Network Selections",
# "Host Networking") and ceph-cluster-crd.md ("Network Configuration Settings").
ROOK_NETWORK = {
    "provider": str,
    "addressRanges": {"public": [str], "cluster": [str]},
    "ipFamily": str,
    "dualStack": bool,
}
# metallb/metallb, config/crd/bases: metallb.io_ipaddresspools.yaml and
# metallb.io_l2advertisements.yaml; interfaces: its page "Advanced L2 configuration".
METALLB = {
    "IPAddressPool": {"addresses": [str], "autoAssign": bool, "avoidBuggyIPs": bool},
    "L2Advertisement": {
        "ipAddressPools": [str],
        "interfaces": [str],
        "nodeSelectors": [{"matchExpressions": [{"key": str, "operator": str, "values": [str]}]}],
    },
}


def fits(value: object, shape: object) -> bool:
    """Whether a value has no key and no type that the shape does not have."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            key in shape and fits(inner, shape[key]) for key, inner in value.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    return isinstance(shape, type) and isinstance(value, shape)


def with_external(*hosts: str) -> Intent:
    intent = good_intent()
    segment = {
        "name": "ext_1",
        "vlan": 500,
        "cidr": "198.51.100.0/24",
        "gateway": "198.51.100.1",
        "ranges": ["198.51.100.10-198.51.100.99"],
        "service_ranges": ["198.51.100.100-198.51.100.199", "198.51.100.9"],
    }
    intent.network("lcm").update(default_route=False)
    intent.fleet["underlay_networks"].append(
        {"name": "external", "kind": "external", "default_route": True, "segments": [segment]}
    )
    for host in hosts:
        intent.template(host)["attach"].append({"network": "external", "link": "bond0"})
    return intent


def texts(intent: Intent) -> dict[str, str]:
    planned = plan(intent)
    return handover_texts(planned.fleet, planned.hosts)


def ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def metallb(intent: Intent) -> dict[str, list[dict[str, Any]]]:
    """The objects by kind, each seen to have the API's shape and a name of its own."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in METALLB}
    for item in documents(texts(intent)["metallb.yaml"]):
        assert item["apiVersion"] == "metallb.io/v1beta1"
        assert item["metadata"]["namespace"] == "metallb-system"
        assert fits(item["spec"], METALLB[item["kind"]]), item
        found[item["kind"]].append(item)
    for items in found.values():
        names = [item["metadata"]["name"] for item in items]
        assert len(set(names)) == len(names)
    return found


class TestAddresses:
    def test_are_every_hosts_services(self) -> None:
        planned = plan(good_intent())
        found = json.loads(texts(good_intent())["addresses.json"])
        assert found == {name: part["services"] for name, part in planned.hosts.items()}

    def test_node_ips_are_what_kubelet_takes(self) -> None:
        found = json.loads(texts(good_intent())["kubelet_node_ips.json"])
        assert found["w1"] == "10.21.1.12,fd21:1::3"


class TestCeph:
    """S4.13: storage access is Ceph's public network. S4.14: replication is its cluster network."""

    def test_has_the_subnets_of_all_segments(self) -> None:
        assert ini(texts(good_intent())["ceph.conf"]) == {
            "global": {
                "public_network": "10.23.1.0/24, 10.23.2.0/24",
                "cluster_network": "10.24.1.0/24, 10.24.2.0/24",
            }
        }

    def test_has_the_addresses_of_each_storage_host_in_its_own_file(self) -> None:
        found = texts(good_intent())
        services = plan(good_intent()).hosts["st1"]["services"]
        assert [name for name in found if name.startswith("ceph/")] == ["ceph/st1.conf"]
        assert ini(found["ceph/st1.conf"]) == {
            "osd": {
                "public_addr": services["ceph_public"]["address"],
                "cluster_addr": services["ceph_cluster"]["address"],
            }
        }

    def test_of_both_families_binds_to_both_and_fixes_no_address(self) -> None:
        intent = good_intent()
        intent.network("storage_access")["segments"].append(
            {"name": "v6", "vlan": 302, "rack": "r2", "cidr": "fd23::/64"}
        )
        found = texts(intent)
        section = ini(found["ceph.conf"])["global"]
        assert section["public_network"] == "10.23.1.0/24, 10.23.2.0/24, fd23::/64"
        assert (section["ms_bind_ipv4"], section["ms_bind_ipv6"]) == ("true", "true")
        assert list(ini(found["ceph/st1.conf"])["osd"]) == ["cluster_addr"]

    def test_of_ipv6_alone_does_not_bind_to_ipv4(self) -> None:
        intent = good_intent()
        for name in ("storage_access", "storage_replication"):
            for index, segment in enumerate(intent.network(name)["segments"], start=1):
                own = f"fd{len(name):x}:{index}::"
                segment.update(cidr=f"{own}/64", gateway=f"{own}1")
        found = texts(intent)
        section = ini(found["ceph.conf"])["global"]
        assert (section["ms_bind_ipv4"], section["ms_bind_ipv6"]) == ("false", "true")
        (values,) = documents(found["rook-values.yaml"])
        assert values["cephClusterSpec"]["network"]["ipFamily"] == "IPv6"

    def test_of_rook_has_the_networks_where_its_chart_reads_them(self) -> None:
        (values,) = documents(texts(good_intent())["rook-values.yaml"])
        network = values["cephClusterSpec"]["network"]
        assert fits(network, ROOK_NETWORK)
        assert network == {
            "provider": "host",
            "addressRanges": {
                "public": ["10.23.1.0/24", "10.23.2.0/24"],
                "cluster": ["10.24.1.0/24", "10.24.2.0/24"],
            },
        }

    def test_without_a_storage_network_has_no_file(self) -> None:
        intent = good_intent()
        for host in intent.hosts:
            attach = intent.template(host)["attach"]
            attach[:] = [item for item in attach if "storage" not in item["network"]]
        assert not [name for name in texts(intent) if "ceph" in name or "rook" in name]


class TestMetalLb:
    """S4.9-10: addresses of services come from the service ranges, on the external VLAN."""

    def test_has_the_service_ranges_as_its_pool(self) -> None:
        (pool,) = metallb(with_external("w1", "w2"))["IPAddressPool"]
        assert pool["metadata"]["name"] == "external-ext-1"
        # One address alone is no range for MetalLB.
        ranges = ["198.51.100.100-198.51.100.199", "198.51.100.9/32"]
        assert pool["spec"]["addresses"] == ranges

    def test_answers_on_the_external_link_of_hosts_that_have_it(self) -> None:
        (answer,) = metallb(with_external("w1", "w2"))["L2Advertisement"]
        assert answer["spec"]["interfaces"] == ["bond0.500"]
        (selector,) = answer["spec"]["nodeSelectors"]
        (expression,) = selector["matchExpressions"]
        assert expression["key"] == "kubernetes.io/hostname"
        assert expression["values"] == ["w1", "w2"]

    def test_chooses_no_hosts_where_all_have_it(self) -> None:
        (answer,) = metallb(with_external("cp1", "st1", "w1", "w2"))["L2Advertisement"]
        assert "nodeSelectors" not in answer["spec"]

    def test_answers_on_each_hosts_own_link_where_they_differ(self) -> None:
        intent = with_external("cp1", "st1", "w1", "w2")
        intent.attach("w1", "external")["bridge"] = "br-ext"
        answers = metallb(intent)["L2Advertisement"]
        on_link = {item["spec"]["interfaces"][0]: item["spec"] for item in answers}
        assert set(on_link) == {"bond0.500", "br-ext"}
        (selector,) = on_link["br-ext"]["nodeSelectors"]
        assert selector["matchExpressions"][0]["values"] == ["w1"]

    def test_has_one_pool_for_both_families_of_a_segment(self) -> None:
        intent = with_external("w1")
        intent.network("external")["segments"].append(
            {
                "name": "ext_1_v6",
                "vlan": 500,
                "cidr": "2001:db8:5::/64",
                "gateway": "2001:db8:5::1",
                "ranges": ["2001:db8:5::10-2001:db8:5::99"],
                "service_ranges": ["2001:db8:5::100-2001:db8:5::1ff"],
            }
        )
        (pool,) = metallb(intent)["IPAddressPool"]
        assert "2001:db8:5::100-2001:db8:5::1ff" in pool["spec"]["addresses"]

    def test_without_a_host_on_the_network_has_no_file(self) -> None:
        assert "metallb.yaml" not in texts(with_external())


def test_kubeadm_learns_the_endpoint() -> None:
    (found,) = documents(texts(good_intent())["kubeadm.yaml"])
    assert found["kind"] == "ClusterConfiguration"
    assert found["controlPlaneEndpoint"] == "10.21.1.10:6443"


class TestBgp:
    """S4.6-7: who announces a VIP by routing."""

    def test_is_what_the_hosts_own_daemon_reads(self) -> None:
        planned = plan(good_intent())
        speaker = {"name": ANNOUNCED, "files": [{"name": "bgpd.conf", "content": "router bgp 1\n"}]}
        for name, part in planned.hosts.items():
            announcing = speaker if name == "cp1" else {"name": ANNOUNCED, "state": "absent"}
            part["daemons"] = {"vip": [{"name": "other", "files": []}, announcing]}
        found = handover_texts(planned.fleet, planned.hosts)
        assert [name for name in found if name.startswith("frr/")] == ["frr/cp1.conf"]
        *header, last = found["frr/cp1.conf"].splitlines()
        assert last == "router bgp 1"
        assert all(line.startswith("! ") for line in header)


class TestSeveralClusters:
    def test_have_a_folder_each_and_only_their_own_hosts(self) -> None:
        intent = with_external("w1", "w2")
        for host, cluster in {"cp1": "a", "w1": "a", "w2": "../b", "st1": "../b"}.items():
            intent.hosts[host]["underlay_cluster"] = cluster
        for host in ("w2", "st1"):
            intent.template(host)["attach"].remove(intent.attach(host, "workload"))
        found = texts(intent)
        assert "metallb.yaml" not in found
        for folder, host in (("a", "w1"), ("%2E.%2Fb", "w2")):
            objects = documents(found[f"clusters/{folder}/metallb.yaml"])
            (selector,) = objects[-1]["spec"]["nodeSelectors"]
            assert selector["matchExpressions"][0]["values"] == [host]
        assert "clusters/%2E.%2Fb/ceph/st1.conf" in found


class TestTheFiles:
    def test_say_what_they_are(self) -> None:
        for name, text in texts(with_external("w1")).items():
            if not name.endswith(".json"):
                first, second, *_rest = text.splitlines()
                assert first.startswith("# "), name
                assert "underlay.cluster" in second

    def test_are_the_same_for_the_same_plan(self) -> None:
        planned = plan(with_external("w1"))
        again = json.loads(json.dumps([planned.fleet, planned.hosts]))
        assert handover_texts(*again) == handover_texts(planned.fleet, planned.hosts)

    def test_are_no_part_of_the_hash(self) -> None:
        assert "handover" not in json.dumps(plan(good_intent()).fleet)

    @pytest.mark.parametrize("damage", ["emptied", "gone", "added", "of an older version"])
    def test_are_made_anew_where_a_stored_plan_lacks_them(
        self, damage: str, tmp_path: Path
    ) -> None:
        store = FolderStore(tmp_path)
        wanted = texts(good_intent())
        stored = store.write_plan("plan", {}, {"w1": {}}, wanted)
        folder = stored.folder / "handover"
        file = folder / "ceph" / "st1.conf"
        if damage == "gone":
            file.unlink()
        elif damage == "added":
            (folder / "more").write_text("more", "utf-8")
        else:
            file.write_text("" if damage == "emptied" else "old words", "utf-8")
        store.write_plan("plan", {}, {"w1": {}}, wanted)
        there = {
            str(path.relative_to(folder)): path.read_text("utf-8")
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert there == wanted

    def test_are_left_alone_where_they_are_there(self, tmp_path: Path) -> None:
        store = FolderStore(tmp_path)
        wanted = texts(good_intent())
        stored = store.write_plan("plan", {}, {"w1": {}}, wanted)
        before = (stored.folder / "handover" / "addresses.json").stat()
        store.write_plan("plan", {}, {"w1": {}}, wanted)
        after = (stored.folder / "handover" / "addresses.json").stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
