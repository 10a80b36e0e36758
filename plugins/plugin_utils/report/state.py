# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host, or a host on one network, can come to when it is measured against the plan."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """A state, from the one that hides nothing to the one that nothing hides.

    The order counts: of several states the last in this list is the one to show.
    """

    ABSENT = "-"  # the host is not on the network
    PROVISIONING = "provisioning"  # not configured yet, so there is nothing to measure
    NOT_ASKED = "not asked"  # outside of --limit, or no longer in the inventory
    OK = "ok"
    DEGRADED = "degraded"  # works, but not as planned: one cut link of a bond
    NOT_MEASURED = "not measured"  # asked, and there is no answer
    FAILED = "failed"

    @property
    def trouble(self) -> bool:
        """Whether somebody has to look at it."""
        return self in (State.DEGRADED, State.NOT_MEASURED, State.FAILED)

    @property
    def rank(self) -> int:
        """The place in the order above."""
        return _RANKS[self]


_RANKS = {state: rank for rank, state in enumerate(State)}


def worst(states: Iterable[State]) -> State:
    """Return the worst of the states, ABSENT if there are none."""
    return max(states, key=lambda state: state.rank, default=State.ABSENT)
