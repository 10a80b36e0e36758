# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values of the firewall as a user writes them: read into firewalld's form, or refused.

Every function raises ValueError with a text that says what would be right. The limits are those of
firewalld 1.3 (firewall/core/io/*.py, firewall/functions.py), where it has any.
"""

from __future__ import annotations

import ipaddress
import re
import socket

from .firewalld_items import Port
from .ports import PortRange, parse_port, parse_port_protocol, parse_protocol, text

Forward = tuple[str, str, str, str]

ZONE_TARGETS = ("default", "ACCEPT", "DROP", "%%REJECT%%")
POLICY_TARGETS = ("CONTINUE", "ACCEPT", "REJECT", "DROP")

# firewall.core.ipset.IPSET_TYPES, and firewall.core.base.SOURCE_IPSET_TYPES
IPSET_TYPES = (
    "hash:ip", "hash:ip,port", "hash:ip,port,ip", "hash:ip,port,net", "hash:ip,mark",
    "hash:net", "hash:net,net", "hash:net,port", "hash:net,port,net", "hash:net,iface",
    "hash:mac",
)  # fmt: skip
SOURCE_IPSET_TYPES = (
    "hash:ip", "hash:ip,port", "hash:ip,mark", "hash:net", "hash:net,port", "hash:net,iface",
    "hash:mac",
)  # fmt: skip
IPSET_OPTIONS = ("family", "hashsize", "maxelem", "timeout")
FAMILIES = {"inet": 4, "inet6": 6}

# The longest chain's name that firewalld makes of a zone's or policy's name has 28 characters
_LONGEST_ZONE = 17
_LONGEST_IPSET = 31
_ZONE = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?")
_SERVICE = re.compile(r"[A-Za-z0-9_-]+")
_IPSET = re.compile(r"[A-Za-z0-9_.:-]+")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
# Six groups: rather a MAC address with a mistake than an IPv6 address, which has eight or "::"
_LOOKS_LIKE_MAC = re.compile(r"[^:.]{1,3}([:-][^:.]{1,3}){5}")
# Linux: IFNAMSIZ is 16 with the final zero; firewalld takes a + at the end for "any that begins so"
_INTERFACE = re.compile(r"[^\s/!*]{1,15}")


def zone_name(value: str) -> str:
    """A zone's or policy's name."""
    if not _ZONE.fullmatch(value):
        raise ValueError("a name has letters, digits, _ and -, with at most one / inside")
    if len(value.split("/", maxsplit=1)[0]) > _LONGEST_ZONE:
        raise ValueError(f"has {len(value)} characters; firewalld takes at most {_LONGEST_ZONE}")
    return value


def service_name(value: str) -> str:
    """A service's name."""
    if not _SERVICE.fullmatch(value):
        raise ValueError("a service's name has letters, digits, _ and -")
    return value


def ipset_name(value: str) -> str:
    """An ipset's name."""
    if not _IPSET.fullmatch(value):
        raise ValueError("an ipset's name has letters, digits, _, -, . and :")
    if len(value) > _LONGEST_IPSET:
        raise ValueError(f"has {len(value)} characters; an ipset takes at most {_LONGEST_IPSET}")
    return value


def zone_target(value: str) -> str:
    """What becomes of a zone's other packets."""
    return one_of("%%REJECT%%" if value == "REJECT" else value, ZONE_TARGETS)


def policy_target(value: str) -> str:
    """What becomes of a policy's other packets."""
    return one_of(value, POLICY_TARGETS)


def one_of(value: str, choices: tuple[str, ...]) -> str:
    """One of a few words."""
    if value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return value


def priority(value: int) -> int:
    """A policy's priority; 0 is where firewalld has the zones."""
    if value == 0 or not -32768 <= value <= 32767:
        raise ValueError("must be between -32768 and 32767, and not 0")
    return value


def interface(value: str) -> str:
    """A network interface's name."""
    if not _INTERFACE.fullmatch(value):
        raise ValueError("an interface's name has 1 to 15 characters, no space, /, ! or *")
    return value


def port(value: str) -> Port:
    """A port or range with its protocol, as "80/tcp"."""
    found, protocol = parse_port_protocol(value)
    return text(found), protocol


def protocol(value: str) -> str:
    """An IP protocol's name or number."""
    if value.isdigit() and value.isascii():
        if int(value) > 255:
            raise ValueError("a protocol's number is at most 255")
        return value
    try:
        socket.getprotobyname(value)
    except (OSError, ValueError) as error:
        raise ValueError(
            "no protocol of this name is known here (/etc/protocols); write one like gre or vrrp, "
            "or its number"
        ) from error
    return value


def network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a network without host bits."""
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be an address or a network like 10.0.0.0/24") from None
    raise ValueError(f"has bits set that belong to hosts: write {meant}, or the address alone")


def address(value: str) -> str:
    """One address."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("must be an address like 10.0.0.1") from None


def mac(value: str) -> str:
    """A MAC address, in small letters."""
    if not _MAC.fullmatch(value):
        raise ValueError("must be a MAC address like 52:54:00:12:34:56")
    return value.lower()


def source(value: str) -> str:
    """What a zone takes packets by: an address, a network, a MAC address or "ipset:NAME"."""
    if value.startswith("ipset:"):
        return f"ipset:{ipset_name(value[len('ipset:') :])}"
    if _MAC.fullmatch(value) or (_LOOKS_LIKE_MAC.fullmatch(value)):
        return mac(value)
    try:
        found = network(value)
    except ValueError as error:
        raise ValueError(f"{error}, or a MAC address, or ipset:NAME") from error
    whole = found.prefixlen == found.max_prefixlen
    return str(found.network_address if whole else found)


def destination(value: str, version: int) -> str:
    """An address or network of one family, which a service is limited to."""
    found = network(value)
    if found.version != version:
        raise ValueError(f"must be an IPv{version} address or network")
    return value


def forward_port(port_: str, protocol_: str, to_port: str, to_address: str) -> Forward:
    """A port that is forwarded to another port, to another host, or to both."""
    first = text(_with_name("port", port_))
    parse_protocol(protocol_)
    if not to_port and not to_address:
        raise ValueError("must name to_port or to_addr")
    second = text(_with_name("to_port", to_port)) if to_port else ""
    return first, protocol_, second, address(to_address) if to_address else ""


def _with_name(key: str, value: str) -> PortRange:
    try:
        return parse_port(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def natural(value: str) -> str:
    """A whole number that is not negative, as text."""
    if not (value.isdigit() and value.isascii()):
        raise ValueError("must be a whole number, 0 or more")
    return value
