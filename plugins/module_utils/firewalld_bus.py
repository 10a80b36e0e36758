# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to a firewalld that runs: whole objects over D-Bus, a call or two for each.

The methods are those of firewall/server/{firewalld,config,config_zone,config_policy,config_ipset,
config_service}.py, read in 1.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .firewalld_bindings import (
    IPSET_KEYS,
    UNKNOWN,
    from_firewalld,
    is_built_in,
    normal_rich_rule,
    refusing,
    to_firewalld,
)
from .firewalld_call import Calls
from .firewalld_disk import told_with_file
from .firewalld_door import Direct, Door, Refused, Settings
from .firewalld_entries import overlap

# As many changes of a set are made one by one, so that calls do not grow with the set
FEW_ENTRIES = 16


@dataclass(frozen=True)
class _Permanent:
    """How a kind's permanent objects are called; methods that take or give settings as a dict."""

    names: str
    find: str
    add: str
    get: str
    update: str
    interface: str


_PERMANENT = {
    "zone": _Permanent(
        "getZoneNames", "getZoneByName", "addZone2", "getSettings2", "update2", ".config.zone"
    ),
    "policy": _Permanent(
        "getPolicyNames", "getPolicyByName", "addPolicy", "getSettings", "update", ".config.policy"
    ),
    "ipset": _Permanent(
        "getIPSetNames", "getIPSetByName", "addIPSet", "getSettings", "update", ".config.ipset"
    ),
    "service": _Permanent(
        "getServiceNames",
        "getServiceByName",
        "addService2",
        "getSettings2",
        "update2",
        ".config.service",
    ),
}
# interface and method that give a kind's runtime settings, and those that list its names
_RUNTIME = {
    "zone": ((".zone", "getZoneSettings2"), (".zone", "getZones")),
    "policy": ((".policy", "getPolicySettings"), (".policy", "getPolicies")),
    "ipset": ((".ipset", "getIPSetSettings"), (".ipset", "getIPSets")),
    "service": (("", "getServiceSettings2"), ("", "listServices")),
}
_SET_RUNTIME = {"zone": "setZoneSettings2", "policy": "setPolicySettings"}
_IPSET = "ssssa{ss}as"


