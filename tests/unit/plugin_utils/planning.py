# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an intent to its plan, as the action plugin goes."""

from __future__ import annotations

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import (
    Planned,
    make_plan,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem, describe
from tests.unit.plugin_utils.mutations import Intent


def attempt(intent: Intent, ledger: Ledger | None = None) -> Planned:
    """The plan, or the problems that keep it from being one; reading stops before planning."""
    model, problems = read_intent(intent.fleet, intent.hosts, intent.groups)
    ledger = Ledger() if ledger is None else ledger
    if problems:
        return Planned({}, {}, ledger, problems)
    facts = {name: host.nics for name, host in model.hosts.items() if host.nics is not None}
    return make_plan(model, ledger, facts)


def plan(intent: Intent, ledger: Ledger | None = None) -> Planned:
    """The plan of an intent that is expected to be good."""
    planned = attempt(intent, ledger)
    assert not planned.problems, describe(planned.problems)
    return planned


def problems_of(intent: Intent, ledger: Ledger | None = None) -> list[Problem]:
    return attempt(intent, ledger).problems
