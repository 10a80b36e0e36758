"""What counts as a NIC, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.nics import (
    as_facts,
    natural_key,
    read_nics,
)


class FakeHost:
    """A folder that looks like a host's /sys, with NICs put in one by one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.net = root / "sys/class/net"
        self.net.mkdir(parents=True)

    def nic(self, name: str, bus: str | None = "0000:00:02.0", **files: str) -> Path:
        """A NIC behind a virtio function, with sysfs files of the given content."""
        entry = self.virtual(name, **files)
        behind = (
            self.root / "sys/devices" / (f"pci0000:00/{bus}" if bus else "platform") / "virtio0"
        )
        behind.mkdir(parents=True, exist_ok=True)
        if bus:
            (behind.parent / "vendor").write_text("0x1af4\n")
            (behind.parent / "device").write_text("0x1000\n")
            (behind.parent / "numa_node").write_text("-1\n")
        driver = self.root / "sys/bus/virtio/drivers/virtio_net"
        driver.mkdir(parents=True, exist_ok=True)
        if not (behind / "driver").exists():
            (behind / "driver").symlink_to(driver)
        (entry / "device").symlink_to(behind)
        return behind

    def virtual(self, name: str, **files: str) -> Path:
        """An interface without a device behind it."""
        entry = self.net / name
        entry.mkdir()
        content = {
            "type": "1", "address": "52:54:00:00:00:01", "mtu": "1500", "carrier": "1",
            "speed": "-1", "dev_port": "0", **files,
        }  # fmt: skip
        for key, value in content.items():
            (entry / key).write_text(f"{value}\n")
        return entry


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def silent(name: str) -> None:
    """A driver that does not tell the permanent address."""


def test_nic_is_described_with_its_bus_driver_and_port(host: FakeHost) -> None:
    host.nic("enp3s0f1", bus="0000:03:00.1", speed="25000", mtu="9000", phys_port_name="p1")
    (nic,) = read_nics(root=host.root, permanent_address=silent)
    assert as_facts([nic])[0] == {
        "name": "enp3s0f1",
        "mac": "52:54:00:00:00:01",
        "driver": "virtio_net",
        "bus": "0000:03:00.1",
        "function": 1,
        "port": 0,
        "port_name": "p1",
        "speed": 25000,
        "carrier": True,
        "mtu": 9000,
        "vendor": "0x1af4",
        "model": "0x1000",
        "numa_node": None,
    }


def test_only_interfaces_with_a_device_behind_them_are_nics(host: FakeHost) -> None:
    host.virtual("lo", type="772")
    host.virtual("bond0")
    host.virtual("bond0.101")
    host.nic("enp0s3")
    assert [nic.name for nic in read_nics(root=host.root, permanent_address=silent)] == ["enp0s3"]


def test_virtual_functions_lent_out_by_a_nic_are_left_out(host: FakeHost) -> None:
    device = host.nic("enp0s3v0", bus="0000:00:03.4")
    (device / "physfn").mkdir()
    assert read_nics(root=host.root, permanent_address=silent) == []


def test_a_device_that_is_no_cabled_nic_is_left_out(host: FakeHost) -> None:
    host.nic("can0", type="280")
    assert read_nics(root=host.root, permanent_address=silent) == []


def test_order_counts_numbers(host: FakeHost) -> None:
    for number, name in enumerate(["enp9s0f10", "enp9s0f2", "eth1", "enp10s0"]):
        host.nic(name, bus=f"0000:0{number}:00.0")
    names = [nic.name for nic in read_nics(root=host.root, permanent_address=silent)]
    assert names == ["enp9s0f2", "enp9s0f10", "enp10s0", "eth1"]


def test_names_that_begin_with_a_digit_sort_with_the_others() -> None:
    assert sorted(["eth0", "10g1", "10g0"], key=natural_key) == ["10g0", "10g1", "eth0"]


def test_the_permanent_mac_wins_over_the_one_a_bond_gave(host: FakeHost) -> None:
    host.nic("enp0s3", address="02:00:00:00:00:99")
    (nic,) = read_nics(root=host.root, permanent_address=lambda _name: "52:54:00:00:00:07")
    assert nic.mac == "52:54:00:00:00:07"


@pytest.mark.parametrize("speed", ["-1", "0", ""])
def test_speed_is_unknown_without_a_carrier(host: FakeHost, speed: str) -> None:
    host.nic("enp0s3", speed=speed)
    (nic,) = read_nics(root=host.root, permanent_address=silent)
    assert nic.speed is None


def test_a_nic_that_is_down_has_no_carrier(host: FakeHost) -> None:
    host.nic("enp0s3")
    carrier = host.net / "enp0s3/carrier"
    carrier.unlink()
    carrier.mkdir()  # reading fails, as the kernel lets it fail
    (nic,) = read_nics(root=host.root, permanent_address=silent)
    assert nic.carrier is False


def test_a_nic_off_the_pci_bus_has_no_bus_address(host: FakeHost) -> None:
    host.nic("usb0", bus=None)
    (nic,) = read_nics(root=host.root, permanent_address=silent)
    assert (nic.bus, nic.function) == (None, None)


def test_names_pick_nics(host: FakeHost) -> None:
    host.nic("enp0s3", bus="0000:00:03.0")
    host.nic("enp0s4", bus="0000:00:04.0")
    (nic,) = read_nics(names=["enp0s4"], root=host.root, permanent_address=silent)
    assert nic.name == "enp0s4"


def test_a_name_that_does_not_exist_is_an_error_that_lists_what_does(host: FakeHost) -> None:
    host.nic("enp0s3")
    with pytest.raises(HostError, match=r"no physical NIC named eno1; its physical NICs: enp0s3"):
        read_nics(names=["eno1"], root=host.root, permanent_address=silent)


def test_this_machine_can_be_read() -> None:
    for nic in read_nics():
        assert nic.mac.count(":") in {5, 19}
        assert nic.mtu > 0