class BusDoor(Door):
    """See Door.

    :param timeout: seconds for each call.
    :raises NotRunning: no firewalld runs.
    """

    live = True

    def __init__(self, timeout: float) -> None:
        self._calls = Calls(timeout)

    @property
    def calls(self) -> int:  # type: ignore[override] # counted elsewhere, read here
        """See Door."""
        return self._calls.count

    # --- reading ----------------------------------------------------------------------------------

    def permanent(self, kind: str, name: str) -> Settings | None:
        """See Door."""
        path = self._find(kind, name)
        return None if path is None else from_firewalld(kind, self._settings(kind, path))

    def _find(self, kind: str, name: str) -> str | None:
        """The path of a permanent object; not kept, as paths go round at each reload."""
        try:
            return str(self._config(_PERMANENT[kind].find, "s", name))
        except Refused as refused:
            if refused.code == UNKNOWN[kind]:
                return None
            raise

    def _settings(self, kind: str, path: str) -> dict[str, Any]:
        how = _PERMANENT[kind]
        found = self._calls.call(path, how.interface, how.get)
        return dict(zip(IPSET_KEYS, found)) if kind == "ipset" else dict(found)

    def _config(self, method: str, signature: str = "", *args: Any) -> Any:
        path = self._calls.names.DBUS_PATH_CONFIG
        return self._calls.call(path, ".config", method, signature, *args)

    def runtime(self, kind: str, name: str) -> Settings | None:
        """See Door."""
        if not name:
            # firewalld would tell of its default zone
            return None
        interface, method = _RUNTIME[kind][0]
        try:
            found = self._calls.call("", interface, method, "s", name)
        except Refused as refused:
            if refused.code == UNKNOWN[kind]:
                return None
            raise
        return from_firewalld(kind, dict(zip(IPSET_KEYS, found)) if kind == "ipset" else found)

    def names(self, kind: str, permanent: bool) -> list[str]:
        """See Door."""
        if permanent:
            return sorted(str(name) for name in self._config(_PERMANENT[kind].names))
        interface, method = _RUNTIME[kind][1]
        return sorted(str(name) for name in self._calls.call("", interface, method))

    def default_zone(self) -> str:
        """See Door."""
        return str(self._calls.call("", "", "getDefaultZone"))

    def backend(self) -> str:
        """See Door."""
        path = self._calls.names.DBUS_PATH_CONFIG
        return str(self._calls.property(path, ".config", "FirewallBackend"))

    def version(self) -> str:
        """See Door."""
        return str(self._calls.property("", "", "version"))

    def state(self) -> str:
        """firewalld's own word for how it is: "RUNNING", "FAILED"."""
        return str(self._calls.property("", "", "state"))

    def icmp_types(self) -> list[str]:
        """See Door."""
        return sorted(str(name) for name in self._calls.call("", "", "listIcmpTypes"))

    def bindings(self) -> dict[str, dict[str, list[str]]]:
        """See Door."""
        active = self._calls.call("", ".zone", "getActiveZones")
        return {
            str(zone): {
                what: [str(name) for name in bound.get(what, [])]
                for what in ("interfaces", "sources")
            }
            for zone, bound in active.items()
        }

    def permanent_zone_of(self, what: str, name: str) -> str | None:
        """See Door."""
        method = {"interface": "getZoneOfInterface", "source": "getZoneOfSource"}[what]
        # where several have it, its answer lists them and then complains
        words = str(self._config(method, "s", name)).split()
        return words[0] if words else None

    def normal_rich_rule(self, text: str) -> str:
        """See Door."""
        return normal_rich_rule(text)

    # --- writing ----------------------------------------------------------------------------------

    def write_permanent(self, kind: str, name: str, settings: Settings) -> None:
        """See Door."""
        with refusing(f"to write the {kind} {name}"):
            self._write(kind, name, to_firewalld(kind, settings))

    def _write(self, kind: str, name: str, wanted: Settings) -> None:
        how = _PERMANENT[kind]
        path = self._find(kind, name)
        if kind == "ipset":
            self._write_ipset(name, path, wanted)
        elif path is None:
            self._config(how.add, "sa{sv}", name, self._calls.typed(wanted))
        else:
            self._calls.call(path, how.interface, how.update, "a{sv}", self._calls.typed(wanted))

    def _write_ipset(self, name: str, path: str | None, wanted: Settings) -> None:
        """ipsets are written whole: a tuple, not a dict."""
        before: dict[str, Any] = {"options": {}, "entries": []}
        if path is not None:
            before = self._settings("ipset", path)
        values = tuple({**before, **wanted}.get(key, "") for key in IPSET_KEYS)
        if path is None:
            self._config("addIPSet", f"s({_IPSET})", name, values)
        else:
            self._calls.call(path, ".config.ipset", "update", f"({_IPSET})", values)

    def remove_permanent(self, kind: str, name: str) -> None:
        """See Door."""
        path = self._find(kind, name)
        if path is None:
            return
        with refusing(f"to remove the {kind} {name}"):
            if kind == "service" and not self._is_built_in(path):
                self.forget_service(name)
            self._remove(path, _PERMANENT[kind].interface)

    def _is_built_in(self, path: str) -> bool:
        """Whether a permanent service came with a package, changed since or not."""
        builtin, default = (
            bool(self._calls.property(path, ".config.service", name))
            for name in ("builtin", "default")
        )
        return builtin or not default

    def _remove(self, path: str, interface: str) -> None:
        try:
            self._calls.call(path, interface, "remove")
        except Refused as refused:
            if not is_built_in(refused):
                raise
            self._load_defaults(path, interface)

    def _load_defaults(self, path: str, interface: str) -> None:
        try:
            self._calls.call(path, interface, "loadDefaults")
        except Refused as refused:
            if refused.code != "NO_DEFAULTS":  # it is as it was built
                raise

    def set_runtime(self, kind: str, name: str, settings: Settings) -> None:
        """See Door."""
        with refusing(f"to set the {kind} {name} at runtime"):
            if kind == "ipset":
                self._set_entries(name, settings["entries"])
                return
            typed = self._calls.typed(to_firewalld(kind, settings))
            self._calls.call("", f".{kind}", _SET_RUNTIME[kind], "sa{sv}", name, typed)

    def _set_entries(self, name: str, entries: list[str]) -> None:
        """Bring a set to entries; a few changes one by one, since setEntries empties the set first.

        For that moment nobody in the set would be let in, and the set may be all of the cluster.
        """
        now = self._calls.call("", ".ipset", "getEntries", "s", name)
        gone, come = sorted(set(now) - set(entries)), sorted(set(entries) - set(now))
        if len(gone) + len(come) > FEW_ENTRIES or overlap(gone, come):
            self._calls.call("", ".ipset", "setEntries", "sas", name, entries)
            return
        for method, changes in (("addEntry", come), ("removeEntry", gone)):
            for entry in changes:
                self._calls.call("", ".ipset", method, "ss", name, entry)

    def move(self, what: str, name: str, zone: str) -> None:
        """See Door."""
        method = {"interface": "changeZoneOfInterface", "source": "changeZoneOfSource"}[what]
        try:
            with refusing(f"to move the {what} {name} to the zone {zone}"):
                self._calls.call("", ".zone", method, "ss", zone, name)
        except Refused as refused:
            if refused.code != "ZONE_ALREADY_SET":
                raise

    # --- the whole --------------------------------------------------------------------------------

    def check_permanent(self) -> None:
        """See Door."""
        with told_with_file():
            self._calls.call("", "", "checkPermanentConfig")

    def reload(self) -> None:
        """See Door."""
        with told_with_file():
            self._calls.call("", "", "reload")

    def direct(self) -> Direct:
        """See Door."""
        chains = self._calls.call("", ".direct", "getAllChains")
        rules = self._calls.call("", ".direct", "getAllRules")
        passthroughs = self._calls.call("", ".direct", "getAllPassthroughs")
        return Direct(
            tuple((str(family), str(table), str(chain)) for family, table, chain in chains),
            tuple(
                (str(family), str(table), str(chain), int(priority), tuple(map(str, words)))
                for family, table, chain, priority, words in rules
            ),
            tuple((str(family), tuple(map(str, words))) for family, words in passthroughs),
        )

    def set_direct(self, rules: Direct) -> None:
        """See Door."""
        missing = rules.without(self.direct()) if rules else rules
        for chain in missing.chains:
            self._calls.call("", ".direct", "addChain", "sss", *chain)
        for rule in missing.rules:
            self._calls.call("", ".direct", "addRule", "sssias", *rule)
        for passthrough in missing.passthroughs:
            self._calls.call("", ".direct", "addPassthrough", "sas", *passthrough)
