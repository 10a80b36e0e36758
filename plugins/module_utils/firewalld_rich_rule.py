# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rich rule taken apart, without firewalld's bindings: what the guard must know of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# firewalld.richlanguage(5): one element and one action at most; what logs decides nothing.
ELEMENTS = (
    "service", "port", "protocol", "source-port", "icmp-block", "icmp-type", "masquerade",
    "forward-port", "tcp-mss-clamp",
)  # fmt: skip
ACTIONS = ("accept", "drop", "reject", "mark")
_LOGS = ("log", "nflog", "audit")
_WORDS = {"rule", "source", "destination", "limit", "not", *ELEMENTS, *ACTIONS, *_LOGS}


@dataclass(frozen=True)
class End:
    """Where a packet comes from or goes to: exactly one of the three is given."""

    address: str | None = None
    mac: str | None = None
    ipset: str | None = None
    invert: bool = False


@dataclass(frozen=True)
class RichRule:
    """One rule. ``element`` and ``action`` are None where the rule has none."""

    text: str
    priority: int = 0
    family: str | None = None
    source: End | None = None
    destination: End | None = None
    element: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    action: str | None = None
    limited: bool = False


def parse_rich_rule(text: str) -> RichRule:
    """Take a rule apart that firewalld has accepted; raises ValueError for what is none."""
    parts, limited = _parts(text)
    head = parts.get("rule")
    if head is None:
        raise ValueError(f"{text!r} does not begin with 'rule'.")
    element = next((name for name in ELEMENTS if name in parts), None)
    action = next((name for name in ACTIONS if name in parts), None)
    return RichRule(
        text=text,
        priority=int(head.get("priority", "0")),
        family=head.get("family"),
        source=_end(parts.get("source")),
        destination=_end(parts.get("destination")),
        element=element,
        attributes=parts[element] if element else {},
        action=action,
        limited=action in limited,
    )


def rich_rules_of(settings: Mapping[str, Any]) -> list[RichRule]:
    """The rich rules of a zone or policy; one that nobody understands may deny everything."""
    return [_understood(text) for text in settings.get("rich_rules", ())]


def _understood(text: str) -> RichRule:
    try:
        return parse_rich_rule(text)
    except ValueError:
        # a rule of a newer firewalld; a limit makes it one that only may match
        return RichRule(text=text, priority=-1, action="reject", limited=True)


def _parts(text: str) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Each word with the attributes behind it; and the words whose rate is limited."""
    parts: dict[str, dict[str, str]] = {}
    limited: set[str] = set()
    owner = ""
    for token in shlex.split(text):
        name, equals, value = token.partition("=")
        if equals:
            if not owner:
                raise ValueError(f"{text!r} does not begin with 'rule'.")
            parts[owner][name] = value
        elif name.lower() not in _WORDS:
            raise ValueError(f"{name!r} is not a word of a rich rule.")
        elif name.lower() == "not":
            parts.setdefault(owner, {})["invert"] = "yes"
        elif name == "limit":
            limited.add(owner)
            # the limit's value belongs to nobody who is asked for
            parts["limit"] = {}
            owner = "limit"
        else:
            owner = name
            parts[owner] = {}
    return parts, limited


def _end(attributes: Mapping[str, str] | None) -> End | None:
    if attributes is None:
        return None
    return End(
        address=attributes.get("address"),
        mac=attributes.get("mac"),
        ipset=attributes.get("ipset"),
        # any value counts, as firewalld reads it
        invert=bool(attributes.get("invert")),
    )
