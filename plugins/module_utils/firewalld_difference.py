# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done: the wishes against what a firewalld has. Pure.

Check mode, diff, guard and the real run all use the one Work that comes out of here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .errors import HostError
from .firewalld_door import KINDS, Settings
from .firewalld_goal import (
    AT_RUNTIME,
    changed,
    created,
    emptied,
    laid_over,
    reload_keys,
    result,
)
from .firewalld_items import BINDINGS, POLICY_ZONES, canonical, same_options
from .firewalld_options import Desired, Wish
from .firewalld_references import SYMBOLIC, uses
from .firewalld_steps import Runtime, Step, steps
from .firewalld_words import Side, as_changes, as_text

Objects = dict[str, dict[str, Optional[Settings]]]


@dataclass(frozen=True)
class Observed:
    """What a firewalld has, as far as the wishes touch it.

    ``permanent`` and ``runtime``: by kind and name, None where there is no such object. Besides the
    objects that are wished for they have the zones that lose an interface or a source to them.
    ``live_names``: by kind, the names of what is in the runtime. ``users``: all permanent zones and
    policies, read only when something that they may name goes away.
    """

    live: bool = True
    default_zone: str = "public"
    permanent: Objects = field(default_factory=dict)
    runtime: Objects = field(default_factory=dict)
    bindings: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    live_names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, Settings]] = field(default_factory=dict)


@dataclass(frozen=True)
class Write:
    """A permanent change: the keys that change, or None to remove the object."""

    kind: str
    name: str
    settings: Settings | None


@dataclass(frozen=True)
class Work:
    """Everything that is to be done, and what will be then.

    ``writes`` come first. Then either a reload, when there are reasons for one, or ``steps``.
    ``after``: by kind and name the runtime (offline: the permanent settings) of what is touched;
    None for what is not in it.
    """

    writes: tuple[Write, ...] = ()
    reload_reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    after: Objects = field(default_factory=dict)
    permanent_after: Objects = field(default_factory=dict)
    changes: tuple[dict[str, Any], ...] = ()
    before_text: str = ""
    after_text: str = ""

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.writes or self.reload_reasons or self.steps)

    @property
    def after_zones(self) -> dict[str, Settings | None]:
        """The touched zones."""
        return self.after.get("zone", {})

    @property
    def after_policies(self) -> dict[str, Settings | None]:
        """The touched policies."""
        return self.after.get("policy", {})

    @property
    def after_ipsets(self) -> dict[str, Settings | None]:
        """The touched ipsets."""
        return self.after.get("ipset", {})

    @property
    def after_services(self) -> dict[str, Settings | None]:
        """The touched services."""
        return self.after.get("service", {})


def plan(desired: Desired, observed: Observed) -> Work:
    """What is to be done.

    :raises HostError: what would come out is nothing that firewalld takes; names each place.
    """
    return _Planning(desired, observed).work()


