# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user asks of the firewall, read and checked: every mistake at once, with its place.

Ansible's own check of nested options stops at the first mistake and tells no index, so the items
are read here, with Ansible's rules for types (a "yes" is a boolean, an 80 is also "80").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from . import firewalld_values as values
from .errors import HostError
from .firewalld_door import KINDS, FirewalldError, Settings
from .firewalld_entries import collapsed, network_of
from .firewalld_items import BINDINGS, canonical_source
from .firewalld_references import missing

_LIST = {"type": "list", "elements": "str"}
_BOOL = {"type": "bool"}
_TEXT = {"type": "str"}
_FORWARDS = {"type": "list", "elements": "dict"}
_COMMON = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "present"},
    "exclusive": {"type": "bool", "default": False},
}
_TRAFFIC = {
    "services": _LIST,
    "ports": _LIST,
    "source_ports": _LIST,
    "protocols": _LIST,
    "icmp_blocks": _LIST,
    "masquerade": _BOOL,
    "forward_ports": _FORWARDS,
    "rich_rules": _LIST,
}

# What an item of each kind may have; the module's documentation says the same in words.
SPECS: dict[str, dict[str, Any]] = {
    "zone": {
        **_COMMON,
        **_TRAFFIC,
        "target": _TEXT,
        "interfaces": _LIST,
        "sources": _LIST,
        "icmp_block_inversion": _BOOL,
        "forward": _BOOL,
    },
    "policy": {
        **_COMMON,
        **_TRAFFIC,
        "target": _TEXT,
        "priority": {"type": "int"},
        "ingress_zones": _LIST,
        "egress_zones": _LIST,
    },
    "ipset": {
        **_COMMON,
        "exclusive": {"type": "bool", "default": True},
        "type": _TEXT,
        "family": _TEXT,
        "options": {"type": "dict"},
        "entries": _LIST,
    },
    "service": {
        **_COMMON,
        "description": _TEXT,
        "ports": _LIST,
        "source_ports": _LIST,
        "protocols": _LIST,
        "destination": {"type": "dict"},
    },
}
PLURALS = {"zone": "zones", "policy": "policies", "ipset": "ipsets", "service": "services"}
_FORWARD_SPEC = {
    "port": {"type": "str", "required": True},
    "protocol": {"type": "str", "required": True},
    "to_port": {"type": "str", "default": ""},
    "to_addr": {"type": "str", "default": ""},
}

_NAMES: dict[str, Callable[[str], str]] = {
    "zone": values.zone_name,
    "policy": values.zone_name,
    "ipset": values.ipset_name,
    "service": values.service_name,
}
_SCALARS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("zone", "target"): values.zone_target,
    ("policy", "target"): values.policy_target,
    ("policy", "priority"): values.priority,
}
_ITEMS: dict[str, Callable[[str], Any]] = {
    "interfaces": values.interface,
    "sources": values.source,
    "ports": values.port,
    "source_ports": values.port,
    "protocols": values.protocol,
}


@dataclass(frozen=True)
class Wish:
    """One object as it shall be; ``given`` has the keys that the user wrote, in Settings' form."""

    kind: str
    name: str
    path: str
    present: bool = True
    exclusive: bool = False
    given: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Desired:
    """Everything that is asked for, in the order in which it must be written."""

    wishes: tuple[Wish, ...]

    def of(self, kind: str, present: bool | None = None) -> list[Wish]:
        """The wishes of a kind: all, those to be there, or those to be gone."""
        return [
            wish
            for wish in self.wishes
            if wish.kind == kind and (present is None or wish.present == present)
        ]


class Known(Protocol):
    """What there is on the host already; each question may be answered only when it is asked."""

    def names(self, kind: str) -> set[str]:
        """The names of all objects of a kind."""

    def icmp_types(self) -> set[str]:
        """The names of all ICMP types."""

    def rich_rule(self, text: str) -> str:
        """A rich rule in firewalld's own form; raises FirewalldError for what is none."""

    def shipped(self, kind: str, name: str) -> str | None:
        """The file that a package brought an object with; None for one that can be removed."""


def read(params: Mapping[str, Any], known: Known) -> Desired:
    """Read the module's options.

    :raises HostError: with all findings, each naming its place as ``zones[0].ports[3]``.
    """
    reader = _Reader(known)
    wishes = [wish for kind in KINDS for wish in reader.kind(kind, params.get(PLURALS[kind]))]
    reader.references(wishes)
    if reader.problems:
        count = len(reader.problems)
        raise HostError(
            f"The firewall cannot be as asked ({count} finding{'s' * (count > 1)}); "
            "nothing was changed.",
            reader.problems,
        )
    return Desired(tuple(wishes))


