# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a host's NICs belong to which group of its L2 template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_key
from ansible_collections.underlay.cluster.plugins.plugin_utils.needs import jmespath
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

Nic = Mapping[str, Any]


def in_natural_order(nics: Sequence[Nic]) -> list[Nic]:
    """Return NICs by name as people count them, so that an expression's slice means the same."""
    return sorted(nics, key=lambda nic: (natural_key(nic["name"]), nic["name"]))


def select(
    groups: Sequence[Mapping[str, Any]], nics: Sequence[Nic], host: str
) -> tuple[dict[str, list[Nic]], list[Problem]]:
    """Return the NICs of each group, and the problems of groups that do not get theirs.

    groups: the template's `nics` items; nics: the host's NIC facts
    """
    ordered = in_natural_order(nics)
    chosen: dict[str, list[Nic]] = {}
    problems = []
    for group in groups:
        found, wrong = _matches(group["match"], ordered)
        wrong = wrong or _miscount(found, group["count"]) or _tie(found)
        if wrong:
            path = f"underlay_l2_template.nics[{group['name']}].match"
            right = f"The host's NICs are {_listed(ordered)}"
            problems.append(Problem(path, group["match"], wrong, right, host))
        else:
            chosen[group["name"]] = found
    return chosen, problems


def _matches(expression: str, nics: list[Nic]) -> tuple[list[Nic], str]:
    try:
        found = _compiled(expression).search(nics)
    # Not all that goes wrong is jmespath's own error: a slice's step of 0 and contains() with a
    # number in a string are not.
    except (
        jmespath.exceptions.JMESPathError,
        AttributeError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        first_line = str(error).partition("\n")[0]
        return [], f"is not a JMESPath expression that works here ({first_line})"
    if isinstance(found, Mapping):
        found = [found]
    if not isinstance(found, list):
        return [], "gives something other than NICs"
    # By name: an expression that gives only some of a NIC's keys means the whole NIC.
    by_name = {nic["name"]: nic for nic in nics}
    names = [nic.get("name") if isinstance(nic, Mapping) else None for nic in found]
    if not all(isinstance(name, str) and name in by_name for name in names):
        return [], "gives something other than NICs"
    return [by_name[name] for name in names], ""


def _miscount(found: list[Nic], count: int) -> str:
    if len(found) == count:
        return ""
    if not found:
        return "matches no NIC"
    names = ", ".join(nic["name"] for nic in found)
    few_or_many = "too few" if len(found) < count else "more than wanted, so the choice is a tie"
    return f"matches {len(found)} NICs ({names}), count is {count}: {few_or_many}"


def _tie(found: list[Nic]) -> str:
    keys = [natural_key(nic["name"]) for nic in found]
    if len(set(keys)) == len(keys):
        return ""
    names = ", ".join(nic["name"] for nic in found)
    return f"is a tie: {names} count the same, so their order would be chance"


def _listed(nics: list[Nic]) -> str:
    if not nics:
        return "none"
    return "; ".join(
        " ".join(
            f"{key}={nic[key]}" if key != "name" else str(nic[key])
            for key in ("name", "driver", "bus", "speed", "mac")
            if nic.get(key) is not None
        )
        for nic in nics
    )


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> jmespath.parser.ParsedResult:
    return jmespath.compile(expression)
