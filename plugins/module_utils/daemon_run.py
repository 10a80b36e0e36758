# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the module that brings a host's daemons to the desired state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from .daemon_checks import foreign_unit, missing, refusals
from .daemon_files import (
    FILE,
    FOLDER,
    Entry,
    Places,
    Shape,
    forget,
    has_loose_link,
    is_remembered,
    make_tree,
    read_entry,
    read_tree,
    recall,
    remember,
    remove_unit,
    write_unit,
)
from .daemon_systemd import Status, Systemd, Tools
from .daemon_wish import Wish, read_wishes
from .durable import locked
from .errors import HostError

NONE = "none"
ENABLED = "enabled"
STARTED = "started"
RESTARTED = "restarted"
RELOADED = "reloaded"
STOPPED = "stopped"
REMOVED = "removed"
_STARTS = frozenset({STARTED, RESTARTED, RELOADED})


@dataclass(frozen=True)
class Work:
    """What one daemon takes.

    ``interrupted``: a run died while it changed this daemon, so that what runs need not be what
    lies on the disk. ``fallback``: the last state that was whole.
    """

    name: str
    now: Shape
    status: Status
    goal: Shape
    fallback: Shape
    interrupted: bool = False
    can_reload: bool = False

    @property
    def rewrites(self) -> bool:
        """Whether the disk does not hold what it should, or may hold what nobody has read."""
        differs = (self.now.tree, self.now.unit) != (self.goal.tree, self.goal.unit)
        return differs or self.interrupted

    @property
    def action(self) -> str:
        """What the daemon itself goes through."""
        if not self.goal.running:
            left = self.rewrites or self.now.enabled != self.goal.enabled
            return STOPPED if self.now.running else REMOVED if left else NONE
        if not self.status.up:
            return STARTED
        if self.rewrites:
            files_alone = self.now.unit == self.goal.unit and not self.interrupted
            return RELOADED if self.can_reload and files_alone else RESTARTED
        return NONE if self.now.enabled else ENABLED


def bring_about(
    items: Sequence[Mapping[str, Any]],
    check: bool,
    places: Places | None = None,
    tools: Tools | None = None,
) -> dict[str, Any]:
    """Bring the daemons to what the options say, or only tell what that would take.

    A run that dies anywhere in between leaves a record of how each daemon stood; the next run does
    all again.

    :param check: tell only; nothing is written but scratch folders for the checks.
    :return: what the module returns.
    :raises HostError: with all that is wrong; nothing was changed, or what fell was put back.
    """
    places, tools = places or Places(), tools or Tools()
    wishes = read_wishes(items)
    systemd = Systemd(tools)
    with contextlib.nullcontext() if check else locked(places.lock):
        works = observe(wishes, places, systemd)
        refuse(wishes, works, places, tools)
        if not check:
            carry_out([work for work in works if work.action != NONE], places, systemd)
    return {
        "changed": any(work.action != NONE for work in works),
        "daemons": [{"name": work.name, "action": work.action} for work in works],
        "diff": [entry for work in works for entry in _as_diff(work, places)],
    }


# --- before anything is changed -------------------------------------------------------------------


def observe(wishes: Sequence[Wish], places: Places, systemd: Systemd) -> list[Work]:
    """What each wish takes. systemd is asked once, and not at all for what is and stays away."""
    asked = [wish.name for wish in wishes if wish.present or _is_somehow_there(places, wish.name)]
    shown = systemd.show(asked)
    return [
        _work(
            places,
            wish.name,
            shown.get(wish.name, Status()),
            wish.shape(places),
            wish.reload,
        )
        for wish in wishes
    ]


