# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the staged netplan files of all roles to the host: write, apply, record."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from .durable import locked, make_folder, remove_file, remove_folder, write_file
from .errors import HostError
from .netplan_files import (
    Applied,
    ForeignFile,
    Live,
    OwnFile,
    Places,
    VirtualLink,
    after_staged,
    applied_as_json,
    links_from_json,
    links_to_json,
    read_applied,
    read_live,
    read_obsolete,
    read_staged,
)
from .netplan_generate import (
    Generated,
    Generator,
    NetplanRefusedError,
    generate,
    netplan_generate,
    reload_suffices,
)
from .netplan_host import Host, Manner, NetworkdHost
from .netplan_orphans import orphans
from .nics import Nic, read_nics


@dataclass(frozen=True)
class Tools:
    """The programs of the host that a commit needs."""

    generator: Generator = netplan_generate
    host: Host = field(default_factory=NetworkdHost)
    nics: Callable[[], Sequence[Nic]] = read_nics


@dataclass(frozen=True)
class Pending:
    """A commit that has been thought through and not begun.

    ``gentle`` says that links whose settings stay need not be touched. ``obsolete`` are files of
    others that are to go, ``orphans`` the NICs that nothing configures without them.
    """

    before: Mapping[str, OwnFile]
    after: Mapping[str, OwnFile]
    links: LinkChange
    gentle: bool
    obsolete: Mapping[str, ForeignFile] = field(default_factory=dict)
    orphans: Sequence[str] = ()

    @property
    def files(self) -> list[dict[str, str]]:
        """``{name, action}`` for each file that differs, by name."""
        actions = {name: "create" for name in self.after if name not in self.before}
        actions.update({name: "delete" for name in self.before if name not in self.after})
        actions.update(dict.fromkeys(self.obsolete, "delete"))
        actions.update(
            {
                name: "change"
                for name, file in self.after.items()
                if name in self.before and self.before[name].content != file.content
            }
        )
        return [{"name": name, "action": actions[name]} for name in sorted(actions)]


@dataclass(frozen=True)
class LinkChange:
    """Virtual links of ours on their way from one set of files to another."""

    before: Mapping[str, VirtualLink]
    after: Mapping[str, VirtualLink]
    foreign: frozenset[str] = frozenset()

    @property
    def doomed(self) -> list[VirtualLink]:
        """What must be deleted: defined by nobody now, or not to be changed in any other way."""
        return [
            link
            for name, link in sorted(self.before.items())
            if name not in self.foreign and not link.is_built_like(self.after.get(name))
        ]

    @property
    def released(self) -> list[tuple[str, str]]:
        """Members that must leave a link which stays, with the link's name."""
        return [
            (member, name)
            for name, link in sorted(self.before.items())
            if link.is_built_like(self.after.get(name))
            for member in link.members
            if member not in self.after[name].members
        ]

    @property
    def reshaped(self) -> bool:
        """Whether a link that rides on another one gets new settings of its own.

        networkd (252) keeps the old settings of such a link in mind even when the link is deleted
        and its file is read again, and makes it anew as it was; only a restart makes it forget.
        """
        return any(
            link.parents and link.settings != self.after[link.name].settings
            for link in self.doomed
            if link.name in self.after
        )

    @property
    def ever(self) -> dict[str, VirtualLink]:
        """All links that either side defines; the older meaning counts."""
        return {**self.after, **self.before}

    def reversed(self) -> LinkChange:
        """The way back."""
        return LinkChange(self.after, self.before, self.foreign)


def pending(
    places: Places, generator: Generator, nics: Callable[[], Sequence[Nic]] = read_nics
) -> Pending | None:
    """What a commit would do, or None when nothing is staged or all of it was applied before.

    :raises HostError: netplan refuses the files as they would be.
    """
    staged = read_staged(places)
    if not staged:
        return None
    gone = {name for names in read_obsolete(places).values() for name in names}
    live = read_live(places).without(gone)
    after = after_staged(live.own, staged)
    if after == live.own and not live.obsolete and _was_applied(places, after):
        return None
    try:
        together = generate(after.values(), live.foreign, generator)
        ours = generate(after.values(), (), generator)
    except NetplanRefusedError as error:
        raise HostError(
            "netplan refuses the staged files together with those that are there; nothing was "
            f"changed. It says:\n{error.message}"
        ) from error
    journal = _read_journal(places)
    links = LinkChange(
        before=_links_before(places, live, journal, generator),
        after=ours.virtual_links(),
        foreign=frozenset(_netdevs(together) - _netdevs(ours)),
    )
    before = _generated_before(live, generator)
    left: Sequence[str] = ()
    if live.obsolete or journal.orphans:
        left = orphans(before or together, together, nics(), places.root, journal.orphans)
    gentle = before is not None and reload_suffices(before, together)
    return Pending(live.own, after, links, gentle, live.obsolete, left)


@dataclass(frozen=True)
class Done:
    """What a commit did, or would do; nothing at all by default.

    ``files`` are ``{name, action}``, the links are names: those that had to go or be made anew,
    planned ones that did not come up in time, and NICs that only obsolete files configured.
    """

    changed: bool = False
    files: Sequence[Mapping[str, str]] = ()
    deleted_links: Sequence[str] = ()
    missing_links: Sequence[str] = ()
    cleared_links: Sequence[str] = ()


def predict(
    places: Places, generator: Generator, nics: Callable[[], Sequence[Nic]] = read_nics
) -> Done:
    """What ``commit`` would do now; raises HostError as it would."""
    return _done(pending(places, generator, nics))