class _Planning:
    """The steps of plan(), which share what is desired and what there is."""

    def __init__(self, desired: Desired, observed: Observed) -> None:
        self.desired = desired
        self.seen = observed
        self.wishes = {(wish.kind, wish.name): wish for wish in desired.wishes}
        self.claims: dict[tuple[str, str], str] = {
            (key, canonical(key, item)): wish.name
            for wish in desired.of("zone", present=True)
            for key in BINDINGS
            for item in wish.given.get(key, ())
        }
        self.permanent = self._permanent()
        self.runtime = self._runtime()

    def work(self) -> Work:
        problems = self._problems()
        if problems:
            raise HostError("The firewall cannot be as asked; nothing was changed.", problems)
        reasons = self._reload_reasons() if self.seen.live else ()
        after = self._after(bool(reasons)) if self.seen.live else self.permanent
        target = Runtime({kind: _there(after.get(kind, {})) for kind in KINDS})
        now = Runtime({kind: _there(self.seen.runtime.get(kind, {})) for kind in KINDS})
        live_steps = () if reasons or not self.seen.live else steps(now, target, self.seen.bindings)
        sides = [Side("permanent", self.seen.permanent, self.permanent)]
        if self.seen.live:
            sides.append(Side("runtime", self.seen.runtime, after))
        return Work(
            writes=self._writes(),
            reload_reasons=tuple(reasons),
            steps=tuple(live_steps),
            after=after,
            permanent_after=self.permanent,
            changes=as_changes(sides),
            before_text=as_text(sides, before=True),
            after_text=as_text(sides, before=False),
        )

    # --- what will be -----------------------------------------------------------------------------

    def _permanent(self) -> Objects:
        after: Objects = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for name, shown in self.seen.permanent.get(kind, {}).items():
                wish = self.wishes.get((kind, name))
                after[kind][name] = self._permanent_of(kind, name, wish, shown)
        return after

    def _permanent_of(
        self, kind: str, name: str, wish: Wish | None, shown: Settings | None
    ) -> Settings | None:
        if wish is None:
            return None if shown is None else {**shown, **self._losses(name, shown)}
        if not wish.present:
            return None
        if shown is None:
            return result(kind, None, created(wish))
        after = result(kind, shown, changed(wish, shown))
        return {**after, **self._losses(name, after)} if kind == "zone" else after

    def _losses(self, zone: str, settings: Settings) -> Settings:
        """The bindings that other zones take from a zone."""
        change: Settings = {}
        for key in BINDINGS:
            kept = [
                item
                for item in settings[key]
                if self.claims.get((key, canonical(key, item)), zone) == zone
            ]
            if len(kept) < len(settings[key]):
                change[key] = kept
        return change

    def _runtime(self) -> Objects:
        """The runtime of what is there now, after the change."""
        after: Objects = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for name, shown in self.seen.runtime.get(kind, {}).items():
                wish = self.wishes.get((kind, name))
                after[kind][name] = self._runtime_of(kind, name, wish, shown)
        return after

    def _runtime_of(
        self, kind: str, name: str, wish: Wish | None, shown: Settings | None
    ) -> Settings | None:
        if shown is None:
            return None
        if wish is not None and not wish.present:
            # What is left over until the next reload is emptied: it would wake up when somebody
            # makes an object of that name again
            return {**shown, **emptied(kind)}
        change: Settings = {}
        if wish is not None:
            fresh = self.seen.permanent.get(kind, {}).get(name) is None
            change = laid_over(wish, shown, fresh)
        after = {**shown, **change}
        return {**after, **self._losses(name, after)} if kind == "zone" else after

    def _after(self, reloads: bool) -> Objects:
        """What the runtime will be; a reload brings what only it can bring."""
        after: Objects = {}
        for kind, objects in self.runtime.items():
            for name, settings in objects.items():
                permanent = self.permanent.get(kind, {}).get(name)
                if not reloads:
                    shown = self.seen.runtime[kind][name]
                    keys = AT_RUNTIME[kind]
                    value = settings and shown and {**shown, **{key: settings[key] for key in keys}}
                elif permanent is None or settings is None or kind == "service":
                    value = permanent
                else:
                    value = {**permanent, **{key: settings[key] for key in AT_RUNTIME[kind]}}
                after.setdefault(kind, {})[name] = value
        return after

    # --- what it takes ----------------------------------------------------------------------------

    def _writes(self) -> tuple[Write, ...]:
        """Bindings leave their zones before others get them; what is named goes after its users."""
        releases, present, gone = [], [], []
        for kind in KINDS:
            for name, shown in self.seen.permanent.get(kind, {}).items():
                after = self.permanent[kind][name]
                release = self._losses(name, shown) if kind == "zone" and shown else {}
                if release:
                    releases.append(Write(kind, name, release))
                if after is None:
                    gone += [Write(kind, name, None)] if shown is not None else []
                    continue
                if shown is None:
                    present.append(Write(kind, name, created(self.wishes[kind, name])))
                    continue
                now = {**shown, **release}
                change = {key: after[key] for key in after if after[key] != now[key]}
                if change:
                    present.append(Write(kind, name, change))
        return (*releases, *present, *reversed(gone))

    def _reload_reasons(self) -> list[str]:
        reasons = [reason for wish in self.desired.wishes if wish.present
                   for reason in [self._reason(wish)] if reason]  # fmt: skip
        managed = {(wish.kind, wish.name) for wish in self.desired.wishes}
        for kind in ("ipset", "service", "zone"):
            lacking = self._used(kind) - self.seen.live_names.get(kind, frozenset())
            reasons += [
                f"The {kind} {name} is used and is only in the permanent configuration yet."
                for name in sorted(lacking)
                if (kind, name) not in managed
            ]
        return reasons

    def _used(self, kind: str) -> set[str]:
        """The objects that the wished zones and policies name, at runtime or once they are new."""
        settings = []
        for wish in self.desired.wishes:
            if wish.present and wish.kind in ("zone", "policy"):
                now = self.runtime[wish.kind].get(wish.name)
                settings.append(now or self.permanent[wish.kind][wish.name] or {})
        return uses(settings, kind)

    def _reason(self, wish: Wish) -> str | None:
        kind, name = wish.kind, wish.name
        shown = self.seen.runtime.get(kind, {}).get(name)
        if shown is None:
            return f"The {kind} {name} is new." if self._in_use(wish) else None
        after = self.runtime[kind][name] or {}
        left_over = self.seen.permanent[kind][name] is None
        if left_over and not self._in_use(wish):
            return None
        differing = [key for key in reload_keys(kind) if _differs(key, shown[key], after[key])]
        if not differing:
            return None
        return f"The {kind} {name} changes its {', '.join(differing)}."

    def _in_use(self, wish: Wish) -> bool:
        """Whether an object that is not in the runtime yet has anything to do there."""
        if wish.kind in ("ipset", "service"):
            return wish.name in self._used(wish.kind)
        after = self.permanent[wish.kind][wish.name] or {}
        if wish.kind == "policy":
            return all(after[key] for key in POLICY_ZONES)
        bound = any(after[key] for key in BINDINGS)
        return bound or wish.name == self.seen.default_zone or wish.name in self._used("zone")

    # --- what would not do ------------------------------------------------------------------------

    def _problems(self) -> list[str]:
        problems = []
        for wish in self.desired.wishes:
            if not wish.present:
                problems += self._still_used(wish)
            elif wish.kind == "policy":
                sides = [self.permanent["policy"][wish.name], self.runtime["policy"].get(wish.name)]
                found = [text for side in sides if side for text in _policy_problems(side)]
                problems += [f"{wish.path}.{text}" for text in dict.fromkeys(found)]
        return problems

    def _still_used(self, wish: Wish) -> list[str]:
        if wish.kind == "zone" and wish.name == self.seen.default_zone:
            return [f"{wish.path}.state: 'absent': {wish.name} is the default zone"]
        problems = []
        for kind, objects in self.seen.users.items():
            for name, shown in objects.items():
                settings = self.permanent.get(kind, {}).get(name, shown)
                if settings is not None and wish.name in uses([settings], wish.kind):
                    problems.append(f"{wish.path}.state: 'absent': the {kind} {name} still uses it")
        return problems


