# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give allocations back to the ledger's free addresses, once, on the controller."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.underlay.cluster.plugins.plugin_utils.difference import (
    ledger_difference,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger, LedgerError
from ansible_collections.underlay.cluster.plugins.plugin_utils.place import store_folder
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    FolderStore,
    StoreError,
)

ARGUMENTS = {
    "owners": {"type": "list", "elements": "str", "required": True},
    "networks": {"type": "list", "elements": "str", "default": []},
    "store": {"type": "path"},
}


class ActionModule(ActionBase):
    """See the module's documentation."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the owners' rows out of the ledger and say which they were."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(ARGUMENTS)
        if not arguments["owners"]:
            wrong = "nobody is named: -e underlay_release=w7,w8 gives back what these hosts hold"
            return {**result, "failed": True, "msg": wrong}
        try:
            store = FolderStore(store_folder(task_vars or {}, arguments["store"]))
            _refuse_unknown(store.read_ledger(), arguments)
            before, after = _release(store, arguments, pretend=self._task.check_mode)
        except (LedgerError, StoreError) as error:
            return {**result, "failed": True, "msg": str(error)}
        if self._task.diff:
            result["diff"] = list(ledger_difference(before, after))
        gone = sorted(set(before.rows()) - set(after.rows()))
        names = ("network", "address", "owner")
        released = [dict(zip(names, row, strict=True)) for row in gone]
        Display().display(_described(released, pretend=self._task.check_mode))
        return {**result, "changed": bool(released), "released": released}


def _described(released: list[dict[str, str]], *, pretend: bool) -> str:
    verb = "Would be given back" if pretend else "Given back"
    rows = [f"  {row['owner']}: {row['address']} on {row['network']}" for row in released]
    return "\n".join([f"{verb}: {len(rows)}", *rows])


def _release(
    store: FolderStore, arguments: dict[str, Any], *, pretend: bool
) -> tuple[Ledger, Ledger]:
    owners, networks = arguments["owners"], arguments["networks"]
    if pretend:
        ledger = store.read_ledger()
        return ledger, ledger.without(owners, networks)

    def change(ledger: Ledger) -> tuple[Ledger, Ledger]:
        return ledger.without(owners, networks), ledger

    after, before = store.update(change)
    return before, after


def _refuse_unknown(ledger: Ledger, arguments: dict[str, Any]) -> None:
    """Refuse a name that the ledger does not have but nearly does; one that is gone is no error."""
    known = {owner for _network, _address, owner in ledger.rows()}
    for name in arguments["owners"]:
        close = get_close_matches(name, known, n=3)
        if name not in known and close:
            raise LedgerError(
                f"the ledger has nothing of {name}; did you mean {' or '.join(close)}?"
            )
    unknown = [name for name in arguments["networks"] if name not in ledger.addresses]
    if unknown:
        raise LedgerError(
            f"the ledger has no network {', '.join(unknown)}; "
            f"it has {', '.join(ledger.addresses) or 'none'}"
        )
