# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run's store and plan are: the one rule for all plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    FolderStore,
    StoreError,
)

# The inventory plugin passes over names with a leading dot, so the store can lie beside the hosts.
FOLDER = ".underlay"


def store_folder(variables: Mapping[str, Any], argument: str | None = None) -> Path:
    """Return the store's folder: the argument, or else FOLDER beside the inventory.

    Raises StoreError where there is neither, as with an inventory from a command line's list.
    """
    if argument:
        return Path(argument).expanduser()
    inventory = variables.get("inventory_dir")
    if not inventory:
        raise StoreError("this inventory has no folder: set underlay_store to the store's folder")
    return Path(str(inventory)) / FOLDER


def plan_folder(variables: Mapping[str, Any], store: Path) -> Path:
    """Return the folder of this run's plan; where the run made none, of the plan stored last."""
    made = variables.get("underlay_plan")
    if made:
        return Path(str(made["folder"]))
    current = FolderStore(store).current_plan()
    if current is None:
        raise StoreError(f"there is no plan in {store}: run playbooks/plan.yml first")
    return current.folder