def _work(places: Places, name: str, status: Status, goal: Shape, can_reload: bool) -> Work:
    now = Shape(
        read_tree(places.folder(name)),
        read_entry(places.unit(name)),
        # systemd tells nothing of a link whose unit was deleted by hand
        status.enabled or has_loose_link(places, name),
        status.meant_to_run,
    )
    fallback = recall(places, name) or now
    if fallback.unit is None:
        # somebody deleted the unit of a daemon that ran: there is nothing to start it with again
        fallback = replace(fallback, enabled=False, running=False)
    interrupted = is_remembered(places, name)
    return Work(name, now, status, goal, fallback, interrupted, can_reload)


def _is_somehow_there(places: Places, name: str) -> bool:
    return (
        is_remembered(places, name)
        or has_loose_link(places, name)
        or read_entry(places.unit(name)) is not None
        or read_entry(places.folder(name)) is not None
    )


def refuse(wishes: Sequence[Wish], works: Sequence[Work], places: Places, tools: Tools) -> None:
    """End the run when something speaks against what it would do."""
    problems: list[str] = []
    for wish, work in zip(wishes, works):
        problems += foreign_unit(places, work.name, work.now, work.status)
        if wish.present:
            problems += missing(places, wish)
            if work.action in _STARTS:
                problems += refusals(places, wish, work.goal, tools.runner)
    if problems:
        raise HostError(
            "The daemons of this host cannot be as planned; nothing was changed.", problems
        )


# --- changing -------------------------------------------------------------------------------------


def carry_out(works: Sequence[Work], places: Places, systemd: Systemd) -> None:
    """Do the work. What does not come up is put back as it was.

    :raises HostError: something did not come up, or could not be done.
    """
    if not works:
        return
    _remember(works, places)
    try:
        fallen = _settle(works, places, systemd)
    except (HostError, OSError) as error:
        _put_all_back(works, places, systemd, error)
    for work in works:
        if work.name not in fallen:
            forget(places, work.name)
    if fallen:
        _put_fallen_back([work for work in works if work.name in fallen], fallen, places, systemd)


def _remember(works: Sequence[Work], places: Places) -> None:
    try:
        for work in works:
            if work.rewrites:
                remember(places, work.name, work.now)
    except OSError:
        for work in works:
            if not work.interrupted:
                forget(places, work.name)
        raise


def _settle(works: Sequence[Work], places: Places, systemd: Systemd) -> dict[str, str]:
    """Make each daemon what it should be; why, for those that did not come up."""
    systemd.stop([work.name for work in works if work.now.running and not work.goal.running])
    # systemctl refuses to disable what has no file; remove_unit takes the link away then
    on_disk = [work for work in works if work.now.unit is not None]
    systemd.disable([w.name for w in on_disk if w.now.enabled and not w.goal.enabled])
    for work in works:
        _write(work, places)
    if any(_needs_reading(work) for work in works):
        systemd.read_units()
    for work in works:
        if work.goal.unit is None:
            make_tree(places.folder(work.name), work.goal.tree)
    systemd.enable([w.name for w in works if w.goal.enabled and not w.now.enabled])
    systemd.restart([work.name for work in works if work.action in {STARTED, RESTARTED}])
    told = {work.name: systemd.reload(work.name) for work in works if work.action == RELOADED}
    refused = {name: words for name, words in told.items() if words}
    starting = {work.name: work.status for work in works if work.action in _STARTS}
    return {**systemd.fallen(starting), **refused}


def _write(work: Work, places: Places) -> None:
    """Bring a daemon's files to the disk, the unit last: it is what makes them count."""
    if work.goal.unit is None:
        remove_unit(places, work.name)
        return
    make_tree(places.folder(work.name), work.goal.tree)
    write_unit(places, work.name, work.goal.unit)


def _needs_reading(work: Work) -> bool:
    return work.now.unit != work.goal.unit or work.interrupted or work.status.outdated


# --- putting back ---------------------------------------------------------------------------------


