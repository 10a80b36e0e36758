# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the NICs that nothing configures any more once the obsolete files of others are gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from .netplan_conflicts import Rule, candidate, networkd_rules
from .netplan_generate import Generated
from .nics import Nic


def orphans(
    before: Generated,
    after: Generated,
    nics: Iterable[Nic],
    root: Path,
    ever: Collection[str] = (),
) -> tuple[str, ...]:
    """The NICs that the obsolete files configure, and that no file configures without them.

    :param before: what netplan makes of the files that are there, obsolete ones included.
    :param after: what it makes of those that will be.
    :param root: below it are networkd's folders, whose own rules count as well.
    :param ever: NICs that an earlier run, which died, has found.
    """
    gone = [
        rule for rule in _rules(before) if rule.name not in {each.name for each in _rules(after)}
    ]
    stay = [*_rules(after), *networkd_rules(root)]
    return tuple(
        sorted(
            nic.name
            for nic in map(candidate, nics)
            if (nic.name in ever or any(rule.matches(nic) for rule in gone))
            and not any(rule.matches(nic) for rule in stay)
        )
    )


def _rules(generated: Generated) -> list[Rule]:
    return [
        Rule(name, "", parts["network"])
        for name, parts in generated.units.items()
        if "network" in parts
    ]
