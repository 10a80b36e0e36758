# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one object becomes: the wish laid over the settings that it has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .firewalld_door import SHAPES, Settings, complete
from .firewalld_items import BINDINGS, ENTRIES, POLICY_ZONES, goal, same, same_options
from .firewalld_options import SPECS, Wish

# The lists that can be changed, by kind
LISTS: dict[str, tuple[str, ...]] = {
    kind: tuple(key for key, empty in shape.items() if isinstance(empty, list))
    for kind, shape in SHAPES.items()
}
# What firewalld changes in the runtime without a reload
AT_RUNTIME: dict[str, tuple[str, ...]] = {
    "zone": (*LISTS["zone"], "icmp_block_inversion", "forward", "masquerade"),
    "policy": (*LISTS["policy"], "masquerade"),
    "ipset": (ENTRIES,),
    "service": (),
}
# What is no list of rules but of places: left out of "exclusive" unless it is given
_PLACES = (*BINDINGS, *POLICY_ZONES)
_ABOUT = ("short", "description")

# What a new object has where the wish says nothing, other than SHAPES' empty values
_NEW: dict[str, Settings] = {
    "zone": {"target": "default", "forward": True},
    "policy": {"target": "CONTINUE", "priority": -1},
    "ipset": {"type": "hash:net"},
    "service": {},
}


def created(wish: Wish) -> Settings:
    """The settings that a new object is written with.

    The defaults are written too: firewalld's own differ between its versions.
    """
    return {**_NEW[wish.kind], **laid_over(wish, complete(wish.kind, _NEW[wish.kind]), False)}


def changed(wish: Wish, shown: Settings) -> Settings:
    """The keys that differ, each with its whole new value, for an object that is there."""
    return laid_over(wish, shown, fresh=False)


def result(kind: str, shown: Settings | None, change: Settings) -> Settings:
    """The settings after a change."""
    return {**(complete(kind, {}) if shown is None else shown), **change}


def emptied(kind: str) -> Settings:
    """The runtime of an object that is gone on disk."""
    empty = complete(kind, _NEW[kind])
    return {key: empty[key] for key in AT_RUNTIME[kind]}


def laid_over(wish: Wish, shown: Settings, fresh: bool) -> Settings:
    """The keys that a wish changes.

    :param fresh: the object is left over from one that was removed (firewalld keeps those until a
        reload): none of its rules was asked for by anybody, and the wish alone counts.
    """
    change: Settings = {}
    for key in LISTS[wish.kind]:
        value = _list(wish, key, shown, fresh)
        if value is not None and not same(key, shown[key], value):
            change[key] = value
    base = complete(wish.kind, _NEW[wish.kind]) if fresh else shown
    for key, empty in SHAPES[wish.kind].items():
        if isinstance(empty, list) or (key in _ABOUT and key not in wish.given):
            continue
        wanted = _scalar(wish, key, base)
        if not _same_scalar(key, shown[key], wanted):
            change[key] = wanted
    return change


def _list(wish: Wish, key: str, shown: Settings, fresh: bool) -> list[Any] | None:
    """What a list becomes; None when it is left as it is."""
    alone = wish.exclusive or (fresh and key not in _PLACES)
    if key in wish.given:
        return goal(key, shown[key], wish.given[key], alone)
    if fresh and key == ENTRIES:
        return []
    # Lists that the module has no option for (a service's helpers) are nobody's to empty
    return [] if alone and key in SPECS[wish.kind] and key not in (*_PLACES, ENTRIES) else None


def _scalar(wish: Wish, key: str, base: Mapping[str, Any]) -> Any:
    if key not in wish.given:
        return base[key]
    if isinstance(base[key], dict) and not (wish.exclusive and key == "destination"):
        return {**base[key], **wish.given[key]}
    return wish.given[key]


def _same_scalar(key: str, left: Any, right: Any) -> bool:
    return same_options(left, right) if key == "options" else bool(left == right)


def reload_keys(kind: str) -> tuple[str, ...]:
    """The keys that only a reload brings to the runtime."""
    live = AT_RUNTIME[kind]
    return tuple(key for key in SHAPES[kind] if key not in live and key not in _ABOUT)
