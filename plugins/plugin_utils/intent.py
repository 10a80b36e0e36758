# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From raw variables to the model: shapes first, then values, all problems together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.underlay.cluster.plugins.plugin_utils.firewall_model import (
    FIREWALL,
    PODS,
    Firewall,
    FirewallReader,
    PodNetwork,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Model,
    Network,
    Reader,
    Template,
    Vip,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.checks import (
    check_networks,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.firewall_checks import (
    check_firewall,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.macros import is_templated
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    BGP,
    NODE_GROUPS,
    PXE,
    ServicesReader,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.shapes import (
    ShapeChecker,
    Spec,
    label,
)

ROLES = Path(__file__).parents[2] / "roles"
# Variables of the fleet: the same for every host.
_NETWORKS = ("underlay_networks", "underlay_vips")
_SERVICES = (BGP, PXE, NODE_GROUPS)
FLEET_VARIABLES = (*_NETWORKS, FIREWALL, PODS, *_SERVICES)
# Variables of a host.
HOST_VARIABLES = (
    "underlay_rack",
    "underlay_wanted_addresses",
    "underlay_nics",
    "underlay_l2_template",
    "underlay_cluster",
    "underlay_state",
    "underlay_boot",
    "underlay_bmc",
)
# What is read of an L2 template before its strings are rendered, as its macros depend on it.
_READ_FIRST = {"nics": ("name", "match", "count"), "attach": ("network", "address")}

Variables = Mapping[str, Any]
Groups = Mapping[str, Iterable[str]]


@cache
def intent_options() -> dict[str, Spec]:
    """Return the shapes of the variables, from the role's argument spec."""
    file = ROLES / "plan" / "meta" / "argument_specs.yml"
    spec = yaml.safe_load(file.read_text("utf-8"))
    options: dict[str, Spec] = spec["argument_specs"]["intent"]["options"]
    return options


def read_intent(
    fleet: Variables, hosts: Mapping[str, Variables], groups: Groups | None = None
) -> tuple[Model, list[Problem]]:
    """Return the model and everything that keeps the variables from being one.

    fleet: FLEET_VARIABLES; hosts: name -> HOST_VARIABLES. Templates are dictionaries here, already
    loaded where the variable named a file. groups: the inventory's groups with their hosts. With
    problems, the model is of no use.
    """
    return _IntentReader().read(fleet, hosts, groups or {})


class _IntentReader:
    def __init__(self) -> None:
        self._options = intent_options()
        self._problems: list[Problem] = []
        self._values = Reader()
        self._of_services = ServicesReader()
        # Hosts of a group share one object; 1,000 hosts need not have it checked 1,000 times.
        self._checked: dict[tuple[str, int], tuple[object, Any, list[Problem]]] = {}

    def read(
        self, fleet: Variables, hosts: Mapping[str, Variables], groups: Groups
    ) -> tuple[Model, list[Problem]]:
        raw = {name: self._shape(name, fleet.get(name)) for name in _NETWORKS}
        networks: dict[str, Network] = {}
        vips: tuple[Vip, ...] = ()
        if not self._problems:  # or there would be nothing to read values from
            networks = self._values.networks(raw["underlay_networks"])
            vips = self._values.vips(raw["underlay_vips"])
        firewall, pod_network = self._firewall(fleet)
        services = self._of_services.services(self._sound(_SERVICES, fleet))
        members = {name: self._host(name, variables) for name, variables in hosts.items()}
        everybody = frozenset(hosts)
        model = Model(
            networks,
            vips,
            {name: host for name, host in members.items() if host},
            firewall,
            pod_network,
            {name: everybody.intersection(found) for name, found in groups.items()},
            everybody,
            services,
        )
        problems = self._problems + self._values.problems + self._of_services.problems
        if problems:
            # The planner will not see this model; what it lacks besides is told now.
            told = {problem.path for problem in problems}
            more = check_networks(networks) + check_firewall(model)
            problems += [item for item in more if item.path not in told]
        return model, problems

    def _firewall(self, fleet: Variables) -> tuple[Firewall, PodNetwork | None]:
        raw = self._sound((FIREWALL, PODS), fleet)
        reader = FirewallReader()
        found = reader.firewall(raw[FIREWALL]), reader.pod_network(raw[PODS])
        self._problems += reader.problems
        return found

    def _sound(self, names: Iterable[str], fleet: Variables) -> dict[str, Any]:
        """Return variables in their shapes; None for one that is not, as no value is read of it."""
        raw = {}
        for name in names:
            before = len(self._problems)
            checked = self._shape(name, fleet.get(name))
            raw[name] = checked if len(self._problems) == before else None
        return raw

    def _host(self, name: str, variables: Variables) -> Host | None:
        before = len(self._problems)
        if "/" in name:
            # The ledger knows VIPs by names with a slash.
            right = "Give the host a name without one"
            self._problems.append(Problem("inventory_hostname", name, "has a slash", right, name))
        raw = {key: self._shape(key, variables.get(key), name) for key in HOST_VARIABLES}
        if len(self._problems) == before:
            self._problems += _rendered_too_late(raw["underlay_l2_template"], name)
        if len(self._problems) > before:
            return None
        nics = raw["underlay_nics"] if variables.get("underlay_nics") is not None else None
        template = raw["underlay_l2_template"]
        return Host(
            name=name,
            rack=raw["underlay_rack"],
            template=Template(
                template,
                self._options["underlay_l2_template"],
                is_templated(template),
            ),
            wanted=self._values.wanted(name, raw["underlay_wanted_addresses"]),
            nics=tuple(nics) if nics is not None else None,
            cluster=raw["underlay_cluster"],
            state=raw["underlay_state"],
            boot=self._of_services.boot(name, raw["underlay_boot"]),
            bmc=self._of_services.bmc(name, raw["underlay_bmc"]),
        )

    def _shape(self, name: str, value: object, host: str = "") -> Any:
        """Return a variable in its shape; no object is checked a second time."""
        spec = self._options[name]
        if value is None:
            if spec.get("required"):
                meaning = spec["description"].split(". ")[0].rstrip(".")
                right = f"Set it in the inventory: {meaning[0].lower()}{meaning[1:]}"
                self._problems.append(Problem(name, None, "is missing", right, host))
            if spec.get("default") != {}:
                return [] if spec["type"] == "list" else spec.get("default")
            value = spec["default"]  # its own options have defaults
        key = name, id(value)
        if key not in self._checked:
            checker = ShapeChecker(templated=name == "underlay_l2_template")
            # The object is kept too: its id is its own only while it lives.
            self._checked[key] = (value, checker.check(spec, value, name), checker.problems)
        _value, checked, problems = self._checked[key]
        self._problems += [
            Problem(item.path, item.value, item.wrong, item.right, host) for item in problems
        ]
        return checked


def _rendered_too_late(template: Any, host: str) -> Iterator[Problem]:
    """Yield a problem for each place that must be plain and has Jinja2 in it."""

    def problem(path: str, value: object) -> Problem:
        right = "Write it out: NIC groups and attached networks are read before macros are rendered"
        return Problem(path, value, "cannot be rendered", right, host)

    path = "underlay_l2_template"
    if isinstance(template, str):
        yield problem(path, template)
        return
    for key, read_first in _READ_FIRST.items():
        items = template[key]
        if isinstance(items, str):
            yield problem(f"{path}.{key}", items)
            continue
        for index, item in enumerate(items):
            place = f"{path}.{key}[{label(item, index)}]"
            if isinstance(item, str):
                yield problem(place, item)
                continue
            for inner in read_first:
                if is_templated(item[inner]):
                    yield problem(f"{place}.{inner}", item[inner])
