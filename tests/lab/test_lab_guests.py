"""What a booted lab promises: hosts within reach, real VLANs and bonds, faults, disks that last.

One lab of three hosts is booted for the whole module; each test leaves its network as it found it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, load
from tests.lab.layout import TOPOLOGIES

pytestmark = pytest.mark.lab

NAME = f"smoke-{os.getpid() % 10000}"
BOND = """\
set -e
modprobe bonding max_bonds=0
ip link add bond0 type bond mode active-backup miimon 100
for nic in enp0s3 enp0s4; do ip link set $nic down; ip link set $nic master bond0; done
ip link set bond0 up
for vlan in 101 103; do
  ip link add link bond0 name bond0.$vlan type vlan id $vlan
  ip link set bond0.$vlan up
done
ip address add 10.31.1.{number}/24 dev bond0.101
ip -6 address add fd31:1::{number}/64 dev bond0.101 nodad
ip address add 10.31.3.{number}/24 dev bond0.103
"""
UNBOND = "ip link delete bond0.101; ip link delete bond0.103; ip link delete bond0; true"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(load(TOPOLOGIES / "pair.yml"), NAME) as lab:
        yield lab
    # The context's end is a test by itself: nothing of the lab is left.
    assert not lab.paths.run.exists()
    assert not lab.paths.data.exists()
    assert not lab.paths.lock.exists()
    assert left_running(str(lab.paths.run)) == []


@pytest.fixture
def bonds(lab: Lab) -> Iterator[None]:
    for host, number in (("a", 11), ("b", 12)):
        lab.ssh(host, BOND.format(number=number))
    eventually(lambda: pings(lab, "10.31.1.12"))
    yield
    lab.switch.clear()
    for host in ("a", "b"):
        lab.ssh(host, UNBOND)


def left_running(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if word in words:
            found.append(words.replace("\0", " "))
    return found


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a state that a real network reaches after a while (carrier, learning, failover)."""
    limit = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < limit, "the state did not come"
        time.sleep(0.2)


def pings(lab: Lab, address: str, size: int = 56) -> bool:
    command = f"ping -n -c 1 -W 2 -M do -s {size} {address}"
    return lab.ssh("a", command, check=False).returncode == 0


def carrier(lab: Lab, host: str, nic: str) -> str:
    return lab.ssh(host, f"cat /sys/class/net/{nic}/carrier").stdout.strip()


def test_every_host_answers_by_its_name(lab: Lab) -> None:
    for host in lab.topology.hosts:
        assert lab.ssh(host.name, "hostname").stdout.strip() == host.name
    assert all(lab.status().values())


def test_machine_ids_differ(lab: Lab) -> None:
    ids = {lab.ssh(host.name, "cat /etc/machine-id").stdout for host in lab.topology.hosts}
    assert len(ids) == len(lab.topology.hosts)


def test_a_host_has_its_provisioning_network_alone_and_no_default_route(lab: Lab) -> None:
    assert lab.ssh("a", "ip -4 -o address show dev enp0s2").stdout.split()[3] == "192.168.61.11/24"
    for nic in ("enp0s3", "enp0s4"):
        assert lab.ssh("a", f"ip -o address show dev {nic}").stdout == ""
        assert "state DOWN" in lab.ssh("a", f"ip -o link show dev {nic}").stdout
    assert lab.ssh("a", "ip route show default; ip -6 route show default").stdout == ""
    assert lab.ssh("a", "ls /etc/netplan").stdout.split() == ["10-provisioning.yaml"]


def test_names_resolve_through_the_gateway(lab: Lab) -> None:
    assert "192.168.61.12" in lab.ssh("a", "resolvectl query b.lab.example").stdout


def test_services_of_later_use_are_there_and_off(lab: Lab) -> None:
    units = "firewalld.service keepalived.service dnsmasq.service"
    states = lab.ssh("a", f"systemctl is-enabled {units}", check=False).stdout.split()
    assert states == ["disabled"] * 3


@pytest.mark.usefixtures("bonds")
def test_a_vlan_of_the_trunk_passes_full_packets_and_an_absent_one_nothing(lab: Lab) -> None:
    for address in ("10.31.1.12", "10.31.1.1"):
        assert pings(lab, address, 1500 - 28)
    assert pings(lab, "fd31:1::1", 1500 - 48)
    assert not pings(lab, "10.31.3.12")


@pytest.mark.usefixtures("bonds")
def test_a_vlan_can_be_taken_off_a_trunk_and_put_on_it(lab: Lab) -> None:
    lab.switch.remove_vlan("b", 101)
    assert not pings(lab, "10.31.1.12")
    assert carrier(lab, "b", "enp0s3") == "1"
    lab.switch.add_vlan("b", 101)
    assert pings(lab, "10.31.1.12")
    for host in ("a", "b"):
        lab.switch.add_vlan(host, 103)
    assert pings(lab, "10.31.3.12")


@pytest.mark.usefixtures("bonds")
def test_a_cut_cable_is_no_carrier_and_the_bond_goes_on(lab: Lab) -> None:
    active = lab.ssh("a", "cat /sys/class/net/bond0/bonding/active_slave").stdout.strip()
    lab.switch.cut("a", active)
    eventually(lambda: carrier(lab, "a", active) == "0")
    eventually(lambda: pings(lab, "10.31.1.12"))
    assert lab.ssh("a", "cat /sys/class/net/bond0/bonding/active_slave").stdout.strip() != active
    lab.switch.mend("a", active)
    eventually(lambda: carrier(lab, "a", active) == "1")


@pytest.mark.usefixtures("bonds")
def test_a_dead_port_passes_nothing_while_its_carrier_stays(lab: Lab) -> None:
    lab.switch.port_down("b")
    assert not pings(lab, "10.31.1.12")
    assert carrier(lab, "b", "enp0s3") == "1"
    lab.switch.port_up("b")
    assert pings(lab, "10.31.1.12")


def test_a_host_without_power_comes_back_with_its_disk_and_its_faults(lab: Lab) -> None:
    lab.ssh("b", "echo kept > /root/kept && sync")
    lab.switch.cut("b", "enp0s4")
    lab.power_cut("b")
    assert not lab.status()["b"]
    lab.power_on("b")
    assert lab.ssh("b", "cat /root/kept; hostname").stdout == "kept\nb\n"
    lab.ssh("b", "ip link set enp0s3 up; ip link set enp0s4 up")
    eventually(lambda: carrier(lab, "b", "enp0s3") == "1")
    assert carrier(lab, "b", "enp0s4") == "0"
    lab.ssh("b", "ip link set enp0s3 down; ip link set enp0s4 down")
    lab.switch.clear()


def test_a_snapshot_brings_all_disks_back(lab: Lab) -> None:
    for host in ("a", "b"):
        lab.ssh(host, "echo before > /root/state && sync")
    lab.snapshot("clean")
    for host in ("a", "b"):
        lab.ssh(host, "echo after > /root/state && touch /root/new && sync")
    lab.restore("clean")
    for host in ("a", "b"):
        assert lab.ssh(host, "cat /root/state; ls /root/new", check=False).stdout == "before\n"
        clock = float(lab.ssh(host, "date +%s.%N").stdout)
        assert abs(clock - time.time()) < 60


def test_up_again_starts_only_what_is_missing(lab: Lab) -> None:
    pids = {host: lab.paths.pid(host).read_text() for host in ("gw", "a")}
    lab.power_cut("b")
    lab.up()
    assert all(lab.status().values())
    assert {host: lab.paths.pid(host).read_text() for host in ("gw", "a")} == pids
