"""The parts that need no guest: archives, apt sources, a host's identity, the virtual switch."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab import apt, identity, load, process
from tests.lab.cpio import Entry, archive
from tests.lab.image import loading_order
from tests.lab.layout import TOPOLOGIES
from tests.lab.paths import LabPaths
from tests.lab.switch import UPLINK, Switch, parse_vlans

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib

Types: deb deb-src
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://other.test/tools
Suites: stable
Components: main
Enabled: no
"""


def test_an_archive_is_what_cpio_reads(tmp_path: Path) -> None:
    data = archive(
        [Entry("/etc/hostname", b"w1\n"), Entry("/bin/sh", b"busybox", 0o777, link=True)]
    )
    subprocess.run(["cpio", "-i", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "etc/hostname").read_text() == "w1\n"
    assert (tmp_path / "bin/sh").readlink() == Path("busybox")


def test_the_machines_own_debian_mirror_is_taken(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    assert apt.mirror_lines("bookworm", tmp_path) == [
        "deb http://mirror.test/debian bookworm main",
        "deb http://mirror.test/debian bookworm-updates main",
        "deb http://mirror.test/debian-security bookworm-security main",
    ]


def test_another_debian_release_lends_its_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb [arch=amd64] http://m.test/debian trixie main\n")
    assert apt.mirror_lines("bookworm", tmp_path) == ["deb http://m.test/debian bookworm main"]


def test_a_machine_without_debian_sources_leaves_the_choice_to_the_builder(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://m.test/ubuntu noble main\n")
    assert apt.mirror_lines("bookworm", tmp_path) == []


def test_modules_load_after_what_they_need() -> None:
    text = "fs/ext4.ko: fs/jbd2.ko lib/crc16.ko\nfs/jbd2.ko:\nlib/crc16.ko:\n"
    assert loading_order(text, ("ext4", "built_in")) == ["lib/crc16.ko", "fs/jbd2.ko", "fs/ext4.ko"]


def test_hosts_get_a_fixed_lease_and_no_default_route() -> None:
    demo = load(TOPOLOGIES / "demo.yml")
    lines = identity.dnsmasq(demo, "demo").splitlines()
    leases = [line for line in lines if line.startswith("dhcp-host=")]
    assert len(leases) == len(demo.hosts) - 1
    assert "dhcp-option=option:router" in lines  # an empty option is not sent


def test_the_gateway_has_an_address_on_every_vlan() -> None:
    demo = load(TOPOLOGIES / "demo.yml")
    vlans = identity.gateway_netplan(demo)["network"]["vlans"]
    assert {vlan["id"] for vlan in vlans.values()} == {vlan.id for vlan in demo.vlans}
    assert vlans["vlan101"]["addresses"] == ["10.21.1.1/24", "fd21:1::1/64"]
    assert yaml.safe_dump(vlans)  # plain data


def test_the_answer_of_the_switch_is_read() -> None:
    text = "VLAN 0000\n -- Port 0002 tagged=0 active=1 status=Forwarding\nVLAN 0101\n"
    assert parse_vlans(text) == {0: {2: False}, 101: {}}


class Plug:
    """A station on a port of the switch, as a guest's network card is (VDE's plug protocol)."""

    def __init__(self, switch: Path, port: int, own: Path) -> None:
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(str(switch / "ctl"))
        self._data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._data.bind(str(own))
        address = struct.pack("H108s", socket.AF_UNIX, str(own).encode())
        self._control.send(struct.pack("<IIi", 0xFEEDFACE, 3, port << 8) + address + b"test\0")
        peer = self._control.recv(110)[2:].split(b"\0")[0].decode()
        self._data.connect(peer)
        self._data.settimeout(0.5)

    def send(self, vlan: int | None, payload: bytes) -> None:
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        self._data.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + tag + b"\x88\xb5" + payload)

    def receive(self) -> bytes | None:
        try:
            return self._data.recv(20000)
        except TimeoutError:
            return None

    def close(self) -> None:
        self._data.close()
        self._control.close()


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Switch]:
    if not shutil.which("vde_switch"):
        pytest.skip("vde_switch is not installed (Debian: vde2)")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = LabPaths.of("switch")
    paths.create()
    switch = Switch(UPLINK, paths)
    switch.start()
    for port in (1, 2):
        switch.create_port(port)
    yield switch
    switch.stop()
    assert process.running(paths.pid(UPLINK)) is None
    shutil.rmtree(paths.run)


@pytest.fixture
def plugs(switch: Switch, tmp_path: Path) -> Iterator[tuple[Plug, Plug]]:
    folder = switch.socket.parent
    pair = (Plug(switch.socket, 1, folder / "p1"), Plug(switch.socket, 2, folder / "p2"))
    yield pair
    for plug in pair:
        plug.close()


def passes(plugs: tuple[Plug, Plug], vlan: int | None) -> bool:
    plugs[0].send(vlan, b"x" * 100)
    return plugs[1].receive() is not None


def test_tagged_frames_pass_only_on_vlans_given_to_both_ports(
    switch: Switch, plugs: tuple[Plug, Plug]
) -> None:
    switch.set_vlans(1, {101, 102}, 0)
    switch.set_vlans(2, {101}, 0)
    assert passes(plugs, 101)
    assert not passes(plugs, 102)
    assert not passes(plugs, 103)
    assert passes(plugs, None)


def test_a_dead_port_lets_nothing_through(switch: Switch, plugs: tuple[Plug, Plug]) -> None:
    for port in (1, 2):
        switch.set_vlans(port, {101}, 0)
    switch.set_vlans(2, set(), None)
    assert not passes(plugs, 101)
    assert not passes(plugs, None)
    switch.set_vlans(2, {101}, 0)
    assert passes(plugs, 101)


def test_a_full_packet_passes_with_its_tag_and_nothing_longer(
    switch: Switch, plugs: tuple[Plug, Plug]
) -> None:
    for port in (1, 2):
        switch.set_vlans(port, {101}, 0)
    sizes = []
    for payload in (1500, 1501):
        plugs[0].send(101, b"x" * payload)
        sizes.append(len(plugs[1].receive() or b""))
    assert sizes == [1518, 1518]  # the second one was cut


def test_a_ports_vlans_outlive_its_station(switch: Switch) -> None:
    folder = switch.socket.parent
    switch.set_vlans(1, {101}, 0)
    switch.set_vlans(2, {101}, 0)
    for attempt in ("x", "y"):
        pair = (
            Plug(switch.socket, 1, folder / f"{attempt}1"),
            Plug(switch.socket, 2, folder / f"{attempt}2"),
        )
        assert passes(pair, 101)
        for plug in pair:
            plug.close()
