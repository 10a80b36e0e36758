# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the configuration of a firewalld that does not run, through firewalld's own classes.

firewall-offline-cmd goes the same way: firewall.core.fw.Firewall(offline=True) and its ``config``
(firewall/core/fw_config.py, read in 1.3.3).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .firewalld_bindings import (
    IPSET_KEYS,
    binding,
    from_firewalld,
    is_built_in,
    normal_rich_rule,
    refusal,
    to_firewalld,
)
from .firewalld_disk import quiet, told_with_file
from .firewalld_door import Direct, Door, NotRunning, Refused, Settings


@dataclass(frozen=True)
class _Kind:
    """How firewalld's FirewallConfig calls what is done with a kind."""

    names: str
    find: str
    new: str
    change: str
    remove: str
    defaults: str


_KINDS = {
    "zone": _Kind(
        "get_zones",
        "get_zone",
        "new_zone_dict",
        "set_zone_config_dict",
        "remove_zone",
        "load_zone_defaults",
    ),
    "policy": _Kind(
        "get_policy_objects",
        "get_policy_object",
        "new_policy_object_dict",
        "set_policy_object_config_dict",
        "remove_policy_object",
        "load_policy_object_defaults",
    ),
    "ipset": _Kind(
        "get_ipsets",
        "get_ipset",
        "new_ipset",
        "set_ipset_config",
        "remove_ipset",
        "load_ipset_defaults",
    ),
    "service": _Kind(
        "get_services",
        "get_service",
        "new_service_dict",
        "set_service_config_dict",
        "remove_service",
        "load_service_defaults",
    ),
}

_NO_RUNTIME = "firewalld does not run, so there is nothing to change but its configuration on disk."