class _Reader:
    """Reads items and gathers what is wrong with them."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.problems: list[str] = []
        self._bound: dict[tuple[str, str], str] = {}

    def kind(self, kind: str, items: Sequence[Mapping[str, Any]] | None) -> list[Wish]:
        """All items of a kind."""
        wishes: dict[str, Wish] = {}
        for index, item in enumerate(items or ()):
            wish = self._item(kind, f"{PLURALS[kind]}[{index}]", item)
            if wish is None:
                continue
            if wish.name in wishes:
                other = wishes[wish.name].path
                self._wrong(f"{wish.path}.name", wish.name, f"is described by {other} already")
            else:
                wishes[wish.name] = wish
        return list(wishes.values())

    def _wrong(self, path: str, value: object, what: object) -> None:
        self.problems.append(f"{path}: '{value}': {what}")

    def _checked(self, path: str, value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ValueError as error:
            self._wrong(path, value, error)
            return None

    def _typed(self, path: str, item: Mapping[str, Any], spec: Mapping[str, Any]) -> Settings:
        """The item with Ansible's types; what is unknown or of a wrong type is told and left out.

        :return: the keys that were written, and those with defaults.
        """
        for key in item:
            if key not in spec:
                self.problems.append(f"{path}.{key}: is not known; known are {', '.join(spec)}")
        given = {key: value for key, value in item.items() if key in spec and value is not None}
        typed: Settings = {}
        for key, rule in spec.items():
            result = ArgumentSpecValidator({key: rule}).validate(
                {key: given[key]} if key in given else {}
            )
            if result.error_messages:
                self.problems += [f"{path}.{key}: {text}" for text in result.error_messages]
            elif result.validated_parameters.get(key) is not None:
                typed[key] = result.validated_parameters[key]
        return typed

    def _item(self, kind: str, path: str, item: Mapping[str, Any]) -> Wish | None:
        typed = self._typed(path, item, SPECS[kind])
        state = typed.pop("state", "present")
        if state not in ("present", "absent"):
            self._wrong(f"{path}.state", state, "must be present or absent")
        exclusive = typed.pop("exclusive", False)
        if "name" not in typed:
            return None
        name = self._checked(f"{path}.name", typed.pop("name"), _NAMES[kind])
        given = self._given(kind, path, typed)
        if name is None or state not in ("present", "absent"):
            return None
        if state == "absent":
            return self._absent(kind, name, path)
        self._bind(name, path, given)
        return Wish(kind, name, path, True, exclusive, given)

    def _absent(self, kind: str, name: str, path: str) -> Wish:
        file = self.known.shipped(kind, name)
        if file is not None:
            self._wrong(f"{path}.state", "absent", f"{name} is built in ({file}) and stays")
        return Wish(kind, name, path, present=False)

    def _bind(self, zone: str, path: str, given: Settings) -> None:
        for key in BINDINGS:
            for index, value in enumerate(given.get(key, ())):
                if value is None:
                    continue
                form = canonical_source(value) if key == "sources" else value
                owner = self._bound.setdefault((key, form), zone)
                if owner != zone:
                    self._wrong(f"{path}.{key}[{index}]", value, f"is asked for zone {owner} too")

    def _given(self, kind: str, path: str, typed: Settings) -> Settings:
        if kind == "ipset":
            return self._ipset(path, typed)
        given: Settings = {}
        for key, value in typed.items():
            where = f"{path}.{key}"
            if key == "forward_ports":
                given[key] = self._forwards(where, value)
            elif key == "rich_rules":
                given[key] = self._list(where, value, self._rich_rule)
            elif key == "destination":
                given[key] = self._destination(where, value)
            elif isinstance(value, list):
                given[key] = self._list(where, value, _ITEMS.get(key, str))
            else:
                given[key] = self._checked(where, value, _SCALARS.get((kind, key), _as_it_is))
        return given

    def _list(self, path: str, items: Sequence[Any], check: Callable[[Any], Any]) -> list[Any]:
        # What is wrong leaves its place empty, so that later findings tell the right index
        return [self._checked(f"{path}[{at}]", item, check) for at, item in enumerate(items)]

    def _rich_rule(self, text: str) -> str:
        try:
            return self.known.rich_rule(text)
        except FirewalldError as error:
            raise ValueError(error.message) from error

    def _forwards(self, path: str, items: Sequence[Mapping[str, Any]]) -> list[Any]:
        found = []
        for index, item in enumerate(items):
            before = len(self.problems)
            typed = self._typed(f"{path}[{index}]", item, _FORWARD_SPEC)
            if len(self.problems) > before:
                continue
            parts = [typed[key] for key in _FORWARD_SPEC]
            try:
                found.append(values.forward_port(*parts))
            except ValueError as error:
                self._wrong(f"{path}[{index}]", ":".join(parts), error)
        return found

    def _destination(self, path: str, given: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        for key, value in given.items():
            if key not in ("ipv4", "ipv6"):
                self._wrong(path, key, "must be ipv4 or ipv6")
                continue
            version = 4 if key == "ipv4" else 6
            text = str(value)
            try:
                found[key] = values.destination(text, version)
            except ValueError as error:
                self._wrong(f"{path}.{key}", text, error)
        return found

    # --- ipsets -----------------------------------------------------------------------------------

    def _ipset(self, path: str, typed: Settings) -> Settings:
        given: Settings = {}
        if "type" in typed:
            check = typed["type"]
            given["type"] = self._checked(
                f"{path}.type", check, lambda value: values.one_of(value, values.IPSET_TYPES)
            )
        options = self._options(path, typed)
        if "entries" in typed:
            kind = given.get("type") or "hash:net"
            entries, version = self._entries(f"{path}.entries", typed["entries"], kind, options)
            if version is not None:
                options.setdefault("family", "inet" if version == 4 else "inet6")
            if entries and options.get("timeout", "0") != "0":
                self._wrong(f"{path}.options.timeout", options["timeout"],
                            "a set whose entries expire takes none from here")  # fmt: skip
            # Joined once, since later everything is compared with them
            given["entries"] = collapsed(entries)
        if options:
            given["options"] = options
        return given

    def _options(self, path: str, typed: Settings) -> dict[str, str]:
        options: dict[str, str] = {}
        for key, value in {**typed.get("options", {})}.items():
            if key not in values.IPSET_OPTIONS:
                self._wrong(f"{path}.options", key,
                            f"must be one of {', '.join(values.IPSET_OPTIONS)}")  # fmt: skip
            elif key != "family":
                checked = self._checked(f"{path}.options.{key}", str(value), values.natural)
                options.update({key: checked} if checked is not None else {})
            else:
                typed.setdefault("family", str(value))
        if "family" in typed:
            families = tuple(values.FAMILIES)
            family = self._checked(
                f"{path}.family", typed["family"], lambda value: values.one_of(value, families)
            )
            options.update({"family": family} if family is not None else {})
        return options

    def _entries(
        self, path: str, entries: Sequence[str], kind: str, options: Mapping[str, str]
    ) -> tuple[list[str], int | None]:
        """The entries, and their family where they tell it; the first stranger is told, not all."""
        version = values.FAMILIES.get(options.get("family", ""))
        told = False
        found = []
        for index, entry in enumerate(entries):
            where = f"{path}[{index}]"
            text = self._checked(where, entry, lambda value: _entry(value, kind))
            if text is None:
                continue
            found.append(text)
            network = network_of(text) if kind in _SIMPLE else None
            if network is None:
                continue
            version = version or network.version
            if network.version != version and not told:
                told = True
                self._wrong(where, entry, f"is IPv{network.version} in a set of IPv{version}; "
                            "each family needs an ipset of its own")  # fmt: skip
        return found, version

    # --- what refers to what ----------------------------------------------------------------------

    def references(self, wishes: Sequence[Wish]) -> None:
        """Check that everything that is named exists, on the host or in this call."""
        self.problems += missing(wishes, self.known)


_SIMPLE = ("hash:ip", "hash:net")


def _entry(value: str, kind: str) -> str:
    """One entry of an ipset; of several parts, or a range, only firewalld itself can check it."""
    if kind == "hash:mac":
        return values.mac(value)
    if kind not in _SIMPLE or "-" in value:
        if not value or value != value.strip():
            raise ValueError("must not be empty, nor have spaces around it")
        return value
    return str(values.network(value)) if "/" in value else values.address(value)


def _as_it_is(value: Any) -> Any:
    return value
