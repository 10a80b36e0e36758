# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host firewall on virtual machines: real connections, foreign rules, lock-outs, restarts.

The gateway is nobody's friend here: it has an address in every segment and belongs to no cluster,
so what it reaches is what anyone reaches.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run
from tests.integration.lab_site import HOSTS, Site
from tests.integration.traffic import Ask, answers, asker, listener

pytestmark = [pytest.mark.lab, pytest.mark.slow]

# The defaults of the Pharos document's YAML block (S3.9-S3.14): what anyone may reach, by role.
EVERYWHERE = {"22/tcp", "30000/tcp", "32767/tcp", "30000/udp", "32767/udp"}
ANYONE = {
    "cp1": EVERYWHERE | {"6443/tcp"},
    "w1": EVERYWHERE | {"80/tcp", "443/tcp"},
    "w2": EVERYWHERE | {"80/tcp", "443/tcp"},
    "st1": EVERYWHERE,
}
# What somebody listens on all the same: etcd, kubelet, neighbours of the ranges and others.
HIDDEN = {
    *("2379/tcp", "10250/tcp", "10257/tcp", "5000/tcp", "29999/tcp", "32768/tcp"),
    *("8472/udp", "4789/udp", "29999/udp", "32768/udp"),
}
LISTENED = (set().union(*ANYONE.values()) | HIDDEN) - {"22/tcp"}
ASKED = LISTENED | {"22/tcp"}
NETWORKS = ("lcm", "workload", "external", "storage_access")
LISTENER_UNIT = "underlay-test-listener"
OWN_TABLE = "table inet somebody { chain in { type filter hook input priority 10; counter; }; }"


@pytest.fixture(scope="module", autouse=True)
def listeners(site: Site) -> Iterator[None]:
    """Programs that answer on every port in question, on every host."""
    for host in HOSTS:
        _listen(site, host)
    ready = "ss -Hltn | grep -q ':32768 ' && ss -Hlun | grep -q ':32768 '"
    for host in HOSTS:
        site.lab.ssh(host, f"for i in $(seq 300); do {ready} && exit 0; sleep 0.1; done; exit 1")
    yield
    for host in HOSTS:
        site.lab.ssh(host, f"systemctl stop {LISTENER_UNIT}", check=False)


def _listen(site: Site, host: str) -> None:
    """Start the listener anew, also where a killed run has left one."""
    site.lab.ssh(host, f"systemctl stop {LISTENER_UNIT}", check=False)
    command = f"systemd-run -q --unit={LISTENER_UNIT} --collect {listener(LISTENED)}"
    site.lab.ssh(host, command)


def ask(site: Site, host: str, asked: Iterable[Ask], seconds: float = 60.0) -> dict[Ask, bool]:
    """Ask from a host; the answers say what was open."""
    questions = sorted(set(asked), key=str)
    return answers(questions, site.lab.ssh(host, asker(questions, seconds)).stdout)


def questions(source: str, address: str, ports: Iterable[str]) -> list[Ask]:
    """Ask for every port of one address from one source."""
    split = [text.split("/") for text in ports]
    return [Ask(source, address, int(port), protocol) for port, protocol in split]


def planned(site: Site, host: str) -> list[dict[str, Any]]:
    """Return the addresses that the plan gives to a host."""
    found: list[dict[str, Any]] = site.part(host)["addresses"]
    return found


def as_anyone(site: Site, host: str) -> list[Ask]:
    """Ask from the gateway for everything on every planned address of a host."""
    asked = []
    for item in planned(site, host):
        interface = ipaddress.ip_interface(item["address"])
        gateway = str(interface.network[1])
        asked += questions(gateway, str(interface.ip), ASKED)
    return asked


def opened(found: dict[Ask, bool], address: str) -> set[str]:
    """Return the open ports of an address as `80/tcp`."""
    return {f"{q.port}/{q.protocol}" for q, yes in found.items() if yes and q.address == address}


def firewall(site: Site, *arguments: str, **intent: Any) -> Run:
    """Plan with some variables of the intent set otherwise, and bring the firewalls to the plan."""
    extra = ["-e", json.dumps(intent)] if intent else []
    plan = site.play("plan.yml", *extra)
    assert plan.status == 0, plan.output
    return site.play("firewall.yml", *arguments)


def firewalld(**more: Any) -> dict[str, Any]:
    """Return the lab's firewall intent with some keys set otherwise."""
    return {"underlay_firewalld": {"enabled": True, **more}}


@contextmanager
def restored(site: Site, host: str) -> Iterator[None]:
    """Bring a host's firewall back to the inventory's own plan afterwards."""
    try:
        yield
    finally:
        back = firewall(site, "--limit", host)
    assert back.status == 0, back.output


