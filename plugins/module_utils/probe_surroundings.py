# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what may touch a network that a host must not: routes of all tables, leases, sockets."""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .commands import Runner, run
from .iproute import ip
from .probe_plan import IPAddress, IPNetwork

_LEASES = Path("run/systemd/netif/leases")
_LISTEN = "0A"  # include/net/tcp_states.h: TCP_LISTEN
# What brings packets nowhere (ip-route(8), TYPE).
_DEAD_ENDS = {"unreachable", "prohibit", "blackhole"}


@dataclass(frozen=True)
class Socket:
    """A socket that takes what comes in: TCP's that listen, and all of UDP."""

    protocol: str
    address: IPAddress
    port: int
    inode: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{self.protocol.upper()} {host}:{self.port}"


@dataclass(frozen=True)
class Way:
    """A route of any table.

    ``dead_end`` tells that it brings packets nowhere, ``own`` that the kernel made it for an
    address of the link.
    """

    to: IPNetwork
    table: str
    words: str
    dead_end: bool
    link: str
    source: IPAddress | None
    own: bool


@dataclass(frozen=True)
class Lease:
    """An address that systemd-networkd has been given by DHCP."""

    address: IPAddress
    file: str


@dataclass(frozen=True)
class Surroundings:
    """All that is looked through for traces of networks."""

    ways: tuple[Way, ...] = ()
    leases: tuple[Lease, ...] = ()
    sockets: tuple[Socket, ...] = ()
    root: Path = Path("/")

    def owners(self, sockets: Iterable[Socket]) -> dict[Socket, str]:
        """The names of the processes that have these sockets, as far as /proc tells."""
        wanted = {f"socket:[{found.inode}]": found for found in sockets}
        names = dict.fromkeys(wanted.values(), "an unknown process")
        for process in _processes(self.root) if wanted else ():
            # a process may end while it is looked at
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                for target in _descriptors(process):
                    if target in wanted:
                        names[wanted[target]] = name
        return names


def read_surroundings(runner: Runner = run, root: Path = Path("/")) -> Surroundings:
    """Read it all; raises HostError without ``ip``.

    :param root: the folder in which ``proc`` and ``run`` are.
    """
    return Surroundings(
        ways=tuple(_ways(runner)),
        leases=tuple(_leases(root)),
        sockets=tuple(_sockets(root)),
        root=root,
    )


def _ways(runner: Runner) -> Iterator[Way]:
    for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        for route in ip(runner, family, "route", "show", "table", "all"):
            kind = route.get("type", "unicast")
            if kind == "unicast" or kind in _DEAD_ENDS:
                yield _way(route, kind, default)


def _way(route: Mapping[str, Any], kind: str, default: str) -> Way:
    destination = default if route["dst"] == "default" else route["dst"]
    table = str(route.get("table", "main"))
    hops = " and ".join(_hop(hop) for hop in route.get("nexthops", [route]))
    source = route.get("prefsrc")
    return Way(
        to=ipaddress.ip_network(destination, strict=False),
        table=table,
        words=hops if table == "main" else f"{hops} in table {table}",
        dead_end=kind in _DEAD_ENDS,
        link=route.get("dev", ""),
        source=ipaddress.ip_address(source) if source else None,
        own=route.get("protocol") == "kernel",
    )


def _hop(hop: Mapping[str, Any]) -> str:
    via = hop.get("gateway") or hop.get("via", {}).get("host")
    words = [f"via {via}"] if via else []
    return " ".join([*words, f"on {hop['dev']}"] if hop.get("dev") else words)


def _leases(root: Path) -> Iterator[Lease]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for file in sorted((root / _LEASES).iterdir()):
            for line in file.read_text("utf-8", "replace").splitlines():
                key, _equals, value = line.partition("=")
                with contextlib.suppress(ValueError):
                    if key == "ADDRESS":
                        yield Lease(ipaddress.ip_address(value), f"/{_LEASES / file.name}")


def _sockets(root: Path) -> Iterator[Socket]:
    for protocol in ("tcp", "udp"):
        for name in (protocol, f"{protocol}6"):
            # a kernel without IPv6 has no such file
            with contextlib.suppress(FileNotFoundError):
                text = (root / "proc" / "net" / name).read_text("ascii", "replace")
                for line in text.splitlines()[1:]:
                    # connections are many, and no business of ours
                    fields = line.split()
                    if protocol == "udp" or fields[3] == _LISTEN:
                        yield _socket(protocol, fields)


def _socket(protocol: str, fields: list[str]) -> Socket:
    """One line of /proc/net/tcp and its likes (proc_net_tcp.rst of the kernel's documentation)."""
    address, _colon, port = fields[1].partition(":")
    return Socket(protocol, _address(address), int(port, 16), int(fields[9]))


def _address(text: str) -> IPAddress:
    """An address as the kernel writes it: words of 32 bits in the machine's order of bytes."""
    words = [int(text[place : place + 8], 16) for place in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        return ipaddress.IPv4Address(packed)
    address = ipaddress.IPv6Address(packed)
    # a socket of IPv6 that serves one address of IPv4
    return address.ipv4_mapped or address


def _processes(root: Path) -> Iterable[Path]:
    return (entry for entry in (root / "proc").iterdir() if entry.name.isdigit())


def _descriptors(process: Path) -> Iterator[str]:
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            yield str(descriptor.readlink())