def _policy_problems(policy: Settings) -> list[str]:
    """What firewalld would refuse of a policy as a whole (firewall/core/io/policy.py)."""
    problems = []
    for key in POLICY_ZONES:
        symbolic = [zone for zone in policy[key] if zone in SYMBOLIC]
        if symbolic and len(policy[key]) > 1:
            problems.append(f"{key}: '{', '.join(policy[key])}': {symbolic[0]} stands alone; "
                            "exclusive: true takes the others out")  # fmt: skip
    ingress, egress = (policy[key] for key in POLICY_ZONES)
    if "HOST" in ingress and "HOST" in egress:
        problems.append("egress_zones: 'HOST': may be in one of ingress_zones and egress_zones")
    if policy["masquerade"] and ("HOST" in ingress or "HOST" in egress):
        problems.append("masquerade: 'True': is for what passes through, not from or to HOST")
    for port, protocol, _to_port, to_address in policy["forward_ports"]:
        which = f"forward_ports: '{port}/{protocol}'"
        if "HOST" in egress and to_address:
            problems.append(f"{which}: takes no to_addr towards HOST")
        elif egress and "HOST" not in egress and not to_address:
            problems.append(f"{which}: needs to_addr when egress_zones is not HOST")
    return problems


def _differs(key: str, left: Any, right: Any) -> bool:
    return not same_options(left, right) if key == "options" else bool(left != right)


def _there(objects: Mapping[str, Settings | None]) -> dict[str, Settings]:
    return {name: settings for name, settings in objects.items() if settings is not None}
