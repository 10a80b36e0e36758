# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a firewall role stands for: Pharos' master, worker and `*`, or an inventory group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.underlay.cluster.plugins.plugin_utils.firewall_model import EVERYBODY
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_order


class Roles:
    """The roles of one fleet. A group of the same name as a role of Pharos is not asked."""

    def __init__(self, model: Model) -> None:
        self._groups: Mapping[str, frozenset[str]] = model.groups
        self._named = model.firewall.groups
        self._nodes = model.services.node_groups
        self._everybody = model.everybody

    @property
    def known(self) -> list[str]:
        """Every word that may stand for a role."""
        groups = [name for name, hosts in self._groups.items() if hosts and name not in self._named]
        return [EVERYBODY, *self._named, *natural_order(groups)]

    def is_known(self, role: str) -> bool:
        """Say whether a role means anything here, though it may have no host."""
        return role == EVERYBODY or role in self._named or role in self._groups

    def hosts(self, role: str) -> frozenset[str]:
        """Return the role's hosts of the fleet; none for a word that is not known."""
        if role == EVERYBODY:
            return self._everybody
        found: frozenset[str] = frozenset()
        for group in self._named.get(role, (role,)):
            found |= self._groups.get(group, frozenset())
        return found

    def hosts_of_all(self, roles: Iterable[str]) -> frozenset[str]:
        """Return the hosts that have any of the roles."""
        return frozenset[str]().union(*(self.hosts(role) for role in roles))

    def nodes(self, kind: str) -> frozenset[str]:
        """Return the hosts of a kind of node: manager, controller, compute or storage."""
        found = frozenset[str]()
        for group in self._nodes.get(kind, ()):
            found |= self._groups.get(group, frozenset())
        return found
