# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's physical NICs, as sysfs and the driver know them."""

from __future__ import annotations

import array
import fcntl
import re
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from .errors import HostError

# linux/sockios.h, linux/ethtool.h
_SIOCETHTOOL = 0x8946
_ETHTOOL_GPERMADDR = 0x20
# linux/if_arp.h: Ethernet and InfiniBand; everything else is no NIC that carries our networks
_CABLED_TYPES = {"1", "32"}
_MAX_ADDR_LEN = 32
_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_DIGITS = re.compile(r"(\d+)")

PermanentAddress = Callable[[str], Optional[str]]


@dataclass(frozen=True)
class Nic:
    """One physical NIC. Units: ``speed`` in Mb/s, ``mtu`` in bytes; None is "not known"."""

    name: str
    mac: str
    driver: str | None
    bus: str | None
    function: int | None
    port: int | None
    port_name: str | None
    speed: int | None
    carrier: bool
    mtu: int
    vendor: str | None
    model: str | None
    numa_node: int | None


def ethtool_permanent_address(name: str) -> str | None:
    """The MAC burnt into a NIC, which a bond hides in sysfs. None: the driver does not say."""
    answer = array.array("B", struct.pack("II", _ETHTOOL_GPERMADDR, _MAX_ADDR_LEN))
    answer.frombytes(bytes(_MAX_ADDR_LEN))
    pointer, _length = answer.buffer_info()
    request = struct.pack("16sP", name.encode(), pointer)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            fcntl.ioctl(channel.fileno(), _SIOCETHTOOL, request)
    except OSError:
        return None
    size = struct.unpack_from("II", answer)[1]
    raw = answer.tobytes()[8 : 8 + size]
    return ":".join(f"{byte:02x}" for byte in raw) if any(raw) else None


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that counts numbers: enp9s0f2 comes before enp9s0f10."""
    parts = (part for part in _DIGITS.split(name) if part)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def read_nics(
    names: Sequence[str] = (),
    root: Path = Path("/"),
    permanent_address: PermanentAddress = ethtool_permanent_address,
) -> list[Nic]:
    """All physical NICs in natural order of their names, or only those called ``names``.

    Physical is what has a device behind it; loopback, bonds, VLANs, bridges, veth and the virtual
    functions that a NIC of this host lends out have none of their own and are left out.

    :raises HostError: one of ``names`` is not a physical NIC of this host.
    """
    folder = root / "sys/class/net"
    nics = [
        _read_nic(entry, permanent_address)
        for entry in sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name))
        if _is_physical(entry)
    ]
    missing = sorted(set(names) - {nic.name for nic in nics}, key=natural_key)
    if missing:
        found = ", ".join(nic.name for nic in nics) or "none"
        raise HostError(
            f"This host has no physical NIC named {', '.join(missing)}; its physical NICs: {found}."
        )
    return [nic for nic in nics if not names or nic.name in names]


def as_facts(nics: Sequence[Nic]) -> list[dict[str, object]]:
    """NICs as plain data, ready for JSON and JMESPath."""
    return [asdict(nic) for nic in nics]


def _is_physical(entry: Path) -> bool:
    device = entry / "device"
    return (
        device.exists()
        and not (device / "physfn").exists()
        and _text(entry / "type") in _CABLED_TYPES
    )


def _read_nic(entry: Path, permanent_address: PermanentAddress) -> Nic:
    device = (entry / "device").resolve()
    bus = next((part for part in reversed(device.parts) if _PCI_ADDRESS.fullmatch(part)), None)
    pci = next((folder for folder in (device, *device.parents) if folder.name == bus), device)
    driver = device / "driver"
    speed = _number(entry / "speed")
    node = _number(pci / "numa_node")
    return Nic(
        name=entry.name,
        mac=permanent_address(entry.name) or _text(entry / "address") or "",
        driver=driver.resolve().name if driver.exists() else None,
        bus=bus,
        function=int(bus[-1]) if bus else None,
        port=_number(entry / "dev_port"),
        port_name=_text(entry / "phys_port_name"),
        speed=speed if speed is not None and speed > 0 else None,
        # the kernel refuses to read the carrier of a NIC that is down: then nothing is seen
        carrier=_text(entry / "carrier") == "1",
        mtu=_number(entry / "mtu") or 0,
        vendor=_text(pci / "vendor"),
        model=_text(pci / "device"),
        numa_node=node if node is not None and node >= 0 else None,
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