def _put_fallen_back(
    works: Sequence[Work], fallen: Mapping[str, str], places: Places, systemd: Systemd
) -> NoReturn:
    reasons = {work.name: _with_last_words(fallen[work.name], work, systemd) for work in works}
    try:
        still_down = _put_back(works, places, systemd)
    except (HostError, OSError) as error:
        raise HostError(
            "Some daemons did not come up, and putting back what was there before failed, too: "
            f"{error}\nThe next run tries again.",
            [f"{name}: {reason}" for name, reason in reasons.items()],
        ) from error
    raise HostError(
        "Some daemons of this host did not come up.",
        [
            f"{work.name}: {reasons[work.name]}\n  {_outcome(work, still_down.get(work.name))}"
            for work in works
        ],
    )


def _with_last_words(reason: str, work: Work, systemd: Systemd) -> str:
    lines = systemd.last_words(work.name).splitlines()
    return "\n    ".join([f"{reason}. Its last words:" if lines else f"{reason}.", *lines])


def _outcome(work: Work, still_down: str | None) -> str:
    if not work.rewrites:
        return "Its files are as planned and were left; systemd goes on starting it."
    if work.fallback.unit is None:
        return "There was none before, so all of it was taken away again."
    if not work.fallback.running:
        return "Its previous files and unit were put back; it was not running before."
    if still_down:
        return f"Its previous files and unit were put back, but with these, too, {still_down}."
    return "Its previous files and unit were put back, and it runs with them again."


def _put_all_back(
    works: Sequence[Work], places: Places, systemd: Systemd, error: HostError | OSError
) -> NoReturn:
    try:
        still_down = _put_back(works, places, systemd)
    except (HostError, OSError) as again:
        raise HostError(
            f"The daemons could not be changed: {error}\nPutting back what was there before "
            f"failed, too: {again}\nThe next run tries again."
        ) from error
    raise HostError(
        f"The daemons could not be changed: {error}\nWhat was there before was put back.",
        [f"{name}: it does not run as before: {reason}" for name, reason in still_down.items()],
    ) from error


def _put_back(works: Sequence[Work], places: Places, systemd: Systemd) -> dict[str, str]:
    """Make daemons what they were before this run, or before the one that died.

    :return: why, for those that do not come up with that either.
    """
    former = {work.name: work.fallback for work in works if work.rewrites}
    shown = systemd.show(list(former))
    # all count as interrupted: what runs, if anything, has not read what lies on the disk
    back = [_work(places, name, shown[name], goal, False) for name, goal in former.items()]
    still_down = _settle(back, places, systemd)
    for name in former:
        forget(places, name)
    return still_down


# --- telling --------------------------------------------------------------------------------------


def _as_diff(work: Work, places: Places) -> Iterator[dict[str, str]]:
    """What changes on the disk as Ansible shows it: before and after per file, the unit last."""
    folder = str(places.folder(work.name))
    for name in sorted({*work.now.tree, *work.goal.tree}):
        yield from _entry_diff(
            f"{folder}/{name}", work.now.tree.get(name), work.goal.tree.get(name)
        )
    yield from _entry_diff(str(places.unit(work.name)), work.now.unit, work.goal.unit)


def _entry_diff(path: str, before: Entry | None, after: Entry | None) -> Iterator[dict[str, str]]:
    if before == after or not _is_shown(before, after):
        return
    modes = before and after and before.mode != after.mode
    yield {
        "before_header": f"{path} (mode {before.mode:04o})" if before and modes else path,
        "after_header": f"{path} (mode {after.mode:04o})" if after and modes else path,
        "before": _shown_text(before),
        "after": _shown_text(after),
    }


def _is_shown(before: Entry | None, after: Entry | None) -> bool:
    """Folders that come or go are seen by what lies in them."""
    both = before is not None and after is not None
    return both or any(entry is not None and entry.kind != FOLDER for entry in (before, after))


def _shown_text(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.kind != FILE:
        return f"({'a folder' if entry.kind == FOLDER else 'neither a file nor a folder'})\n"
    return entry.text.encode(errors="surrogateescape").decode(errors="replace")
