# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH connection that this process was started over, found on the host itself.

sshd tells its children in the environment: SSH_CONNECTION is "client port server port" (ssh(1)).
sudo drops it, but a process above sudo still has it; an asynchronous task has lost its ancestors,
but the kernel still knows the login session that it belongs to (pam_loginuid(8)).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .commands import Runner, run
from .firewalld_guard import WayIn
from .iproute import ip

_VARIABLE = "SSH_CONNECTION"
# "no session", (u32) -1
_NO_SESSION = "4294967295"
# addresses on these are the host's own, but no packet comes in by them
_INWARD_KINDS = {"dummy"}


@dataclass(frozen=True)
class _Connection:
    """What sshd told. ``scope`` is the interface of a link-local address, "" without one."""

    client: str
    server: str
    port: int
    scope: str


def ssh_connection(
    environment: Mapping[str, str] | None = None,
    proc: Path = Path("/proc"),
    runner: Runner = run,
) -> WayIn | None:
    """The current SSH connection as a way in; None on a console or over a local connection.

    :raises HostError: ``ip`` does not answer.
    """
    own = os.environ if environment is None else environment
    told = own.get(_VARIABLE) or _from_processes(proc)
    connection = _parse(told) if told else None
    if connection is None:
        return None
    interface = connection.scope or _interface(connection, runner)
    if interface is None:
        return None
    return WayIn(interface, connection.client, connection.port, "tcp", connection.server)


def _from_processes(proc: Path) -> str | None:
    """What the ancestors were told, else any process of the same login session."""
    for pid in _ancestors(proc):
        told = _told(proc / pid)
        if told:
            return told
    session = _text(proc / "self/sessionid")
    if not session or session == _NO_SESSION:
        return None
    others = (entry for entry in sorted(proc.iterdir()) if entry.name.isdigit())
    same = (_told(entry) for entry in others if _text(entry / "sessionid") == session)
    return next((told for told in same if told), None)


def _ancestors(proc: Path) -> Iterator[str]:
    """The process ids above this one, the parent first."""
    seen = {"0"}
    pid = _parent(proc / "self")
    while pid not in seen:
        seen.add(pid)
        yield pid
        pid = _parent(proc / pid)


def _parent(process: Path) -> str:
    # proc(5): the name in brackets may hold spaces and brackets; behind it state and parent
    words = _text(process / "stat").rpartition(")")[2].split()
    return words[1] if len(words) > 1 else "0"


def _told(process: Path) -> str:
    start = f"{_VARIABLE}="
    values = _text(process / "environ").split("\0")
    return next((value[len(start) :] for value in values if value.startswith(start)), "")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace").strip()
    except OSError:
        # gone meanwhile, or another user's when the module does not run as root
        return ""


def _parse(told: str) -> _Connection | None:
    words = told.split()
    if len(words) != 4:
        return None
    client, _client_scope = _address(words[0])
    server, scope = _address(words[2])
    # sshd says UNKNOWN where no network is below it
    if not client or not server or not words[3].isdigit():
        return None
    return _Connection(client, server, int(words[3]), scope)


def _address(text: str) -> tuple[str, str]:
    """An address as firewalld sees it, and its scope; both "" for what is none."""
    plain, _percent, scope = text.partition("%")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return "", ""
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address), scope


def _interface(connection: _Connection, runner: Runner) -> str | None:
    """The interface that packets of a connection come in by.

    That of the local address: a VLAN, bond or bridge counts as itself. An address that lies on
    the loopback or a dummy (a VIP) comes in by another one: there the way back is taken for the
    way in. None: the address is not of this host (another network namespace's connection).
    """
    links = ip(runner, "-d", "address", "show")
    here = [link for link in links if _has(link, connection.server)]
    if any(_has(link, connection.client) for link in links):
        return "lo"
    outward = [link["ifname"] for link in here if not _is_inward(link)]
    if len(outward) == 1:
        return str(outward[0])
    if not here:
        return None
    routes = ip(runner, "route", "get", connection.client, "from", connection.server)
    back = [str(route["dev"]) for route in routes if route.get("dev")]
    return next(iter(back), str((outward or [here[0]["ifname"]])[0]))


def _is_inward(link: Mapping[str, Any]) -> bool:
    kind = link.get("linkinfo", {}).get("info_kind")
    return "LOOPBACK" in link.get("flags", ()) or kind in _INWARD_KINDS


def _has(link: Mapping[str, Any], address: str) -> bool:
    # one notation for all: ip and sshd shorten IPv6 addresses alike, people's doubles do not
    return any(_address(info.get("local", ""))[0] == address for info in link.get("addr_info", ()))
