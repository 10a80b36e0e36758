# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One planning run: variables and store in, a stored plan out; the only place that joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.handover_text import (
    handover_texts,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import (
    Planned,
    make_plan,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import IntentError
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    FolderStore,
    StoredPlan,
    write_plan_files,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.variables import FleetVariables

Nics = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PlanningRun:
    """What a run came to.

    stored: where the plan lies; before: the ledger and the plan that were there
    """

    model: Model
    planned: Planned
    stored: StoredPlan
    ledger_before: Ledger
    plan_before: StoredPlan | None

    @property
    def changed(self) -> bool:
        """Whether the ledger or the plan differs from what was in the store."""
        new_plan = self.plan_before is None or self.plan_before.sha256 != self.stored.sha256
        return new_plan or self.planned.ledger != self.ledger_before


def plan_fleet(variables: FleetVariables, store: FolderStore, preview: Path | None) -> PlanningRun:
    """Plan the fleet. Raises IntentError with every problem, StoreError, LedgerError.

    preview: a scratch folder for the plan; then nothing is written to the store (check mode)
    """
    model, problems = read_intent(variables.fleet, variables.hosts, variables.groups)
    facts = _facts(variables, model, store.read_facts())
    if variables.problems or problems:
        found = _without_echo(variables, problems)
        if all(item.host for item in found):
            # The networks are sound, so that the hosts that can be read are checked all the same.
            found += make_plan(model, store.read_ledger(), facts).problems
        raise IntentError(found)
    before = store.current_plan()
    if preview is not None:
        ledger = store.read_ledger()
        planned = _planned(model, ledger, facts)
        stored = StoredPlan(planned.sha256(), preview)
        write_plan_files(preview, planned.fleet, planned.hosts, _handover(planned))
        return PlanningRun(model, planned, stored, ledger, before)

    read: list[Ledger] = []

    def change(ledger: Ledger) -> tuple[Ledger, Planned]:
        read.append(ledger)
        planned = _planned(model, ledger, facts)
        return planned.ledger, planned

    _ledger, planned = store.update(change)
    stored = store.write_plan(planned.sha256(), planned.fleet, planned.hosts, _handover(planned))
    return PlanningRun(model, planned, stored, read[-1], before)


def _handover(planned: Planned) -> dict[str, str]:
    return handover_texts(planned.fleet, planned.hosts)


def _planned(model: Model, ledger: Ledger, facts: Mapping[str, Nics]) -> Planned:
    planned = make_plan(model, ledger, facts)
    if planned.problems:
        raise IntentError(planned.problems)
    return planned


def _facts(variables: FleetVariables, model: Model, kept: Mapping[str, Nics]) -> dict[str, Nics]:
    """Return each host's NICs: as told in this run, as listed in the inventory, as last told."""
    facts: dict[str, Nics] = {}
    for name, host in model.hosts.items():
        if name in variables.measured:
            facts[name] = variables.measured[name]
        elif host.nics is not None:
            facts[name] = [dict(nic) for nic in host.nics]
        elif name in kept:
            facts[name] = kept[name]
    return facts


def _without_echo(variables: FleetVariables, problems: list[Any]) -> list[Any]:
    """Join both lists of problems; a variable that could not be read is not "missing" as well."""
    unread = {(item.host, item.path) for item in variables.problems}
    echo = [item for item in problems if (item.host, item.path) not in unread]
    return variables.problems + echo
