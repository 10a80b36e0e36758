# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reload of firewalld that loses nothing of others.

A reload throws away whatever is in the runtime alone, and with the iptables commands installed it
empties all iptables tables, those of container networks too. So the runtime is noted before, on a
file system that forgets at a reboot as the runtime does, and made the same again after it; a run
that dies in between leaves the note for the next one.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from . import iptables_keeping
from .durable import make_folder, write_file
from .errors import HostError
from .firewalld_door import Direct, Door, Refused, Settings, complete
from .firewalld_goal import AT_RUNTIME
from .firewalld_items import BINDINGS, canonical, extra, goal
from .firewalld_steps import Move, Put, Runtime, Step, steps
from .firewalld_words import difference

KINDS = ("ipset", "zone", "policy")
NOTE = Path("/run/underlay/firewalld-before-reload.json")
# Somebody may have changed the runtime on purpose since; a rerun after a failure comes soon
_NOTE_SECONDS = 3600


@dataclass(frozen=True)
class Snapshot:
    """A runtime: zones, policies and ipsets, direct rules, and what iptables had."""

    objects: dict[str, dict[str, Settings]]
    direct: Direct
    iptables: Any = None

    @property
    def runtime(self) -> Runtime:
        """The objects."""
        return Runtime(self.objects)


@dataclass
class Restored:
    """What was lost of others and put back: firewalld's own items, and iptables rules."""

    firewalld: list[str] = field(default_factory=list)
    iptables: int = 0
    warnings: list[str] = field(default_factory=list)


class Keeping(Protocol):
    """Whoever keeps the iptables rules of others; what is saved is plain data."""

    def save(self) -> Any:
        """What there is now."""

    def put_back(self, saved: Any) -> int:
        """Put back what is gone since; returns how many rules."""


class IptablesKeeping:
    """The iptables commands of this host."""

    def save(self) -> Any:
        """What the commands show."""
        return dataclasses.asdict(iptables_keeping.save())

    def put_back(self, saved: Any) -> int:
        """Put back what is gone since."""
        families = {
            family: {name: iptables_keeping.Table(**table) for name, table in tables.items()}
            for family, tables in saved["families"].items()
        }
        return iptables_keeping.put_back(iptables_keeping.Saved(families))


