# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's variables out of Ansible's hostvars: read once, raw where macros stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import (
    FLEET_VARIABLES,
    HOST_VARIABLES,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.macros import is_templated
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

# The fact that the planner hands out: service -> address.
OUTPUT = "underlay_addresses"


class HostVars(Protocol):
    """What is used of Ansible's hostvars."""

    def raw_get(self, host_name: str) -> Mapping[str, Any]:
        """Return a host's variables as they are written."""

    def __getitem__(self, host_name: str) -> Mapping[str, Any]:
        """Return a host's variables, rendered on access."""


@dataclass(slots=True)
class FleetVariables:
    """What the planner reads.

    fleet, hosts: the variables by name; measured: host -> the NICs that it told in this run
    groups: the inventory's groups with all their hosts
    """

    fleet: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    measured: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    groups: Mapping[str, Iterable[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class VariableReader:
    """Reads the variables of a list of hosts.

    Strings of L2 templates stay as they are: their macros are the planner's, not Ansible's.
    failures: the exceptions by which the templating of a variable fails
    """

    def __init__(self, hostvars: HostVars, failures: tuple[type[Exception], ...]) -> None:
        self._hostvars = hostvars
        self._failures = failures
        self._files: dict[Path, Any] = {}
        self._read = FleetVariables()

    def read(self, names: Iterable[str]) -> FleetVariables:
        """Return everything, with the problems of what could not be read."""
        first: Mapping[str, Any] = {}
        first_name = ""
        for name in names:
            raw = self._hostvars.raw_get(name)
            if not first:
                first, first_name = raw, name
                for key in FLEET_VARIABLES:
                    self._read.fleet[key] = self._value(key, name, raw, "")
            self._same_for_all(first_name, first, name, raw)
            self._no_output_as_input(name, raw)
            self._read.hosts[name] = {
                key: self._value(key, name, raw, name) for key in HOST_VARIABLES
            }
            nics = raw.get("ansible_facts", {}).get("underlay_nic_facts")
            if nics is not None:
                self._read.measured[name] = nics
        return self._read

    def _value(self, key: str, name: str, raw: Mapping[str, Any], host: str) -> Any:
        value = raw.get(key)
        if key == "underlay_l2_template" and not isinstance(value, str):
            return value
        if is_templated(value):
            try:
                value = self._hostvars[name][key]
            except self._failures as error:
                right = "Define what it uses, or correct the expression"
                self._problem(key, raw.get(key), f"cannot be rendered: {error}", right, host)
                return None
        if key == "underlay_l2_template" and isinstance(value, str):
            return self._template_file(value, raw, host)
        return value

    def _template_file(self, path: str, raw: Mapping[str, Any], host: str) -> Any:
        file = Path(str(raw.get("inventory_dir") or ".")) / path
        if file not in self._files:
            try:
                self._files[file] = yaml.safe_load(file.read_text("utf-8"))
            except (OSError, ValueError, yaml.YAMLError) as error:
                self._files[file] = error
        found = self._files[file]
        if isinstance(found, Exception):
            right = (
                "Give a template, or the path of a YAML file with one, from the inventory's folder"
            )
            self._problem("underlay_l2_template", path, f"cannot be read: {found}", right, host)
            return None
        return found

    def _same_for_all(
        self, first_name: str, first: Mapping[str, Any], name: str, raw: Mapping[str, Any]
    ) -> None:
        for key in FLEET_VARIABLES:
            if raw.get(key) is not first.get(key) and raw.get(key) != first.get(key):
                wrong = f"differs from what {first_name} has"
                right = "Set it once, in the variables of the group underlay"
                self._problem(key, None, wrong, right, name)

    def _no_output_as_input(self, name: str, raw: Mapping[str, Any]) -> None:
        """Refuse wishes under the name of what is handed out; a kept fact of that name is none."""
        given = raw.get(OUTPUT)
        if given is not None and not isinstance(given, Mapping):
            wrong = "is set by the planner, and no wish for addresses any more"
            self._problem(OUTPUT, None, wrong, "Call it underlay_wanted_addresses", name)

    def _problem(self, path: str, value: object, wrong: str, right: str, host: str) -> None:
        self._read.problems.append(Problem(path, value, wrong, right, host))
