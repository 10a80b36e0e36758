# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the firewall module, from its options to its result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .durable import locked
from .errors import HostError
from .firewalld_apply import Means, Result, carry_out, finish_former, refuse_reload
from .firewalld_difference import Work, plan
from .firewalld_door import Door
from .firewalld_guard import WayIn
from .firewalld_guard_reading import hold
from .firewalld_observe import DoorKnown, observe
from .firewalld_options import PLURALS, read
from .firewalld_reload import Restored
from .firewalld_values import address, interface, network
from .firewalld_words import difference
from .ports import parse_port

LOCK = Path("/run/underlay/firewalld.lock")
Guard = Callable[[Door, Work, Sequence[WayIn]], "list[str]"]


def bring_about(
    door: Door,
    params: Mapping[str, Any],
    check: bool,
    means: Means | None = None,
    guard: Guard = hold,
) -> dict[str, Any]:
    """Bring the firewall to what the options say, or only tell what that would take.

    :param check: tell only.
    :return: what the module returns.
    """
    means = means or Means()
    ways = ways_in(params.get("way_in") or ())
    desired = read(params, DoorKnown(door, means.shipped))
    former = Restored() if check else finish_former(door, means)
    work = plan(desired, observe(door, desired))
    if work.reload_reasons:
        refuse_reload(work, params.get("reload") or "careful", door.backend())
    if work.changed and params.get("guard", True):
        _refuse_lock_out(guard(door, work, ways))
    result = Result() if check or not work.changed else carry_out(door, work, means)
    return as_result(door, work, result, former, check)


def _refuse_lock_out(problems: Sequence[str]) -> None:
    if problems:
        raise HostError(
            "This change would cut off a way in that must stay open; nothing was changed.",
            problems,
        )


def ways_in(items: Sequence[Mapping[str, Any]]) -> list[WayIn]:
    """The ways that the user says stay open.

    :raises HostError: with all findings.
    """
    checks: dict[str, Callable[[Any], Any]] = {
        "interface": interface,
        "source": lambda value: network(value) if "/" in value else address(value),
        "port": parse_port,
    }
    told = [
        _told(f"way_in[{index}].{key}", item[key], check)
        for index, item in enumerate(items)
        for key, check in checks.items()
    ]
    problems = [problem for problem in told if problem]
    if problems:
        raise HostError("A way in cannot be as told; nothing was changed.", problems)
    return [WayIn(item["interface"], item["source"], int(item["port"])) for item in items]


def _told(path: str, value: Any, check: Callable[[Any], Any]) -> str | None:
    try:
        check(value)
    except ValueError as error:
        return f"{path}: '{value}': {error}"
    return None


def as_result(
    door: Door, work: Work, result: Result, former: Restored, check: bool
) -> dict[str, Any]:
    """The module's result; in check mode what it would be."""
    restored = [former, result.restored]
    return {
        "changed": work.changed or any(one.firewalld or one.iptables for one in restored),
        "diff": {"before": work.before_text, "after": work.after_text},
        "changes": list(work.changes),
        "reloads": result.reloads if not check else int(bool(work.reload_reasons)),
        "reload_reasons": list(work.reload_reasons),
        "restored": {
            "firewalld": [line for one in restored for line in one.firewalld],
            "iptables": sum(one.iptables for one in restored),
        },
        "notes": [line for one in restored for line in one.warnings],
        "offline": not door.live,
        "dbus_calls": door.calls,
    }


@contextlib.contextmanager
def exclusive_run(check: bool, path: Path = LOCK) -> Iterator[None]:
    """Held while a run reads and writes: two at once would each put back what the other changed.

    Check mode holds nothing, as that would write a file.
    """
    if check:
        yield
        return
    with locked(path):
        yield


# --- reading alone --------------------------------------------------------------------------------


def information(door: Door, wanted: Mapping[str, Sequence[str] | None]) -> dict[str, Any]:
    """Permanent and runtime settings of a firewalld, and where the two differ.

    :param wanted: by the plural of a kind the names to read, None for all of them; a kind that is
        not in it is not read.
    """
    permanent: dict[str, Any] = {}
    runtime: dict[str, Any] = {}
    differences: list[dict[str, Any]] = []
    for kind, plural in PLURALS.items():
        if plural not in wanted:
            continue
        permanent[plural], runtime[plural] = {}, {}
        for name in _names(door, kind, wanted[plural]):
            sides = (door.permanent(kind, name), door.runtime(kind, name) if door.live else None)
            for side, settings in zip((permanent, runtime), sides):
                if settings is not None:
                    side[plural][name] = settings
            if door.live:
                differences += _differing(kind, name, *sides)
    return {
        "permanent": permanent,
        "runtime": runtime,
        "differences": differences,
        "default_zone": door.default_zone(),
        "version": door.version(),
        "backend": door.backend(),
        "running": door.live,
    }


def _names(door: Door, kind: str, wanted: Sequence[str] | None) -> list[str]:
    if wanted is not None:
        return list(dict.fromkeys(wanted))
    live = door.names(kind, permanent=False) if door.live else []
    return sorted({*door.names(kind, permanent=True), *live})


def _differing(
    kind: str, name: str, permanent: dict[str, Any] | None, runtime: dict[str, Any] | None
) -> list[dict[str, Any]]:
    if permanent is None and runtime is None:
        return []
    if permanent is None or runtime is None:
        only = "runtime" if permanent is None else "permanent"
        return [{"kind": kind, "name": name, "only_in": only, "keys": {}}]
    keys = {
        key: {"only_runtime": change["added"], "only_permanent": change["removed"]}
        for key, change in difference(kind, permanent, runtime).items()
    }
    return [{"kind": kind, "name": name, "only_in": "", "keys": keys}] if keys else []
