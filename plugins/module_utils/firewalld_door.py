# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a firewalld: the one list of it, whoever answers.

A door leads to a firewalld that runs (over D-Bus) or to its configuration on disk (offline). Both
speak the same plain Python: dicts with the keys of SHAPES, whatever the kind is called and spelled
like on the other side.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from .errors import HostError

Settings = dict[str, Any]

# In the order in which they must be written: a zone may name an ipset or a service, a policy zones.
KINDS = ("ipset", "service", "zone", "policy")

# Every key that Settings of a kind have, with its empty value. Ports are tuples (port, protocol),
# forward ports tuples (port, protocol, to port, to address), all of them strings.
SHAPES: dict[str, Settings] = {
    "zone": {
        "short": "",
        "description": "",
        "target": "default",
        "interfaces": [],
        "sources": [],
        "services": [],
        "ports": [],
        "source_ports": [],
        "protocols": [],
        "icmp_blocks": [],
        "icmp_block_inversion": False,
        "forward": False,
        "masquerade": False,
        "forward_ports": [],
        "rich_rules": [],
    },
    "policy": {
        "short": "",
        "description": "",
        "target": "CONTINUE",
        "priority": -1,
        "ingress_zones": [],
        "egress_zones": [],
        "services": [],
        "ports": [],
        "source_ports": [],
        "protocols": [],
        "icmp_blocks": [],
        "masquerade": False,
        "forward_ports": [],
        "rich_rules": [],
    },
    "ipset": {"short": "", "description": "", "type": "", "options": {}, "entries": []},
    "service": {
        "short": "",
        "description": "",
        "ports": [],
        "source_ports": [],
        "protocols": [],
        "destination": {},
        "modules": [],
        "includes": [],
        "helpers": [],
    },
}


class FirewalldError(HostError):
    """A failure of firewalld, or on the way to it, that already reads as a sentence."""


class NotRunning(FirewalldError):  # noqa: N818 - what is the case, not what it is called
    """Nobody answers at firewalld's name, or the system bus cannot be reached."""


class NoAnswer(FirewalldError):  # noqa: N818 - as NotRunning
    """firewalld is there and did not answer in time; whether it did as asked is not known."""


class Gone(FirewalldError):  # noqa: N818 - as NotRunning
    """firewalld stopped or restarted during a call; whether it did as asked is not known."""


class Refused(FirewalldError):  # noqa: N818 - as NotRunning
    """firewalld answered, with a refusal.

    :param code: firewalld's own word, as "INVALID_ZONE" or "ZONE_CONFLICT"; "" where it gave none.
    :param message: a sentence with what firewalld said.
    :param said: firewalld's own words alone, where they are known.
    """

    def __init__(self, code: str, message: str, said: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.said = said or message


@dataclass(frozen=True)
class Direct:
    """The direct chains, rules and passthroughs of a firewalld, in its own order.

    ``chains``: (family, table, chain). ``rules``: (family, table, chain, priority, arguments).
    ``passthroughs``: (family, arguments). A family is "ipv4", "ipv6" or "eb".
    """

    chains: tuple[tuple[str, str, str], ...] = ()
    rules: tuple[tuple[str, str, str, int, tuple[str, ...]], ...] = ()
    passthroughs: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.chains or self.rules or self.passthroughs)

    def without(self, other: Direct) -> Direct:
        """What is here and not there, in this order."""
        return Direct(
            tuple(chain for chain in self.chains if chain not in other.chains),
            tuple(rule for rule in self.rules if rule not in other.rules),
            tuple(words for words in self.passthroughs if words not in other.passthroughs),
        )


def complete(kind: str, given: Settings) -> Settings:
    """Settings with every key of the kind: those given, else empty; keys unknown here go."""
    return {
        key: given[key] if key in given else copy.copy(empty) for key, empty in SHAPES[kind].items()
    }


