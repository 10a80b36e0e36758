# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order of names as people read them: enp9s0f2 before enp9s0f10."""

from __future__ import annotations

import re

NaturalKey = tuple[tuple[int, int, str], ...]
_PARTS = re.compile(r"\d+|\D+")


def natural_key(name: str) -> NaturalKey:
    """Return a sort key in which runs of digits count as numbers.

    The name itself does not take part, so names such as eth1 and eth01 give equal keys: a tie that
    the caller can tell.
    """
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _PARTS.findall(name)
    )


def natural_order(names: list[str]) -> list[str]:
    """Return the names in natural order, the same for any order they come in."""
    return sorted(names, key=lambda name: (natural_key(name), name))