class Note:
    """The snapshot on disk, from before a reload until everything is put back."""

    def __init__(self, path: Path = NOTE) -> None:
        self._path = path

    def write(self, snapshot: Snapshot) -> None:
        """Keep a snapshot."""
        make_folder(self._path.parent)
        content = {
            "boot": _boot(),
            "written": time.time(),
            "objects": snapshot.objects,
            "direct": dataclasses.asdict(snapshot.direct),
            "iptables": snapshot.iptables,
        }
        write_file(self._path, json.dumps(content))

    def read(self) -> Snapshot | None:
        """The snapshot of a run that died; None when there is none, or an old or damaged one."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            age = time.time() - content["written"]
            if content["boot"] != _boot() or not 0 <= age < _NOTE_SECONDS:
                return None
            direct = {key: _tuples(value) for key, value in content["direct"].items()}
            objects = {
                kind: {
                    name: {key: _items(value) for key, value in settings.items()}
                    for name, settings in named.items()
                }
                for kind, named in content["objects"].items()
            }
            return Snapshot(objects, Direct(**direct), content["iptables"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remove(self) -> None:
        """Forget it."""
        self._path.unlink(missing_ok=True)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _items(value: Any) -> Any:
    return [_tuples(item) for item in value] if isinstance(value, list) else value


def snapshot(door: Door, keeping: Keeping) -> Snapshot:
    """The runtime as it is now."""
    return Snapshot(_objects(door), door.direct(), keeping.save())


def _objects(door: Door) -> dict[str, dict[str, Settings]]:
    found: dict[str, dict[str, Settings]] = {}
    for kind in KINDS:
        for name in door.names(kind, permanent=False):
            settings = door.runtime(kind, name)
            if settings is not None:
                found.setdefault(kind, {})[name] = settings
    return found


def overlaid(before: Snapshot, after: Mapping[str, Mapping[str, Settings | None]]) -> Snapshot:
    """What the runtime shall be after a reload: all as before, but for what is being changed."""
    objects: dict[str, dict[str, Settings]] = {}
    for kind in KINDS:
        both = {**before.objects.get(kind, {}), **after.get(kind, {})}
        objects[kind] = {name: value for name, value in both.items() if value is not None}
    return dataclasses.replace(before, objects=objects)


def put_back(door: Door, target: Snapshot, keeping: Keeping) -> Restored:
    """Make the runtime as it shall be. What is refused does not keep the rest from being put back.

    :raises HostError: something could not be put back; says what, after all else was.
    """
    restored, failures = _put_back(door, target, keeping)
    if failures:
        raise HostError("After firewalld's reload not everything could be put back.", failures)
    return restored


def _put_back(door: Door, target: Snapshot, keeping: Keeping) -> tuple[Restored, list[str]]:
    restored = Restored()
    failures: list[str] = []
    # Direct rules are in iptables, too: firewalld cannot add again what stands there already
    if target.direct:
        _try(failures, "direct rules", functools.partial(door.set_direct, target.direct))
    # Then what others need to forward packets at all; firewalld's own items may be many calls
    try:
        restored.iptables = keeping.put_back(target.iptables)
    except HostError as error:
        failures += [error.message, *error.problems]
    now = _objects(door)
    for step in steps(Runtime(now), target.runtime, bindings_of(now)):
        _try(failures, described(step), functools.partial(carry, door, step))
    restored.firewalld = _lost(now, target.objects)
    restored.warnings = [
        f"The {kind} {name} was in firewalld's runtime alone and is gone since the reload."
        for kind in KINDS
        for name in sorted(set(target.objects.get(kind, {})) - set(now.get(kind, {})))
    ]
    return restored, failures


def recover(door: Door, target: Snapshot, keeping: Keeping) -> Restored:
    """Put back what a run lost that died after its reload.

    What is in the runtime now came either from disk, by that reload, or from somebody since then;
    what is in the permanent configuration is taken to be of the first kind, and only the second
    kind stays besides what is put back.
    """
    now = _objects(door)
    since: dict[str, dict[str, Settings]] = {kind: {} for kind in KINDS}
    for kind, named in target.objects.items():
        for name in named:
            if name in now.get(kind, {}):
                disk = door.permanent(kind, name) or complete(kind, {})
                since[kind][name] = _since(kind, now[kind][name], disk)
    moved = {
        (key, canonical(key, item)): zone
        for zone, settings in since["zone"].items()
        for key in BINDINGS
        for item in settings[key]
    }
    objects = {
        kind: {
            name: _joined(name, now[kind][name], target.objects[kind][name], settings, moved)
            for name, settings in named.items()
        }
        for kind, named in since.items()
    }
    restored, failures = _put_back(door, dataclasses.replace(target, objects=objects), keeping)
    # The run may have died before its reload; then what it wanted is not there yet, and comes next
    restored.warnings += failures
    return restored


def _since(kind: str, now: Settings, disk: Settings) -> Settings:
    """What somebody added to the runtime: list items, and single values that are not the disk's."""
    return {
        key: extra(key, now[key], disk[key])
        if isinstance(now[key], list)
        else (now[key] if now[key] != disk[key] else None)
        for key in AT_RUNTIME[kind]
    }


def _joined(
    name: str,
    now: Settings,
    target: Settings,
    since: Settings,
    moved: Mapping[tuple[str, str], str],
) -> Settings:
    joined = dict(now)
    for key, added in since.items():
        if isinstance(added, list):
            back = [
                item
                for item in target[key]
                if key not in BINDINGS or moved.get((key, canonical(key, item)), name) == name
            ]
            joined[key] = goal(key, now[key], [*back, *added], exclusive=True)
        else:
            joined[key] = target[key] if added is None else added
    return joined


def _try(failures: list[str], what: str, call: Callable[[], None]) -> None:
    try:
        call()
    except Refused as error:
        failures.append(f"{what}: {error.message}")


def carry(door: Door, step: Step) -> None:
    """Make one call."""
    if isinstance(step, Move):
        door.move(step.what, step.name, step.zone)
    else:
        door.set_runtime(step.kind, step.name, step.settings)


def described(step: Step) -> str:
    """A call in words."""
    if isinstance(step, Put):
        return f"runtime: {step.kind} {step.name}: {', '.join(step.settings)}"
    return f"runtime: {step.what} {step.name} to zone {step.zone}"


def bindings_of(objects: Mapping[str, Mapping[str, Settings]]) -> dict[str, dict[str, list[str]]]:
    """What is bound to the zones of a snapshot."""
    return {
        name: {key: zone[key] for key in BINDINGS} for name, zone in objects.get("zone", {}).items()
    }


def _lost(
    now: Mapping[str, Mapping[str, Settings]], target: Mapping[str, Mapping[str, Settings]]
) -> list[str]:
    """What the reload took from the runtime, in words."""
    lost = []
    for kind, named in target.items():
        for name, settings in sorted(named.items()):
            shown = now.get(kind, {}).get(name)
            if shown is None:
                continue
            wanted = {**shown, **{key: settings[key] for key in AT_RUNTIME[kind]}}
            for key, change in difference(kind, shown, wanted).items():
                signs = [f"+{item}" for item in change["added"]]
                signs += [f"-{item}" for item in change["removed"]]
                lost.append(f"{kind} {name}: {key}: {' '.join(signs)}")
    return lost