def commit(places: Places, tools: Tools) -> Done:
    """Write, apply and record what is staged.

    A run that dies anywhere in between leaves the staged files; the next commit does all again.
    When the apply fails, the previous files are put back and applied.

    :raises HostError: netplan refused the files (nothing changed) or failed to apply them.
    """
    with locked(places.lock):
        plan = pending(places, tools.generator, tools.nics)
        if plan is None:
            remove_folder(places.staged)
            return Done()
        write_file(places.journal, _Journal(plan.links.ever, plan.orphans).text)
        write(places, plan.before, plan.after)
        _remove(places, plan.obsolete)
        try:
            missing = apply(plan.links, tools.host, plan.gentle)
        except HostError as error:
            _put_back(places, plan, tools.host, error)
        for name in plan.orphans:
            tools.host.clear(name)
        record(places, plan.after, plan.links.after)
        return _done(plan, missing)


def write(places: Places, before: Mapping[str, OwnFile], after: Mapping[str, OwnFile]) -> None:
    """Make our files in /etc/netplan those of ``after``; foreign files are not touched.

    netplan reads the folder at boot, too, and refuses all of it when a file refers to a link that
    no file defines. So at no moment, whenever the power goes, may a network's file stand without
    the links it needs: what goes or changes is taken away from the last file to the second, then
    the first one (the links) is replaced, then the others are written.
    """
    make_folder(places.live)
    names = sorted({*before, *after})
    changed = [name for name in names if _content(before, name) != _content(after, name)]
    for name in reversed(changed):
        if name != names[0] and name in before:
            remove_file(places.live / name)
    for name in changed:
        if name in after:
            write_file(places.live / name, after[name].content)
        elif name == names[0]:
            remove_file(places.live / name)


def _remove(places: Places, obsolete: Collection[str]) -> None:
    """Remove files of others that are to go.

    Ours are there by then: whenever the power goes, the host boots with one configuration or with
    both, but not without any.
    """
    for name in sorted(obsolete):
        remove_file(places.live / name)


def apply(links: LinkChange, host: Host, gentle: bool) -> tuple[str, ...]:
    """Make the links those of the files in /etc/netplan.

    netplan and networkd neither delete links nor change what is fixed when a link is created, nor
    let a member go that is no longer named; so that is done first.

    :param gentle: leave links alone whose settings stay, as far as the host can.
    :returns: the names of links that did not come up in time.
    :raises HostError: netplan could not apply; the links are in between.
    """
    present = host.links()
    for member, master in links.released:
        if member in present and present[member].master == master:
            host.release_member(member)
    doomed = [
        link.name
        for link in links.doomed
        if link.name in present and present[link.name].kind == link.kind
    ]
    for name in doomed:
        host.delete_link(name)
    host.apply(Manner(gentle, frozenset(doomed), links.reshaped))
    return host.wait_for(links.after)


def record(places: Places, files: Mapping[str, OwnFile], links: Mapping[str, VirtualLink]) -> None:
    """Remember what was applied, and forget the staged files and the journal."""
    write_file(places.applied, applied_as_json(files.values(), links.values()))
    remove_folder(places.staged)
    remove_file(places.journal)


def _done(plan: Pending | None, missing: Sequence[str] = ()) -> Done:
    if plan is None:
        return Done()
    doomed = [link.name for link in plan.links.doomed]
    return Done(True, plan.files, doomed, missing, plan.orphans)


def _was_applied(places: Places, files: Mapping[str, OwnFile]) -> bool:
    wanted = {name: (file.role, file.sha256) for name, file in files.items()}
    return read_applied(places).files == wanted and not places.journal.exists()


def _put_back(places: Places, plan: Pending, host: Host, error: HostError) -> NoReturn:
    for name, file in plan.obsolete.items():
        write_file(places.live / name, file.text)
    write(places, plan.after, plan.before)
    try:
        apply(plan.links.reversed(), host, plan.gentle)
    except HostError as again:
        raise HostError(
            f"{error.message}\nThe previous files were put back, but applying those failed, too: "
            f"{again.message}\nLook at this host's console."
        ) from error
    raise HostError(
        f"{error.message}\nThe previous files were put back and applied: this host is as before."
    ) from error


def _generated_before(live: Live, generator: Generator) -> Generated | None:
    """What netplan makes of all files that are there; None if it refuses them."""
    try:
        return generate(live.own.values(), (*live.foreign, *live.obsolete.values()), generator)
    except NetplanRefusedError:
        return None


def _links_before(
    places: Places, live: Live, journal: _Journal, generator: Generator
) -> dict[str, VirtualLink]:
    """Every virtual link that an earlier run of ours, or an obsolete file, has left here."""
    found: dict[str, VirtualLink] = {}
    for obsolete in [(), tuple(live.obsolete.values())] if live.obsolete else [()]:
        with contextlib.suppress(NetplanRefusedError):
            found.update(generate(live.own.values(), obsolete, generator).virtual_links())
    found.update(journal.links)
    applied: Applied = read_applied(places)
    found.update(applied.links)
    return found


@dataclass(frozen=True)
class _Journal:
    """What an apply that is under way, or died, may leave behind."""

    links: Mapping[str, VirtualLink] = field(default_factory=dict)
    orphans: Sequence[str] = ()

    @property
    def text(self) -> str:
        """What is written down."""
        links = links_to_json(self.links.values())
        return json.dumps({"links": links, "orphans": list(self.orphans)})


def _read_journal(places: Places) -> _Journal:
    try:
        data = json.loads(places.journal.read_text(encoding="utf-8"))
        return _Journal(links_from_json(data["links"]), [str(name) for name in data["orphans"]])
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return _Journal()


def _netdevs(generated: Generated) -> set[str]:
    return set(generated.virtual_links())


def _content(files: Mapping[str, OwnFile], name: str) -> str | None:
    return files[name].content if name in files else None