class Door:
    """The way to a firewalld. Every method may raise a FirewalldError; none raises another.

    ``kind`` is one of KINDS. "permanent" is what is on disk, "runtime" what is in effect now.
    """

    live: bool = True
    """Whether there is a runtime; False for the configuration on disk alone."""

    calls: int = 0
    """How many D-Bus calls were made through this door."""

    # --- reading ----------------------------------------------------------------------------------

    def permanent(self, kind: str, name: str) -> Settings | None:
        """The permanent settings, complete; None when there is no such object."""
        raise NotImplementedError

    def runtime(self, kind: str, name: str) -> Settings | None:
        """The runtime settings, complete; None when there is no such object, or no runtime."""
        raise NotImplementedError

    def names(self, kind: str, permanent: bool) -> list[str]:
        """The names of all objects of a kind, sorted; at runtime none without a runtime."""
        raise NotImplementedError

    def default_zone(self) -> str:
        """The zone of what no other zone has."""
        raise NotImplementedError

    def backend(self) -> str:
        """What firewalld writes its rules with: "nftables" or "iptables"."""
        raise NotImplementedError

    def version(self) -> str:
        """firewalld's version, as "1.3.3"."""
        raise NotImplementedError

    def icmp_types(self) -> list[str]:
        """The names that ``icmp_blocks`` may have."""
        raise NotImplementedError

    def bindings(self) -> dict[str, dict[str, list[str]]]:
        """What is bound to the zones at runtime, in one call; offline, permanently.

        :return: by zone, ``{"interfaces": [...], "sources": [...]}``; zones with neither are left
            out.
        """
        raise NotImplementedError

    def permanent_zone_of(self, what: str, name: str) -> str | None:
        """The zone that an interface or a source is permanently bound to.

        :param what: "interface" or "source".
        """
        raise NotImplementedError

    def normal_rich_rule(self, text: str) -> str:
        """A rich rule as firewalld itself writes it.

        :raises Refused: it is no rich rule; says why.
        """
        raise NotImplementedError

    # --- writing ----------------------------------------------------------------------------------

    def write_permanent(self, kind: str, name: str, settings: Settings) -> None:
        """Create an object, or change the given keys of the one that is there.

        What is not given for a new object is as firewalld makes it: a zone forwards within itself
        (``forward`` is true), all else is as in SHAPES. An interface or source that another zone
        has is refused for a zone that is there (ZONE_CONFLICT), and not seen for a new one.
        """
        raise NotImplementedError

    def remove_permanent(self, kind: str, name: str) -> None:
        """Remove what was written over an object: one that is built in becomes as it was built.

        An object that is not there, or is as it was built, is fine. A service that goes is taken
        out of the zones and policies that name it.
        """
        raise NotImplementedError

    def forget_service(self, name: str) -> None:
        """Take a service out of all zones and policies, permanently.

        firewalld itself does so when a service is removed, and stops halfway where two name it:
        it checks the first without it while the second still has it (core/fw_config.py, 1.3.3).
        """
        for kind in ("policy", "zone"):
            for holder in self.names(kind, permanent=True):
                services = (self.permanent(kind, holder) or {}).get("services", [])
                if name in services:
                    left = [service for service in services if service != name]
                    self.write_permanent(kind, holder, {"services": left})

    def set_runtime(self, kind: str, name: str, settings: Settings) -> None:
        """Change the given keys of a zone or policy, or the ``entries`` of an ipset.

        firewalld knows no way to change a service, a target or a priority without a reload.
        """
        raise NotImplementedError

    def move(self, what: str, name: str, zone: str) -> None:
        """Bind an interface or source to this zone at runtime, from wherever it is.

        :param what: "interface" or "source".
        """
        raise NotImplementedError

    # --- the whole --------------------------------------------------------------------------------

    def check_permanent(self) -> None:
        """Ask whether what is on disk would load.

        :raises Refused: it would not; says which object or file, and why.
        """
        raise NotImplementedError

    def reload(self) -> None:
        """Bring what is on disk to the runtime; what was in the runtime alone is lost."""
        raise NotImplementedError

    def direct(self) -> Direct:
        """The runtime's direct configuration; empty without a runtime."""
        raise NotImplementedError

    def set_direct(self, rules: Direct) -> None:
        """Add those of these direct chains, rules and passthroughs that the runtime has not."""
        raise NotImplementedError
