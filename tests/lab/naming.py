"""Names, addresses and numbers that follow from a lab's name alone: the same today and tomorrow."""

from __future__ import annotations

import hashlib
import re

from .errors import LabError

LAB_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}\Z")
# Below Linux' range for outgoing connections (32768 and up), above the well-known services.
FIRST_PORT, PORTS = 20000, 10000


def check_lab_name(name: str) -> str:
    """Return the name; raise ``LabError`` when files and MACs cannot be named after it."""
    if not LAB_NAME.match(name):
        raise LabError(
            f"lab name {name!r}: 1 to 24 small letters, digits and hyphens, beginning with a letter"
        )
    return name


def mac(lab: str, host: str, nic: str) -> str:
    """Return a NIC's permanent MAC address: locally administered, unicast (IEEE 802 clause 8.2)."""
    return ":".join(["02", *(f"{byte:02x}" for byte in _digest("mac", lab, host, nic)[:5])])


def machine_id(lab: str, host: str) -> str:
    """Return a host's machine id: 32 lower-case hexadecimal digits (machine-id(5))."""
    return _digest("machine-id", lab, host)[:16].hex()


def ssh_port(lab: str) -> int:
    """Return the TCP port on 127.0.0.1 that leads to the gateway's sshd."""
    return FIRST_PORT + int.from_bytes(_digest("port", lab)[:4]) % PORTS


def _digest(*words: str) -> bytes:
    return hashlib.sha256("\0".join(words).encode()).digest()
