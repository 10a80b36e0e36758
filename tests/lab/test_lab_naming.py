"""Names, MACs and ports follow from the lab's name, and two labs never meet."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.lab import Lab, LabError, load, naming
from tests.lab.guest import Guest
from tests.lab.image import Image
from tests.lab.layout import TOPOLOGIES
from tests.lab.paths import LabPaths
from tests.lab.progress import silent

NAMES = ("demo", "demo2", "molecule", "test", "a", "lab-smoke", "x" * 24)


def macs(lab: str) -> set[str]:
    demo = load(TOPOLOGIES / "demo.yml")
    return {
        naming.mac(lab, host.name, nic.name)
        for host in demo.hosts
        for nic in (host.provisioning, *host.uplinks)
    }


def test_a_name_gives_the_same_mac_and_port_in_every_run() -> None:
    assert naming.mac("demo", "w1", "enp0s3") == "02:7a:d8:b8:da:f7"
    assert naming.ssh_port("demo") == 23506


def test_macs_are_unicast_and_locally_administered() -> None:
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs("demo"))


def test_two_names_share_no_mac_port_or_folder() -> None:
    every = [mac for name in NAMES for mac in macs(name)]
    assert len(set(every)) == len(every)
    assert len({naming.ssh_port(name) for name in NAMES}) == len(NAMES)
    assert len({LabPaths.of(name).run for name in NAMES}) == len(NAMES)


def test_machine_ids_differ_so_that_bond_macs_do() -> None:
    hosts = ("gw", "cp1", "w1", "w2", "st1")
    assert len({naming.machine_id("demo", host) for host in hosts}) == len(hosts)


def test_socket_paths_fit_the_kernels_limit() -> None:
    paths = LabPaths.of("x" * 24)
    host = "h" * 15
    # ssh makes a control socket under a temporary name of 17 more characters.
    longest = [
        f"{paths.run}/ssh-{host}.0123456789abcdef",
        str(paths.switch("provisioning") / "0001.00001"),
    ]
    assert all(len(path) < 108 for path in [*longest, str(paths.qmp(host))])


@pytest.mark.parametrize("name", ["", "Demo", "a/b", "..", "1st", "x" * 25])
def test_a_name_that_cannot_be_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="lab name"):
        Lab(load(TOPOLOGIES / "demo.yml"), name)


def test_the_command_line_fixes_slots_ports_and_macs(tmp_path: Path) -> None:
    demo = load(TOPOLOGIES / "demo.yml")
    guest = Guest("demo", demo.host("w1"), LabPaths.of("demo"), Image(tmp_path), kvm=False)
    cards = [word for word in guest.command() if word.startswith("virtio-net-pci")]
    assert [card.split("addr=")[1].split(",")[0] for card in cards] == ["0x2", "0x3", "0x4"]
    assert not any("hostfwd" in word for word in guest.command())
    gateway = Guest("demo", demo.gateway, LabPaths.of("demo"), Image(tmp_path), kvm=False)
    forwards = [word for word in gateway.command() if "hostfwd" in word]
    assert forwards == ["user,id=net-enp0s5,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:23506-:22"]


def test_a_taken_port_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(naming, "ssh_port", lambda _: port)
        lab = Lab(load(TOPOLOGIES / "demo.yml"), "taken", tell=silent)
        with pytest.raises(LabError, match=rf"port {port} .* use another --name"):
            lab._check_port()
