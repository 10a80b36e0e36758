# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the way to this host's firewalld: over D-Bus, on disk, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.respawn import (
    has_respawned,
    probe_interpreters_for_module,
    respawn_module,
)

from .firewalld_bindings import MODULES, PACKAGE, check_version, missing_bindings
from .firewalld_bus import BusDoor
from .firewalld_door import Door, FirewalldError, NotRunning, Refused
from .firewalld_offline import OfflineDoor

# where distributions put the Python that their packages' modules are for
_INTERPRETERS = (
    "/usr/libexec/platform-python",
    "/usr/bin/python3",
    "/usr/bin/python3.9",
    "/usr/bin/python3.11",
    "/usr/bin/python3.12",
    "/usr/bin/python3.13",
    "/usr/bin/python",
)


def open_door(module_params: Mapping[str, Any]) -> Door:
    """Open the door to this host's firewalld.

    Where this interpreter has no bindings the module starts anew under one that has; then this
    does not return.

    :param module_params: ``timeout`` (seconds for one D-Bus call) and ``offline`` (whether the
        configuration on disk may be written while firewalld does not run).
    :raises FirewalldError: no bindings, not running, too old, or on a configuration that it could
        not load.
    """
    _need_bindings()
    try:
        door = BusDoor(float(module_params.get("timeout") or 120))
    except NotRunning:
        if not module_params.get("offline"):
            raise
        offline = OfflineDoor()
        check_version(offline.version())
        return offline
    check_version(door.version())
    _refuse_failed(door)
    return door


def _need_bindings() -> None:
    reason = missing_bindings()
    if reason is None:
        return
    if not has_respawned():
        for name in MODULES:
            interpreter = probe_interpreters_for_module(list(_INTERPRETERS), name)
            if interpreter is None:
                break
        else:
            respawn_module(interpreter)
    text = missing_required_lib(
        "dbus and firewall",
        reason=f"to speak with firewalld: install the package {PACKAGE} (its name on Debian,"
        " Ubuntu, Red Hat Enterprise Linux, Fedora and their kin alike)",
    )
    raise FirewalldError(f"{text} ({reason})")


def _refuse_failed(door: BusDoor) -> None:
    """A firewalld that could not load its configuration runs on its stock one: whatever is read
    from it says nothing about this host.
    """
    if door.state() != "FAILED":
        return
    door.check_permanent()
    raise Refused(
        "RUNNING_BUT_FAILED",
        "firewalld runs on its stock configuration, since it could not load what was on disk when"
        " it started. What is on disk now would load: reload it ('firewall-cmd --reload'), then run"
        " again.",
    )
