# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: who owns which address, and its text form. No I/O here.

Its file is read by people and kept in git: one line per allocation, in a fixed order, so that a
diff shows exactly what was given to whom, and two branches that gave out one address conflict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import yaml

FORMAT = 1
_HEADER = """\
# Who owns which address. Written by underlay.cluster; keep it in version control.
# To give addresses back: playbooks/release.yml
"""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_CONFLICT = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

# A dotted quad as the planner writes it.
_QUAD = re.compile(r"((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(?!\Z)|\Z)){4}")

# libyaml reads a ledger of 70,000 rows in seconds where the Python loader takes a minute.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class LedgerError(Exception):
    """The ledger's text is not a ledger. Says what is wrong and that nothing was changed."""


class _Loader(_SafeLoader):
    """Takes no key twice: after a merge of two branches, an address may stand there twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key in (key for key, _unused in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                wrong = f"{key.value} is there twice"
                raise yaml.constructor.ConstructorError(None, None, wrong, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Allocations at one version.

    version: grows by one with every write
    addresses: network name -> address text -> owner (a host's name, or vip/NAME)
    """

    version: int = 0
    addresses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def rows(self) -> Iterable[tuple[str, str, str]]:
        """Yield (network, address, owner) of every allocation."""
        for network, owners in self.addresses.items():
            for address, owner in owners.items():
                yield network, address, owner

    def with_addresses(self, addresses: Mapping[str, Mapping[str, str]]) -> Ledger:
        """Return the next version with these allocations, or this one where nothing changes."""
        kept = {network: owners for network, owners in addresses.items() if owners}
        return self if kept == self.addresses else Ledger(self.version + 1, kept)

    def without(self, owners: Iterable[str], networks: Iterable[str] = ()) -> Ledger:
        """Return a ledger in which these owners have nothing left.

        networks: only these networks' allocations are given back; all of them if empty
        """
        leaving, only = set(owners), set(networks)
        addresses = {
            network: {
                address: owner
                for address, owner in rows.items()
                if owner not in leaving or (only and network not in only)
            }
            for network, rows in self.addresses.items()
        }
        return self.with_addresses(addresses)


def to_text(ledger: Ledger) -> str:
    """Write a ledger as YAML: networks by name, addresses in numeric order."""
    lines = [f"{_HEADER}format: {FORMAT}", f"version: {ledger.version}"]
    lines.append("addresses:" if ledger.addresses else "addresses: {}")
    for network in sorted(ledger.addresses):
        lines.append(f"  {_scalar(network)}:")
        rows = ledger.addresses[network]
        lines += [f"    {_key(address)}: {_scalar(rows[address])}" for address in _ordered(rows)]
    return "\n".join(lines) + "\n"


def from_text(text: str, name: str) -> Ledger:
    """Read a ledger. name is the file's, for errors. Raises LedgerError."""
    if _CONFLICT.search(text):
        raise LedgerError(
            f"{name} has the marks of a merge conflict. Keep both sides' lines, and of an address "
            "that both sides gave out only one; the other owner gets another address by the next "
            "plan."
        )
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise LedgerError(f"{name} is damaged ({why}). Restore it from version control.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise LedgerError(
            f"{name} is not a ledger of format {FORMAT} (format: {found}). "
            "Restore it from version control."
        )
    try:
        version = int(data["version"])
        addresses = {_text(network): _owners(rows) for network, rows in data["addresses"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"{name} is damaged ({error}). Restore it from version control."
        ) from error
    return Ledger(version, addresses)


def _owners(rows: Mapping[object, object]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for address, owner in rows.items():
        text = _canonical(address)
        if text in owners:
            raise ValueError(f"{text} is there twice")
        owners[text] = _text(owner)
    return owners


def _canonical(address: object) -> str:
    text = str(address)
    # Only IPv6 has many spellings.
    return text if _QUAD.match(text) else str(ip_address(text))


def _text(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{name!r} is not a name; quote it if it is one")
    return name


def _ordered(rows: Mapping[str, str]) -> list[str]:
    return sorted(rows, key=_number)


def _number(address: str) -> tuple[int, int]:
    if ":" in address:
        return 6, int(ip_address(address))
    first, second, third, fourth = address.split(".")
    return 4, int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def _key(address: str) -> str:
    # Unquoted, YAML 1.1 reads some IPv6 addresses as numbers of base 60.
    return f'"{address}"' if ":" in address else address


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    # As YAML 1.1 has it (5.6): line breaks and what is not printable would not come back.
    return character if character.isprintable() else f"\\U{ord(character):08X}"