class OfflineDoor(Door):
    """See Door. What it writes takes effect when firewalld starts.

    :raises Refused: the configuration on disk would not load.
    """

    live = False

    def __init__(self) -> None:
        quiet()
        self._firewall = binding("firewall.core.fw").Firewall(offline=True)
        with told_with_file(), _refusing("the configuration on disk"):
            self._firewall.start()
        self._config = self._firewall.config

    # --- reading ----------------------------------------------------------------------------------

    def permanent(self, kind: str, name: str) -> Settings | None:
        """See Door."""
        if name not in self.names(kind, permanent=True):
            return None
        return from_firewalld(kind, self._settings(kind, self._find(kind, name)))

    def _find(self, kind: str, name: str) -> Any:
        return getattr(self._config, _KINDS[kind].find)(name)

    def _settings(self, kind: str, item: Any) -> Settings:
        if kind == "ipset":
            return dict(zip(IPSET_KEYS, item.export_config()))
        found: Settings = item.export_config_dict()
        if kind == "zone" and found.get("target") == self._default_target():
            found["target"] = "default"
        return found

    @staticmethod
    def _default_target() -> str:
        return str(binding("firewall.core.base").DEFAULT_ZONE_TARGET)

    def runtime(self, kind: str, name: str) -> Settings | None:
        """See Door."""
        del kind, name
        return None

    def names(self, kind: str, permanent: bool) -> list[str]:
        """See Door."""
        return sorted(getattr(self._config, _KINDS[kind].names)()) if permanent else []

    def default_zone(self) -> str:
        """See Door."""
        return str(self._firewall.get_default_zone())

    def backend(self) -> str:
        """See Door."""
        config = binding("firewall.config")
        conf = binding("firewall.core.io.firewalld_conf").firewalld_conf(config.FIREWALLD_CONF)
        with contextlib.suppress(OSError):
            # without the file firewalld goes by its defaults
            conf.read()
        return str(conf.get("FirewallBackend") or config.FALLBACK_FIREWALL_BACKEND)

    def version(self) -> str:
        """See Door."""
        return str(binding("firewall.config").VERSION)

    def icmp_types(self) -> list[str]:
        """See Door."""
        return sorted(self._config.get_icmptypes())

    def bindings(self) -> dict[str, dict[str, list[str]]]:
        """See Door."""
        zones = {name: self._find("zone", name) for name in self.names("zone", permanent=True)}
        return {
            name: {"interfaces": list(zone.interfaces), "sources": list(zone.sources)}
            for name, zone in zones.items()
            if zone.interfaces or zone.sources
        }

    def permanent_zone_of(self, what: str, name: str) -> str | None:
        """See Door."""
        key = {"interface": "interfaces", "source": "sources"}[what]
        holding = [zone for zone, bound in self.bindings().items() if name in bound[key]]
        return holding[0] if holding else None

    def normal_rich_rule(self, text: str) -> str:
        """See Door."""
        return normal_rich_rule(text)

    # --- writing ----------------------------------------------------------------------------------

    def write_permanent(self, kind: str, name: str, settings: Settings) -> None:
        """See Door."""
        wanted = to_firewalld(kind, settings)
        if kind == "zone":
            self._refuse_conflicts(name, wanted)
            if wanted.get("target") == "default":
                wanted["target"] = self._default_target()
        with _refusing(f"to write the {kind} {name}"):
            if name not in self.names(kind, permanent=True):
                getattr(self._config, _KINDS[kind].new)(name, self._whole(kind, {}, wanted))
                return
            item = self._find(kind, name)
            values = self._whole(kind, self._settings(kind, item), wanted)
            getattr(self._config, _KINDS[kind].change)(item, values)

    @staticmethod
    def _whole(kind: str, before: Settings, wanted: Settings) -> Any:
        """What firewalld's methods take: ipsets as a whole tuple, all others as a dict of parts."""
        if kind != "ipset":
            return wanted
        empty: Settings = {"options": {}, "entries": []}
        return tuple({**empty, **before, **wanted}.get(key, "") for key in IPSET_KEYS)

    def _refuse_conflicts(self, name: str, wanted: Settings) -> None:
        """As the daemon does it; the classes alone would bind to two zones."""
        for what in ("interface", "source"):
            for bound in wanted.get(f"{what}s", []):
                holder = self.permanent_zone_of(what, bound)
                if holder not in (None, name):
                    raise refusal(
                        f"the {what} {bound} for the zone {name}",
                        f"ZONE_CONFLICT: '{bound}' already bound to '{holder}'",
                    )

    def remove_permanent(self, kind: str, name: str) -> None:
        """See Door."""
        if name not in self.names(kind, permanent=True):
            return
        item = self._find(kind, name)
        if kind == "service" and item.default and not item.builtin:
            self.forget_service(name)
        try:
            self._do_remove(_KINDS[kind].remove, kind, name)
        except Refused as refused:
            if not is_built_in(refused):
                raise
            self._load_defaults(kind, name)

    def _do_remove(self, method: str, kind: str, name: str) -> None:
        with _refusing(f"to remove the {kind} {name}"):
            getattr(self._config, method)(self._find(kind, name))

    def _load_defaults(self, kind: str, name: str) -> None:
        try:
            self._do_remove(_KINDS[kind].defaults, kind, name)
        except Refused as refused:
            if refused.code != "NO_DEFAULTS":  # it is as it was built
                raise

    def set_runtime(self, kind: str, name: str, settings: Settings) -> None:
        """See Door."""
        del kind, name, settings
        raise NotRunning(_NO_RUNTIME)

    def move(self, what: str, name: str, zone: str) -> None:
        """See Door."""
        del what, name, zone
        raise NotRunning(_NO_RUNTIME)

    # --- the whole --------------------------------------------------------------------------------

    def check_permanent(self) -> None:
        """See Door."""
        check = binding("firewall.core.io.functions").check_on_disk_config
        with told_with_file(), _refusing("the configuration on disk"):
            check(self._firewall)

    def reload(self) -> None:
        """Nothing to bring to no runtime."""

    def direct(self) -> Direct:
        """See Door."""
        return Direct()

    def set_direct(self, rules: Direct) -> None:
        """See Door."""
        if rules:
            raise NotRunning(_NO_RUNTIME)


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Tell what firewalld's classes raise as a refusal."""
    errors = binding("firewall.errors")
    try:
        yield
    except errors.FirewallError as error:
        raise refusal(what, str(error)) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise refusal(what, f"INVALID_VALUE: {error}") from error
    except SystemExit as error:
        # Firewall.start() ends the process where not even its own defaults load
        raise refusal(what, "firewalld's own defaults cannot be loaded") from error
