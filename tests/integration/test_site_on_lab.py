# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`playbooks/site.yml` on virtual machines with VLANs and bonds, and faults that verify finds."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run
from tests.integration.lab_site import HOSTS, Site

pytestmark = [pytest.mark.lab, pytest.mark.slow]

# Module executions on one host in a site run that changes nothing.
MOST_MODULES = 10
IPV4_AND_ICMP_HEADERS = 28


def findings(report: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    """Return the report's findings that have these values."""
    return [
        item
        for host in report["hosts"]
        for item in host["findings"]
        if all(item.get(key) == value for key, value in wanted.items())
    ]


def diffs(run: Run) -> list[str]:
    """Return the blocks of a run's diffs, in a fixed order: hosts answer in any."""
    blocks = re.findall(r"^--- before.*?(?=^\S*(?:changed|ok): \[)", run.output, re.M | re.S)
    return sorted(block for text in blocks for block in re.split(r"(?m)^(?=--- before)", text))


def test_the_first_run_ends_with_the_verdict_ok(site: Site) -> None:
    assert site.first.status == 0, site.first.output
    assert "Verdict: ok" in site.first.output


def test_check_mode_shows_the_very_diffs_of_the_real_run(site: Site) -> None:
    assert site.preview.status == 0, site.preview.output
    assert len(diffs(site.preview)) > len(HOSTS)
    assert diffs(site.preview) == diffs(site.first)


def test_a_second_run_changes_nothing_with_few_module_runs(site: Site) -> None:
    begin = {host: site.lab.ssh(host, "date +%s").stdout.strip() for host in HOSTS}

    again = site.play("site.yml", "--diff")

    assert again.status == 0, again.output
    assert again.changed == 0
    for host in HOSTS:
        journal = site.lab.ssh(host, f"journalctl --no-pager -o cat --since @{begin[host]}").stdout
        runs = [line for line in journal.splitlines() if line.startswith("Invoked with")]
        assert 0 < len(runs) <= MOST_MODULES, runs


@pytest.mark.parametrize("network", ["lcm", "workload", "storage_access"])
def test_all_hosts_reach_each_other_at_the_full_mtu_without_fragments(
    site: Site, network: str
) -> None:
    """Across racks too; by ping itself, so that the product's own probe is not its only witness."""
    for host in HOSTS:
        size = 1500 - IPV4_AND_ICMP_HEADERS
        for peer in HOSTS:
            if peer != host:
                address = site.address(peer, network)
                source = site.address(host, network)
                command = f"ping -c 1 -W 5 -M do -s {size} -I {source} {address}"
                assert site.lab.ssh(host, command).returncode == 0, (host, peer)


def test_a_vlan_missing_from_a_trunk_is_found_and_named(site: Site) -> None:
    site.lab.switch.remove_vlan("w2", 102)
    try:
        run, report = site.verdict()
    finally:
        site.lab.switch.add_vlan("w2", 102)

    assert run.status == 2
    assert report["verdict"] == "failed"
    gateway = findings(report, host="w2", network="lcm", check="gateway")
    assert any("10.21.2.1" in json.dumps(item) for item in gateway)
    assert not findings(report, host="w2", network="workload")


def test_a_lowered_mtu_is_found_and_named(site: Site) -> None:
    site.lab.ssh("w2", "ip link set bond0.202 mtu 1400")
    try:
        run, report = site.verdict()
    finally:
        site.lab.ssh("w2", "ip link set bond0.202 mtu 1500")

    assert run.status == 2
    found = findings(report, host="w2", network="workload", check="mtu")
    assert [(item["subject"], item["expected"], item["seen"]) for item in found] == [
        ("bond0.202", "1500", "1400")
    ]


def test_a_duplicate_address_is_found_and_named(site: Site) -> None:
    stolen = site.address("w1", "workload")
    site.lab.ssh("cp1", f"ip addr add {stolen}/32 dev bond0.201")
    try:
        run, report = site.verdict()
    finally:
        site.lab.ssh("cp1", f"ip addr del {stolen}/32 dev bond0.201")

    assert run.status == 2
    assert findings(report, host="w1", network="workload", check="duplicate")
    assert stolen in run.output


def test_a_cut_link_of_the_bond_is_degraded_not_dead(site: Site) -> None:
    site.lab.switch.cut("w1", "enp0s4")
    try:
        run, report = site.verdict()
        strict, _report = site.verdict("-e", "underlay_verify_fail_on=degraded")
    finally:
        site.lab.switch.mend("w1", "enp0s4")

    assert run.status == 0, run.output
    assert report["verdict"] == "degraded"
    assert {item["host"] for item in findings(report)} == {"w1"}
    assert "enp0s4" in run.output
    assert strict.status == 2


def test_a_removed_network_leaves_nothing_behind_and_the_others_alone(site: Site) -> None:
    variables = site.inventory / "group_vars" / "underlay.yml"
    good = variables.read_text("utf-8")
    intent = yaml.safe_load(good)
    storage_variables = site.inventory / "group_vars" / "storage_hosts.yml"
    storage_good = storage_variables.read_text("utf-8")
    storage = yaml.safe_load(storage_good)
    for holder in (intent, storage):
        template = holder["underlay_l2_template"]
        template["attach"] = [i for i in template["attach"] if i["network"] != "workload"]
    networks = intent["underlay_networks"]
    intent["underlay_networks"] = [item for item in networks if item["name"] != "workload"]
    before = {host: _interfaces(site, host) for host in HOSTS}
    variables.write_text(yaml.safe_dump(intent), "utf-8")
    storage_variables.write_text(yaml.safe_dump(storage), "utf-8")
    try:
        removal = site.play("plan.yml"), site.play("apply.yml")
        after = {host: _interfaces(site, host) for host in HOSTS}
        routes = {host: site.lab.ssh(host, "ip route show table all").stdout for host in HOSTS}
        files = {host: site.lab.ssh(host, "ls /etc/netplan").stdout for host in HOSTS}
    finally:
        variables.write_text(good, "utf-8")
        storage_variables.write_text(storage_good, "utf-8")
        restored = site.play("plan.yml"), site.play("apply.yml")

    assert [run.status for run in (*removal, *restored)] == [0] * 4, removal[1].output
    for host in HOSTS:
        gone = {name for name in before[host] if name.startswith("bond0.20")}
        assert gone
        assert set(after[host]) == set(before[host]) - gone
        for name, addresses in after[host].items():
            assert addresses == before[host][name]
        assert "10.22." not in routes[host]
        assert "workload" not in files[host]
        assert _interfaces(site, host) == before[host]


def test_a_foreign_file_for_a_planned_link_is_reported_before_the_change(site: Site) -> None:
    foreign = "/etc/netplan/90-somebody.yaml"
    text = "network: {version: 2, ethernets: {enp0s3: {mtu: 1400}}}"
    site.lab.ssh("w1", f"umask 077; echo '{text}' > {foreign}")
    before = _interfaces(site, "w1")
    variables = site.inventory / "group_vars" / "underlay.yml"
    good = variables.read_text("utf-8")
    intent = yaml.safe_load(good)
    intent["underlay_networks"][0]["mtu"] = 1400
    variables.write_text(yaml.safe_dump(intent), "utf-8")
    try:
        planned = site.play("plan.yml")
        refused = site.play("apply.yml", "--limit", "w1")
        kept = site.lab.ssh("w1", f"cat {foreign}").stdout.strip()
        after = _interfaces(site, "w1")
    finally:
        site.lab.ssh("w1", f"rm -f {foreign}")
        variables.write_text(good, "utf-8")
        restored = site.play("plan.yml"), site.play("apply.yml", "--limit", "w1")

    assert planned.status == 0, planned.output
    assert refused.status == 2, refused.output
    assert foreign in refused.output
    assert "60-underlay-links.yaml" in refused.output
    assert "enp0s3" in refused.output
    assert kept == text
    assert after == before
    assert [run.status for run in restored] == [0, 0], restored[1].output
    assert restored[1].changed == 0, "what was refused left something behind"


def _interfaces(site: Site, host: str) -> dict[str, list[str]]:
    """Return the addresses of a host's links, but for those of the kernel's own making, and the
    API's, which belongs to no single host: it moves when its holder's bond is configured anew.
    """
    shown = json.loads(site.lab.ssh(host, "ip -j addr").stdout)
    virtual = {item["address"] for item in site.part(host)["expect"]["vips"]}
    return {
        link["ifname"]: sorted(
            item["local"]
            for item in link["addr_info"]
            if item["scope"] == "global" and item["local"] not in virtual
        )
        for link in shown
    }