def rules(site: Site, host: str) -> dict[str, dict[str, list[str]]]:
    """Return what firewalld holds, permanently and at runtime, object by object."""
    commands = {
        "runtime": "firewall-cmd --list-all-zones; firewall-cmd --list-all-policies",
        "permanent": "firewall-cmd --permanent --list-all-zones",
        "ipsets": "for s in $(firewall-cmd --get-ipsets); do firewall-cmd --info-ipset=$s; done",
    }
    return {name: _blocks(site.lab.ssh(host, command).stdout) for name, command in commands.items()}


def _blocks(text: str) -> dict[str, list[str]]:
    """Read objects by their titles; firewalld keeps lists in the order of their making.

    The empty shell of a zone that has gone stays until the next reload: it binds nothing.
    """
    found: dict[str, list[str]] = {}
    title = ""
    for line in filter(str.strip, text.splitlines()):
        if line.startswith((" ", "\t")):
            found[title].append(" ".join(sorted(line.split())))
        else:
            title = line
            found[title] = []
    return {
        title: sorted(lines)
        for title, lines in found.items()
        if "(active)" in title or not title.startswith("underlay-") or "type:" in str(lines)
    }


def test_anyone_reaches_on_every_network_what_the_plan_opens_and_nothing_else(site: Site) -> None:
    """From every zone; on IPv4 and IPv6; TCP and UDP."""
    found = ask(site, "gw", [item for host in HOSTS for item in as_anyone(site, host)])

    for host in HOSTS:
        for item in planned(site, host):
            address = item["address"].split("/")[0]
            assert opened(found, address) == ANYONE[host], (host, item["network"], address)


def test_a_network_that_is_not_planned_keeps_the_defaults_of_firewalld(site: Site) -> None:
    own = {host: str(site.lab.host(host).address) for host in HOSTS}
    asked = [item for at in own.values() for item in questions("192.168.60.1", at, ASKED)]
    found = ask(site, "gw", asked)

    for address in own.values():
        assert opened(found, address) == {"22/tcp"}


def test_hosts_of_the_cluster_reach_each_other_on_every_port(site: Site) -> None:
    """All pairs, over every network that the two are both on, also across racks."""

    def asked(source: str) -> dict[Ask, bool]:
        peers = [host for host in HOSTS if host != source]
        return ask(
            site,
            source,
            [
                item
                for network in NETWORKS
                for peer in peers
                for item in questions(
                    site.address(source, network), site.address(peer, network), ASKED
                )
            ],
        )

    with ThreadPoolExecutor() as pool:
        found = dict(zip(HOSTS, pool.map(asked, HOSTS), strict=True))

    for source, answered in found.items():
        assert len(answered) == (len(HOSTS) - 1) * len(NETWORKS) * len(ASKED)
        assert [item for item, yes in answered.items() if not yes] == [], source


def test_a_host_added_later_is_trusted_by_the_old_ones_without_a_reload(site: Site) -> None:
    etcd = questions(site.address("st1", "lcm"), site.address("cp1", "lcm"), ["2379/tcp"])
    file = site.inventory / "hosts.yml"
    good = file.read_text("utf-8")
    hosts = yaml.safe_load(good)
    del hosts["all"]["children"]["underlay"]["children"]["storage_hosts"]["hosts"]
    file.write_text(yaml.safe_dump(hosts), "utf-8")
    try:
        without = firewall(site, "-v", "--limit", "cp1")
        before = ask(site, "st1", etcd)
    finally:
        file.write_text(good, "utf-8")
        joined = firewall(site, "-v", "--limit", "cp1")
    after = ask(site, "st1", etcd)

    assert [without.status, joined.status] == [0, 0], joined.output
    assert set(before.values()) == {False}
    assert set(after.values()) == {True}
    assert re.findall(r"reloads: (\d+)", joined.output) == ["0"]


