# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template says in netplan's own keys: plain data, in the shapes that the planner reads.

Netplan's other keys pass as they are; netplan itself judges them on the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.devices import (
    SECTIONS,
    Netplan,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.shapes import ShapeChecker, Spec

# The keys of a device that the planner's checks and expectations read.
_DEVICE_KEYS: Mapping[str, Spec] = {
    "id": {"type": "int"},
    "link": {"type": "str"},
    "mtu": {"type": "int"},
    "gateway4": {"type": "str"},
    "gateway6": {"type": "str"},
    "interfaces": {"type": "list", "elements": "str"},
    "addresses": {"type": "list", "elements": "raw"},
    "routes": {"type": "list", "elements": "raw"},
}
_ROUTE_KEYS: Mapping[str, Spec] = {
    "to": {"type": "str"},
    "via": {"type": "str"},
    "table": {"type": "int"},
    "metric": {"type": "int"},
    "on-link": {"type": "bool"},
}


def plain(value: object, path: str, problems: list[Problem]) -> Any:
    """Return value as JSON has it, keys as strings; what cannot be said so is a problem."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{path}.{key}", problems) for key, item in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | range):
        return [plain(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]
    wrong = f"is of type {type(value).__name__}, which is not plain data"
    right = "Give text, numbers, lists or dictionaries: quote a date, call a macro, add | list"
    problems.append(Problem(path, None, wrong, right))
    return None


def readable(netplan: Mapping[str, Any], path: str, problems: list[Problem]) -> Netplan:
    """Return netplan's keys with every section and device in its shape, empty ones left out.

    netplan: what stands below netplan's `network` key; path: where that is written
    """
    found: Netplan = {}
    for key, value in plain(netplan, path, problems).items():
        if key not in SECTIONS:
            found[key] = value
        elif value is not None:
            found[key] = _devices(value, f"{path}.{key}", problems)
    return found


def _devices(section: object, path: str, problems: list[Problem]) -> Netplan:
    shapes = ShapeChecker()
    found: Netplan = {}
    for name, settings in shapes.check({"type": "dict"}, section, path).items():
        place = f"{path}.{name}"
        given = shapes.check({"type": "dict"}, {} if settings is None else settings, place)
        device = _in_shape(_DEVICE_KEYS, given, place, shapes)
        if "routes" in device:
            routes = [
                _route(route, f"{place}.routes[{index}]", shapes)
                for index, route in enumerate(device["routes"])
            ]
            device["routes"] = [route for route in routes if "to" in route]
        found[name] = device
    problems += shapes.problems
    return found


def _route(route: object, path: str, shapes: ShapeChecker) -> Netplan:
    if not isinstance(route, Mapping):
        shapes.check({"type": "dict"}, route, path)
        return {}
    if route.get("to") is None:
        right = "Give default or a CIDR"
        shapes.problems.append(Problem(f"{path}.to", None, "is missing", right))
    return _in_shape(_ROUTE_KEYS, route, path, shapes)


def _in_shape(
    keys: Mapping[str, Spec], given: Mapping[str, Any], path: str, shapes: ShapeChecker
) -> Netplan:
    return {
        key: shapes.check(keys[key], value, f"{path}.{key}") if key in keys else value
        for key, value in given.items()
        if value is not None
    }
