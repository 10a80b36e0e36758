# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find interfaces that our planned netplan files and foreign files both want to configure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .netplan_files import ForeignFile, OwnFile
from .netplan_generate import (
    Generated,
    Generator,
    NetplanRefusedError,
    Setting,
    generate,
    read_settings,
    stacks_on,
)
from .nics import Nic

# systemd.network(5): these are searched together, sorted by the file's name alone
_NETWORKD_FOLDERS = ("etc/systemd/network", "run/systemd/network", "usr/lib/systemd/network")


@dataclass(frozen=True)
class Planned:
    """Our files, the foreign ones beside them, and what netplan makes of both together."""

    own: Sequence[OwnFile]
    foreign: Sequence[ForeignFile]
    together: Generated


def find_conflicts(
    planned: Planned, nics: Iterable[Nic], root: Path, generator: Generator
) -> list[str]:
    """Sentences, one per interface that two sides want; empty when there is none.

    An interface is in conflict when (1) a foreign file defines it too, with more than an empty
    mapping, (2) foreign files change what netplan makes of ours, or ours what it makes of theirs,
    in another way than a link riding on it, or (3) a foreign rule that networkd reads earlier
    matches the NIC, so that ours would have no effect.
    """
    ours = generate(planned.own, (), generator)
    problems = _defined_twice(planned, ours, generator) if planned.foreign else {}
    for interface, sentence in _shadowed(planned, ours, nics, root).items():
        problems.setdefault(interface, sentence)
    return [problems[interface] for interface in sorted(problems)]


def _defined_twice(planned: Planned, ours: Generated, generator: Generator) -> dict[str, str]:
    problems: dict[str, str] = {}
    try:
        theirs = generate((), planned.foreign, generator)
    except NetplanRefusedError:
        # together they are accepted: the foreign files ride on links of ours
        theirs = Generated({})
    empty = _empty_definitions(theirs, generator) if set(ours.units) & set(theirs.units) else {}
    for interface in {*ours.units, *theirs.units}:
        both = interface in ours.units and interface in theirs.units
        if both and theirs.units[interface] == empty.get(interface):
            continue
        if both or _changed(interface, ours, planned) or _changed(interface, theirs, planned):
            problems[interface] = (
                f"'{interface}' is defined or changed by {_mentioned(interface, planned.foreign)} "
                f"and by the planned {_mentioned(interface, planned.own)}: remove it from one side."
            )
    return problems


def _empty_definitions(
    theirs: Generated, generator: Generator
) -> Mapping[str, Mapping[str, tuple[Setting, ...]]]:
    """What each physical interface of theirs would be if it were defined as an empty mapping."""
    names = [name for name, parts in theirs.units.items() if "netdev" not in parts]
    lines = [f"    '{name}': {{}}" for name in names]
    text = "\n".join(["network:", "  version: 2", "  ethernets:", *lines, ""]) if names else ""
    try:
        file = ForeignFile("etc/netplan/00-empty.yaml", text.encode())
        return generate((), [file], generator).units
    except NetplanRefusedError:
        return {}


def _changed(interface: str, alone: Generated, planned: Planned) -> bool:
    """Whether the other side changes what netplan makes of an interface."""
    if interface not in alone.units:
        return False
    together = planned.together.units.get(interface, {})
    return _comparable(alone.units[interface]) != _comparable(together)


def _comparable(parts: Mapping[str, tuple[Setting, ...]]) -> dict[str, tuple[Setting, ...]]:
    return {
        part: tuple(setting for setting in settings if not stacks_on(setting))
        for part, settings in parts.items()
    }


def _mentioned(interface: str, files: Iterable[ForeignFile | OwnFile]) -> str:
    """The files in which an interface is a key; all of them when none shows it plainly."""
    listed = list(files)
    key = re.compile(rf"(?<![\w.-])[\"']?{re.escape(interface)}[\"']?\s*:")
    found = [file.path for file in listed if key.search(_text(file))]
    return ", ".join(f"/{path}" for path in (found or [file.path for file in listed]))


def _text(file: ForeignFile | OwnFile) -> str:
    if isinstance(file, OwnFile):
        return file.content
    return file.content.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Rule:
    """A file by which networkd picks the settings of interfaces; ``place`` is for people."""

    name: str
    place: str
    settings: tuple[Setting, ...]

    def matches(self, nic: Candidate) -> bool:
        """Whether the rule's [Match] section fits; one that asks for nothing fits no NIC here."""
        wanted = [(key, value) for section, key, value in self.settings if section == "Match"]
        return bool(wanted) and all(nic.fits(key, value) for key, value in wanted)


@dataclass(frozen=True)
class Candidate:
    """An interface as networkd's [Match] sees it."""

    name: str
    mac: str = ""
    driver: str = ""

    def fits(self, key: str, value: str) -> bool:
        """Whether a condition of a [Match] section holds."""
        if key in {"Name", "OriginalName"}:
            return _glob(self.name, value)
        if key in {"MACAddress", "PermanentMACAddress"}:
            return self.mac.lower() in value.lower().split()
        if key == "Driver":
            return _glob(self.driver, value)
        # a condition that is not known here (Path, Type, Host …): in doubt no conflict is claimed
        return False


def candidate(nic: Nic) -> Candidate:
    """A NIC as networkd's [Match] sees it."""
    return Candidate(nic.name, nic.mac, nic.driver or "")


def _glob(text: str, patterns: str) -> bool:
    if patterns.startswith("!"):
        return not _glob(text, patterns[1:])
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns.split())


def _shadowed(planned: Planned, ours: Generated, nics: Iterable[Nic], root: Path) -> dict[str, str]:
    """Interfaces of ours for which networkd would take a foreign rule."""
    known = {nic.name: candidate(nic) for nic in nics}
    rules = [*_netplan_rules(planned, ours), *networkd_rules(root)]
    problems: dict[str, str] = {}
    for interface, parts in ours.units.items():
        if "network" not in parts:
            continue
        own_rule = Rule(f"10-netplan-{interface}.network", "", parts["network"])
        named = known.get(interface, Candidate(interface))
        matched = [nic for nic in {**known, interface: named}.values() if own_rule.matches(nic)]
        for rule in rules:
            if rule.name < own_rule.name and any(rule.matches(nic) for nic in matched):
                problems[interface] = (
                    f"'{interface}' of the planned {_mentioned(interface, planned.own)} would have "
                    f"no effect: {rule.place} matches the same interface and comes first."
                )
    return problems


def _netplan_rules(planned: Planned, ours: Generated) -> list[Rule]:
    return [
        Rule(
            f"10-netplan-{interface}.network",
            f"'{interface}' in {_mentioned(interface, planned.foreign)}",
            parts["network"],
        )
        for interface, parts in planned.together.units.items()
        if interface not in ours.units and "network" in parts
    ]


def networkd_rules(root: Path) -> list[Rule]:
    """The rules of networkd's folders that netplan did not write."""
    return [
        Rule(path.name, f"/{folder}/{path.name}", read_settings(_read(path)))
        for folder in _NETWORKD_FOLDERS
        for path in sorted((root / folder).glob("*.network"))
        if not path.name.startswith("10-netplan-")
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
