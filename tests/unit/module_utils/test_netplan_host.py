"""Applying gently: networkd is told what has changed, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_generate import (
    Generated,
    read_settings,
    reload_suffices,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_host import (
    Manner,
    NetworkdHost,
)
from tests.unit.module_utils import netns

GENTLE = Manner(gentle=True)


class Running:
    """A host's /run/systemd/network, and the programs that are run on it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "run/systemd/network"
        self.folder.mkdir(parents=True)
        self.root = root
        self.commands: list[str] = []
        self.codes: dict[str, int] = {}
        self.next: dict[str, str] = {}

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"10-netplan-{name}.network").write_text(text)

    def generate(self) -> Completed:
        """Like netplan: all files are deleted and written anew."""
        for path in self.folder.glob("10-netplan-*"):
            path.unlink()
        self.write(**self.next)
        return Completed(self.codes.get("generate", 0))

    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        self.commands.append(" ".join(argv))
        return Completed(self.codes.get(argv[0], 0), "", "no")

    def host(self) -> NetworkdHost:
        return NetworkdHost(self.run, self.generate, self.root)

    def inode(self, name: str) -> tuple[int, int]:
        seen = (self.folder / f"10-netplan-{name}.network").stat()
        return (seen.st_ino, seen.st_mtime_ns)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    running = Running(tmp_path)
    running.write(nic="[Network]\nDHCP=ipv4\n", bond0="[Network]\nVLAN=bond0.101\n")
    return running


def test_files_with_the_same_content_stay_the_same_files(running: Running) -> None:
    nic, bond = running.inode("nic"), running.inode("bond0")
    running.next = {"nic": "[Network]\nDHCP=ipv4\n", "bond0": "[Network]\nVLAN=bond0.102\n"}
    running.host().apply(GENTLE)
    assert running.commands == ["networkctl reload"]
    assert running.inode("nic") == nic
    assert running.inode("bond0") != bond


def test_what_carries_a_deleted_link_is_set_up_again(running: Running) -> None:
    before = running.inode("bond0")
    running.next = {"nic": "[Network]\nDHCP=ipv4\n", "bond0": "[Network]\nVLAN=bond0.101\n"}
    running.host().apply(Manner(gentle=True, deleted=frozenset({"bond0.101"})))
    assert running.inode("bond0") != before


def test_links_over_one_with_another_mtu_are_set_up_again(running: Running) -> None:
    """The kernel lowers a VLAN's MTU with its parent's, and does not raise it again."""
    base = {
        "nic": "[Network]\nDHCP=ipv4\n",
        "bond0.101": "[Link]\nMTUBytes=1500\n[Network]\nBridge=br0\n",
        "br0": "[Network]\nDHCP=no\n",
    }
    running.write(**base, bond0="[Link]\nMTUBytes=1400\n[Network]\nVLAN=bond0.101\n")
    before = {name: running.inode(name) for name in ("nic", "bond0.101", "br0")}
    running.next = {**base, "bond0": "[Link]\nMTUBytes=1500\n[Network]\nVLAN=bond0.101\n"}
    running.host().apply(GENTLE)
    same = {name for name, inode in before.items() if running.inode(name) == inode}
    assert same == {"nic"}


def test_nothing_is_left_in_the_runtime_folder(running: Running) -> None:
    running.host().apply(GENTLE)
    assert [path.name for path in (running.root / "run").iterdir()] == ["systemd"]


@pytest.mark.parametrize("failing", ["generate", "networkctl"])
def test_where_that_does_not_work_netplan_applies(running: Running, failing: str) -> None:
    running.codes[failing] = 1
    running.host().apply(GENTLE)
    assert running.commands[-1] == "netplan apply"


def test_netplan_applies_where_links_cannot_be_left_alone(running: Running) -> None:
    running.host().apply(Manner())
    assert running.commands == ["netplan apply"]


def test_networkd_is_restarted_when_it_must_forget_a_link(running: Running) -> None:
    running.host().apply(Manner(gentle=True, restart=True))
    assert running.commands == ["systemctl restart systemd-networkd.service"]


def test_it_is_restarted_before_netplan_applies(running: Running) -> None:
    running.host().apply(Manner(restart=True))
    assert running.commands == ["systemctl restart systemd-networkd.service", "netplan apply"]


def test_a_failing_apply_is_told_in_netplans_words(running: Running) -> None:
    running.codes["netplan"] = 1
    with pytest.raises(HostError, match="'netplan apply' failed: no"):
        running.host().apply(Manner())


def test_an_apply_that_hangs_is_an_error(running: Running) -> None:
    def hang(argv: Sequence[str], timeout: float) -> Completed:
        raise subprocess.TimeoutExpired(list(argv), timeout)

    with pytest.raises(HostError, match="did not end within"):
        NetworkdHost(hang, running.generate, running.root).apply(GENTLE)


def test_a_nic_that_nothing_configures_is_left_down_and_bare(running: Running) -> None:
    running.codes["ip"] = 1  # one that has gone is fine
    running.host().clear("enp0s2")
    assert running.commands == [
        "ip link set dev enp0s2 down",
        "ip address flush dev enp0s2",
        "ip -4 route flush dev enp0s2",
        "ip -6 route flush dev enp0s2",
    ]


@pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not()))
def test_of_a_cleared_nic_no_address_and_no_route_is_left(running: Running) -> None:
    """S4.1, on a real link: networkd of some versions leaves them to the kernel."""
    host = netns.Namespace()
    try:
        host.ip(
            "link add pxe0 type veth peer name other0",
            "link set other0 up",
            "link set pxe0 up",
            "address add 10.25.1.9/24 dev pxe0",
            "address add fd25::9/64 dev pxe0 nodad",
            "route add default via 10.25.1.1 dev pxe0",
            "route add fd26::/64 via fd25::1 dev pxe0",
        )

        def inside(argv: Sequence[str], timeout: float) -> Completed:
            return Completed(0, host.run(*argv))

        NetworkdHost(inside, running.generate, running.root).clear("pxe0")
        assert "DOWN" in host.run("ip", "-br", "link", "show", "dev", "pxe0").split()
        for family in ("-4", "-6"):
            seen = host.run("ip", family, "route", "show", "table", "all", "dev", "pxe0")
            assert seen.strip() == ""
            assert host.run("ip", family, "address", "show", "dev", "pxe0").strip() == ""
    finally:
        host.close()


def generated(text: str = "", part: str = "network", **others: str) -> Generated:
    return Generated({"enp0s3": {part: read_settings(text)}}, others)


@pytest.mark.parametrize(
    ("before", "after", "suffices"),
    [
        (generated("[Network]\nDHCP=no"), generated("[Network]\nDHCP=yes"), True),
        (generated("[Link]\nMTUBytes=1", "link"), generated("[Link]\nMTUBytes=2", "link"), True),
        (generated(), generated("[Link]\nName=up0", "link"), False),
        (generated(), generated("[connection]\nid=1", "connection"), False),
        (generated(wpa="a"), generated(wpa="b"), False),
        (generated("[connection]\nid=1", "connection"),) * 2 + (True,),
    ],
    ids=["network", "mtu", "rename", "NetworkManager", "service", "unchanged NetworkManager"],
)
def test_networkd_alone_is_enough_for_its_own_links(
    before: Generated, after: Generated, suffices: bool
) -> None:
    assert reload_suffices(before, after) is suffices
