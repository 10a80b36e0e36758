# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seven networks on virtual machines in two racks: what reaches what, and by which way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest

from tests.integration.arp_watch import holders_in_turn, watcher
from tests.integration.lab_site import HOSTS, Site

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MAY_HOLD = ("cp1", "w1")
STORAGE_HOSTS = ("st1", "w1")
WATCHED = "/run/underlay-test-watch"


def fleet(site: Site) -> dict[str, Any]:
    plans = site.inventory / ".underlay" / "plans"
    current = (plans / "current").read_text("utf-8").strip()
    found: dict[str, Any] = json.loads((plans / current / "plan.json").read_text("utf-8"))
    return found


def api_address(site: Site) -> str:
    return str(fleet(site)["vips"][0]["address"])


def holders(site: Site) -> list[str]:
    address = api_address(site)
    return [
        host
        for host in MAY_HOLD
        if f" {address}/" in site.lab.ssh(host, "ip -o -4 address show").stdout
    ]


def wait_for(condition: Callable[[], bool], seconds: int, what: str) -> None:
    """Ask until it is so; a machine that is busy gets its time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(1)


@contextmanager
def unit(site: Site, host: str, name: str, command: str) -> Iterator[None]:
    """Run a program on a host while the body runs."""
    site.lab.ssh(host, f"systemctl stop {name}; rm -f {WATCHED}", check=False)
    site.lab.ssh(host, f"systemd-run -q --collect --unit={name} {command}")
    try:
        yield
    finally:
        site.lab.ssh(host, f"systemctl stop {name}", check=False)


def test_every_lcm_host_reaches_the_others_and_the_api_address(site: Site) -> None:
    """S4.3, S4.5: across racks, by routes; also from the rack that does not have its VLAN"""
    assert len(holders(site)) == 1
    for host in HOSTS:
        source = site.address(host, "lcm")
        peers = [site.address(peer, "lcm") for peer in HOSTS if peer != host]
        for address in (*peers, api_address(site)):
            done = site.lab.ssh(host, f"ping -c 1 -W 5 -I {source} {address}", check=False)
            assert done.returncode == 0, (host, address, done.stdout)


def test_the_api_address_moves_when_its_holder_loses_power_and_is_never_held_twice(
    site: Site,
) -> None:
    """S4.7: watched on its VLAN, from before the power cut until the old holder is back"""
    (old,) = holders(site)
    (new,) = set(MAY_HOLD) - {old}
    with unit(site, "gw", "underlay-test-watch", watcher("vlan101", api_address(site), WATCHED)):
        seen = f"grep -q . {WATCHED}"
        wait_for(
            lambda: site.lab.ssh("gw", seen, check=False).returncode == 0, 30, "nobody answers"
        )
        site.lab.power_cut(old)
        new_has_it = f"ip -o -4 address show | grep -q ' {api_address(site)}/'"
        wait_for(
            lambda: site.lab.ssh(new, new_has_it, check=False).returncode == 0,
            60,
            f"{new} does not take the address over",
        )
        site.lab.power_on(old)
        site.lab.ssh(old, "until systemctl -q is-active underlay-vip; do sleep 0.5; done")
        lines = site.lab.ssh("gw", f"sleep 5; cat {WATCHED}").stdout.splitlines()

    assert holders(site) == [new], "the old holder took it back, or both have it"
    assert not [line for line in lines if "," in line], "two hosts answered one question"
    turns = holders_in_turn(lines)
    assert len(turns) == 2, turns


def test_storage_replication_is_between_storage_hosts_alone(site: Site) -> None:
    """S4.14: across racks between them; the others are not on it, nor get there by routing"""
    for host in STORAGE_HOSTS:
        for peer in set(STORAGE_HOSTS) - {host}:
            source = site.address(host, "storage_replication")
            address = site.address(peer, "storage_replication")
            assert site.lab.ssh(host, f"ping -c 1 -W 5 -I {source} {address}").returncode == 0
    for host in set(HOSTS) - set(STORAGE_HOSTS):
        assert "10.24." not in site.lab.ssh(host, "ip -o address show").stdout
        for peer in STORAGE_HOSTS:
            address = site.address(peer, "storage_replication")
            done = site.lab.ssh(host, f"ping -c 1 -W 2 {address}", check=False)
            assert done.returncode != 0, (host, address)


def test_no_host_reaches_a_board(site: Site) -> None:
    """S4.15: the gateway stands for all boards and routes to them for whoever asks"""
    boards = [item["address"] for item in fleet(site)["bmcs"]]
    assert len(boards) == len(HOSTS)
    for address in boards:
        assert site.lab.ssh("gw", f"ping -c 1 -W 5 {address}").returncode == 0
    for host in HOSTS:
        for address in boards:
            asked = site.lab.ssh(host, f"ping -c 1 -W 2 {address}", check=False)
            assert asked.returncode != 0, (host, address)
            tcp = f"timeout 3 bash -c '</dev/tcp/{address}/22'"
            assert site.lab.ssh(host, tcp, check=False).returncode != 0, (host, address)


def test_answers_to_the_outside_leave_by_the_external_gateway(site: Site) -> None:
    """S4.12, metallb#319: a client whose address is on a host's other network is answered by the
    way that it came. The gateway asks the external address from its address on the workload VLAN.
    """
    client, address = "10.22.1.1", site.address("w1", "external")
    units = {"vlan500": "underlay-test-external", "vlan201": "underlay-test-workload"}
    with ExitStack() as stack:
        for link, name in units.items():
            words = f"tcpdump -n -l -i {link} icmp[0]=0 and src {address} and dst {client}"
            stack.enter_context(unit(site, "gw", name, f"/usr/bin/{words}"))
            wait_for(partial(_said, site, name, "listening on"), 30, f"{link} is not watched")
        site.lab.ssh("gw", f"ping -c 3 -W 5 -I {client} {address}")
        answered = f"{address} > {client}"
        wait_for(partial(_said, site, units["vlan500"], answered), 30, "no answer that way")
        assert not _said(site, units["vlan201"], answered)


def _said(site: Site, name: str, words: str) -> bool:
    """Whether a unit on the gateway has written these words since it was started."""
    journal = f"journalctl --no-pager -o cat -u {name} _SYSTEMD_INVOCATION_ID=$(systemctl show"
    journal += f" --value -p InvocationID {name})"
    return words in site.lab.ssh("gw", journal).stdout


def test_verify_finds_what_must_not_be(site: Site) -> None:
    """S4.1 a DHCP server on LCM, S4.7 an address held twice, S4.13 an OSD on every address, S4.15 a
    board in reach: all in one run
    """
    (holder,) = holders(site)
    (other,) = set(MAY_HOLD) - {holder}
    address = api_address(site)
    dhcp = "/usr/sbin/dnsmasq -k -p 0 -i bond0.102 -I lo --bind-dynamic --no-ping"
    dhcp += " -F 10.21.2.240,10.21.2.250,1h -l /run/underlay-test-leases -C /dev/null"
    named = 'open("/proc/self/comm", "w").write("ceph-osd")'
    osd = f"/usr/bin/python3 -c 'import socket,time; {named}; s=socket.socket();"
    osd += " s.bind((str(),6800)); s.listen(); time.sleep(9999)'"
    board = site.part("w2")["expect"]["forbidden"][0]["cidr"]
    open_way = f"ip route del unreachable {board}; systemctl stop firewalld"
    try:
        # A keepalived that runs and does not hold the address would take it off again.
        stray = f"systemctl stop underlay-vip; ip address add {address}/32 dev bond0.101"
        site.lab.ssh(other, stray)
        site.lab.ssh("w2", open_way)
        with unit(site, "w2", "underlay-test-dhcp", dhcp), unit(site, "st1", "osd", osd):
            run, report = site.verdict()
    finally:
        mended = f"ip address del {address}/32 dev bond0.101; systemctl start underlay-vip"
        site.lab.ssh(other, mended)
        site.lab.ssh("w2", f"ip route add unreachable {board}; systemctl start firewalld")

    assert run.status == 2, run.output
    found = {(item["check"], item["host"]) for host in report["hosts"] for item in host["findings"]}
    assert {("pxe", "st1"), ("listener", "st1"), ("oob", "w2")} <= found, found
    assert [host for check, host in found if check == "vip"], found
    for words in (site.address("w2", "lcm"), "ceph-osd, TCP 6800", address, "held by cp1 and w1"):
        assert words in run.output, words