@pytest.mark.parametrize("runs", [4, pytest.param(10, marks=pytest.mark.long)])
def test_rules_of_others_survive_many_runs(site: Site, runs: int) -> None:
    """A table of another name, and rules that are in firewalld's runtime alone; over reloads."""
    theirs = {
        "table": "nft list table inet somebody | sed 's/packets.*//'",
        "zone": "firewall-cmd --zone=work --list-all",
    }
    # The shell of a zone that an earlier test took away would make the reload needless.
    site.lab.ssh("w1", "firewall-cmd -q --reload")
    site.lab.ssh("w1", f"echo '{OWN_TABLE}' | nft -f -")
    site.lab.ssh("w1", "firewall-cmd -q --zone=work --add-port=1234/tcp")
    site.lab.ssh("w1", "firewall-cmd -q --zone=work --add-source=203.0.113.7")
    before = {name: site.lab.ssh("w1", command).stdout for name, command in theirs.items()}
    # A new zone comes, which cannot be made live without a reload, and goes.
    pxe = firewalld(zones=[{"kind": "pxe", "interfaces": ["nowhere0"]}])
    turns: list[dict[str, Any] | None] = [None, pxe, *[None] * (runs - 3), firewalld()]
    reloads = 0
    try:
        with restored(site, "w1"):
            for turn, intent in enumerate(turns):
                run = (
                    firewall(site, "--limit", "w1", "-v", **intent)
                    if intent
                    else site.play("firewall.yml", "--limit", "w1", "-v")
                )
                assert run.status == 0, run.output
                assert intent or run.changed == 0, run.output
                reloads += sum(int(text) for text in re.findall(r"reloads: (\d+)", run.output))
                after = {name: site.lab.ssh("w1", text).stdout for name, text in theirs.items()}
                assert after == before, f"turn {turn}"
    finally:
        site.lab.ssh("w1", "nft delete table inet somebody", check=False)
        site.lab.ssh("w1", "firewall-cmd -q --zone=work --remove-port=1234/tcp", check=False)
        site.lab.ssh("w1", "firewall-cmd -q --zone=work --remove-source=203.0.113.7", check=False)
    assert before["table"].strip()
    assert "1234/tcp" in before["zone"]
    assert reloads >= 1


def test_a_change_that_would_cut_ssh_is_refused_and_made_over_another_way(site: Site) -> None:
    """SSH stays on the LCM network alone; the connection comes in by the provisioning network."""
    rest = [{"port": "30000-32767", "protocol": "tcp", "roles": ["*"]}]
    closing = firewalld(
        open_ports=[{"port": "22", "protocol": "tcp", "roles": ["*"], "networks": ["lcm"]}, *rest],
        zones=[{"kind": "pxe", "interfaces": ["enp0s2"]}],
    )
    before = rules(site, "w1")
    try:
        refused = firewall(site, "--limit", "w1", **closing)
        between = rules(site, "w1")
        applied = site.play("firewall.yml", "--limit", "w1", *_by_lcm(site, "w1"))
        asked = {
            "192.168.60.1": str(site.lab.host("w1").address),
            "10.21.1.1": site.address("w1", "lcm"),
        }
        found = {
            source: ask(site, "gw", questions(source, address, ["22/tcp"]))
            for source, address in asked.items()
        }
    finally:
        plan = site.play("plan.yml")
        back = site.play("firewall.yml", "--limit", "w1", *_by_lcm(site, "w1"))

    assert refused.status == 2, refused.output
    assert "underlay-pxe" in refused.output
    assert "192.168.60.1" in refused.output
    assert between == before
    assert applied.status == 0, applied.output
    assert set(found["10.21.1.1"].values()) == {True}
    assert set(found["192.168.60.1"].values()) == {False}
    assert [plan.status, back.status] == [0, 0], back.output
    assert rules(site, "w1") == before


def _by_lcm(site: Site, host: str) -> list[str]:
    """Return the arguments that make Ansible reach a host by its LCM address."""
    text = site.lab.ssh_config.read_text("utf-8")
    known = f"HostName {site.lab.host(host).address}\n"
    text = text.replace(known, f"HostName {site.address(host, 'lcm')}\n")
    # Connections of their own: a shared one would still come in by the other network.
    text = re.sub(r"ControlPath .*", "ControlPath none", text)
    config = site.inventory.parent / "by-lcm"
    config.write_text(text.replace("ControlMaster auto", "ControlMaster no"), "utf-8")
    return ["-e", f"ansible_ssh_common_args='-F {config}'"]


def test_a_restart_of_firewalld_changes_nothing(site: Site) -> None:
    before = rules(site, "w1")
    site.lab.ssh("w1", "systemctl restart firewalld")

    assert rules(site, "w1") == before
    again = site.play("firewall.yml", "--limit", "w1")
    assert again.status == 0, again.output
    assert again.changed == 0


def test_a_reboot_changes_nothing(site: Site) -> None:
    before = rules(site, "w2")
    site.lab.power_cut("w2")
    site.lab.power_on("w2")
    site.lab.ssh("w2", "until firewall-cmd -q --state; do sleep 0.5; done")

    assert rules(site, "w2") == before
    asked = [item for item in as_anyone(site, "w2") if item.port == 10250]
    found = ask(site, "gw", asked)
    assert found
    assert not any(found.values())
    again = site.play("firewall.yml", "--limit", "w2")
    assert again.status == 0, again.output
    assert again.changed == 0
    _listen(site, "w2")


def test_where_it_is_not_enabled_nothing_is_touched(site: Site) -> None:
    before = rules(site, "w1")
    with restored(site, "w1"):
        run = firewall(site, "--limit", "w1", underlay_firewalld={"enabled": False})
        after = rules(site, "w1")

    assert run.status == 0, run.output
    assert run.changed == 0
    assert after == before
