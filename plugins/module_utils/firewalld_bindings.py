# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld's Python bindings: how they are found, and what the doors share of them.

They belong to the host's own Python and are imported by name, since they are nowhere else. The
names of the settings on D-Bus and in firewalld's own classes are those of IMPORT_EXPORT_STRUCTURE
in firewall/core/io/{zone,policy,ipset,service}.py, read in 1.3.3.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .firewalld_door import SHAPES, FirewalldError, Refused, Settings, complete

MODULES = ("dbus", "firewall.config.dbus", "firewall.core.rich")
PACKAGE = "python3-firewall"
OLDEST = (0, 9, 0)

# what zones call otherwise than policies and the module's options do
_SPELLED = {"zone": {"rich_rules": "rules_str"}}

# the order of an ipset's tuple
IPSET_KEYS = ("version", "short", "description", "type", "options", "entries")

# lists whose items are tuples; the number of their parts
TUPLES = {"ports": 2, "source_ports": 2, "forward_ports": 4}

# firewalld's words for "no such object"
UNKNOWN = {
    "zone": "INVALID_ZONE",
    "policy": "INVALID_POLICY",
    "ipset": "INVALID_IPSET",
    "service": "INVALID_SERVICE",
}


def binding(name: str) -> Any:
    """One of firewalld's modules.

    :raises ImportError: it is not installed for this interpreter.
    """
    return importlib.import_module(name)


def missing_bindings() -> str | None:
    """Why the bindings cannot be imported by this interpreter, or None."""
    try:
        for name in MODULES:
            binding(name)
    except ImportError as error:
        return str(error)
    return None


def to_firewalld(kind: str, settings: Settings) -> Settings:
    """Settings as firewalld spells them: plain Python, tuples where it wants tuples."""
    spelled = _SPELLED.get(kind, {})
    return {spelled.get(key, key): _typed(key, value) for key, value in settings.items()}


def _typed(key: str, value: Any) -> Any:
    if key in TUPLES:
        return [tuple(str(part) for part in item) for item in value]
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else value


def from_firewalld(kind: str, given: Mapping[str, Any]) -> Settings:
    """Complete Settings from what firewalld gave, D-Bus' types or its own."""
    spelled = {theirs: ours for ours, theirs in _SPELLED.get(kind, {}).items()}
    found = {}
    for key, value in given.items():
        ours = spelled.get(key, key)
        if ours in SHAPES[kind]:
            found[ours] = _plain(value, SHAPES[kind][ours])
    return complete(kind, found)


def _plain(value: Any, like: Any) -> Any:
    """D-Bus' types are subclasses of Python's: without this they would leak into results."""
    if isinstance(like, list):
        return [
            tuple(str(part) for part in item) if isinstance(item, (list, tuple)) else str(item)
            for item in value
        ]
    if isinstance(like, dict):
        return {str(key): str(item) for key, item in value.items()}
    return type(like)(value)


def refusal(what: str, said: str) -> Refused:
    """What to raise when firewalld refused.

    :param what: what was asked for, as "to write the zone storage".
    :param said: firewalld's own words, as "ZONE_CONFLICT: eth1".
    """
    said = said.strip() or "it gave no reason"
    word = said.split(":", 1)[0]
    known = word.isupper() and word.replace("_", "").isalpha()
    return Refused(word if known else "", f"firewalld refused {what}: {said}", said)


def is_built_in(refused: Refused) -> bool:
    """Whether firewalld refused to remove something because it is built in.

    Of policies it says so by stumbling: its list of errors has no BUILTIN_POLICY (1.3.3).
    """
    return "BUILTIN_" in refused.said


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Say of every refusal in this block what was asked for, in place of a method's name."""
    try:
        yield
    except Refused as refused:
        raise refusal(what, refused.said) from refused


def normal_rich_rule(text: str) -> str:
    """A rich rule as firewalld itself writes it.

    :raises Refused: it is no rich rule; says why.
    """
    rich = binding("firewall.core.rich")
    errors = binding("firewall.errors")
    if not text.strip():
        # to firewalld this is a rule without anything in it
        raise Refused("INVALID_RULE", "A rich rule is empty: it must begin with 'rule'.")
    try:
        return str(rich.Rich_Rule(rule_str=text))
    except errors.FirewallError as error:
        raise refusal(f"the rich rule '{text}'", str(error)) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        # its parser stumbles over some texts instead of refusing them
        raise Refused("INVALID_RULE", f"'{text}' is no rich rule: {error}") from error


def _too_old(version: str) -> bool:
    """Whether this firewalld is older than the oldest that can be worked with.

    0.9.0 brought policies and the settings of zones as dicts.
    """
    numbers = [int(number) for number in re.findall(r"[0-9]+", version)]
    # "0.9" is 0.9.0
    return tuple([*numbers, 0, 0, 0][:3]) < OLDEST


def check_version(version: str) -> None:
    """Refuse a firewalld that is too old.

    :raises FirewalldError: names both versions.
    """
    if _too_old(version):
        oldest = ".".join(str(number) for number in OLDEST)
        raise FirewalldError(
            f"This host has firewalld {version}; {oldest} or newer is needed, which has policies."
            " Upgrade the package firewalld."
        )
