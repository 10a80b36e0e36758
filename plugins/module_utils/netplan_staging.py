# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage one role's netplan files: compare, check, show, and put them aside for the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .durable import locked, make_folder, remove_folder, replace_folder
from .errors import HostError
from .netplan_conflicts import Planned, find_conflicts
from .netplan_files import (
    ForeignFile,
    Live,
    OwnFile,
    Places,
    obsolete_name,
    own_file,
    read_applied,
    read_live,
    read_obsolete,
    read_staged,
    role_folder,
    valid_role,
)
from .netplan_generate import Generator, NetplanRefusedError, generate, netplan_generate
from .nics import Nic, read_nics

# Every role is told of the obsolete files, as none of them counts those; one stages their removal.
_REMOVER = "links"


@dataclass(frozen=True)
class Change:
    """One file that will be created, changed or deleted; a missing side is None."""

    name: str
    before: str | None
    after: str | None

    @property
    def action(self) -> str:
        """create, change or delete."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "change"


@dataclass(frozen=True)
class Staged:
    """What staging found: the changes, and whether live files still wait to be applied.

    ``pending``: the other roles that have something to stage on this host.
    """

    changes: tuple[Change, ...]
    unapplied: bool
    pending: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is something for a commit to do."""
        return bool(self.changes) or self.unapplied


@dataclass(frozen=True)
class Wish:
    """What a role wants on this host, and what all other roles want there.

    ``obsolete`` are names of others' files that go with the next commit.
    """

    role: str
    files: Mapping[str, OwnFile]
    others: Mapping[str, OwnFile]
    obsolete: frozenset[str] = field(default_factory=frozenset)

    @property
    def everything(self) -> list[OwnFile]:
        """All planned files of the host in the order in which netplan reads them."""
        both = {**self.others, **self.files}
        return [both[name] for name in sorted(both)]


@dataclass(frozen=True)
class Surroundings:
    """What staging needs to know of the host beside its files."""

    generator: Generator = netplan_generate
    nics: Callable[[], Sequence[Nic]] = read_nics


def wish(
    role: str,
    files: Iterable[Mapping[str, str]],
    others: Iterable[Mapping[str, str]],
    obsolete: Iterable[str] = (),
) -> Wish:
    """Check the arguments of a staging.

    :param files: ``{name, content}`` of the role's own files.
    :param others: the same for all other planned files of the host.
    :param obsolete: names of files in /etc/netplan that others wrote and that are to go.
    :raises HostError: a file that would not be known as ours, or as this role's; an obsolete one
        that would.
    """
    own = {file["name"]: own_file(file["name"], file["content"]) for file in files}
    rest = {file["name"]: own_file(file["name"], file["content"]) for file in others}
    strangers = [file for file in own.values() if file.role != valid_role(role)]
    twice = sorted(set(own) & set(rest))
    problems = [f"{file.name} belongs to the role '{file.role}'" for file in strangers]
    problems += [f"{name} is given twice, in 'files' and in 'others'" for name in twice]
    if problems:
        raise HostError(f"The netplan files given for the role '{role}' do not fit.", problems)
    return Wish(valid_role(role), own, rest, frozenset(map(obsolete_name, obsolete)))


def stage(wanted: Wish, places: Places, host: Surroundings, write: bool) -> Staged:
    """Bring a role's wish to the staging folder, after netplan has accepted all of the plan.

    Nothing is staged, and an earlier staging of the role is taken back, when the live files are
    as wished and were applied.

    :param write: False in check mode: the same answer, nothing written.
    :raises HostError: netplan refuses the plan, or it is in conflict with foreign files.
    """
    live = read_live(places).without(wanted.obsolete)
    result = Staged(
        _changes(wanted, live), _is_unapplied(wanted, places), _pending(wanted, live, places)
    )
    if result.changed:
        _refuse_taken_names(wanted, live)
        _validate(wanted, live, places, host)
    if write and (result.changed or places.staged.is_dir()):
        with locked(places.lock):
            _drop_stale(wanted, places)
            _put_aside(wanted, live, places, result.changed)
    return result


def as_diff(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Changes as Ansible shows them: before and after per file."""
    return [
        {
            "before_header": f"/etc/netplan/{change.name}",
            "after_header": f"/etc/netplan/{change.name}",
            "before": change.before or "",
            "after": change.after or "",
        }
        for change in changes
    ]


def _changes(wanted: Wish, live: Live) -> tuple[Change, ...]:
    before = {name: file.content for name, file in live.own.items()}
    # a file that another role has taken over is that role's business
    gone = {
        name
        for name, file in live.own.items()
        if file.role == wanted.role and name not in wanted.files and name not in wanted.others
    }
    written = [
        Change(name, before.get(name), file.content)
        for name, file in wanted.files.items()
        if before.get(name) != file.content
    ]
    deleted = [Change(name, before[name], None) for name in gone]
    if wanted.role == _REMOVER:
        deleted += [Change(name, _shown(file), None) for name, file in live.obsolete.items()]
    return tuple(sorted([*written, *deleted], key=lambda change: change.name))


def _shown(file: ForeignFile) -> str:
    return file.content.decode("utf-8", errors="replace")


def _is_unapplied(wanted: Wish, places: Places) -> bool:
    """Whether the role's files were never brought to the links by a finished apply.

    The journal of a commit that died counts as well: it may have come to remove a file of others,
    of which no record tells.
    """
    wished = {name: file.sha256 for name, file in wanted.files.items()}
    return read_applied(places).of_role(wanted.role) != wished or places.journal.exists()


def _pending(wanted: Wish, live: Live, places: Places) -> tuple[str, ...]:
    """The roles whose own staging would find something to do, or something to take back."""
    staged = read_staged(places)
    files = wanted.everything
    roles = {file.role for file in (*files, *live.own.values())}
    roles |= {*staged, *read_applied(places).roles}
    found = []
    for role in sorted(roles - {wanted.role}):
        mine = {file.name: file for file in files if file.role == role}
        rest = {file.name: file for file in files if file.role != role}
        wish_of_role = Wish(role, mine, rest, wanted.obsolete)
        waiting = _changes(wish_of_role, live) or _is_unapplied(wish_of_role, places)
        if waiting or role in staged:
            found.append(role)
    return tuple(found)


def _refuse_taken_names(wanted: Wish, live: Live) -> None:
    foreign = {file.path for file in live.foreign}
    taken = [file.path for file in wanted.everything if file.path in foreign]
    if taken:
        raise HostError(
            "Planned netplan files would overwrite files that somebody else wrote (their first "
            "line is not ours). Move them away, or delete them if they are old copies.",
            [f"/{path}" for path in taken],
        )


def _validate(wanted: Wish, live: Live, places: Places, host: Surroundings) -> None:
    own = wanted.everything
    try:
        together = generate(own, live.foreign, host.generator)
    except NetplanRefusedError as error:
        raise HostError(
            "netplan refuses the planned files of this host together with those that are there; "
            f"nothing was changed. It says:\n{error.message}"
        ) from error
    try:
        planned = Planned(own, live.foreign, together)
        conflicts = find_conflicts(planned, host.nics(), places.root, host.generator)
    except NetplanRefusedError as error:
        raise HostError(
            "The planned netplan files of this host lean on definitions in files that somebody "
            f"else wrote; nothing was changed. Without those, netplan says:\n{error.message}"
        ) from error
    if conflicts:
        raise HostError(
            "Planned netplan files and files that somebody else wrote want the same interfaces; "
            "nothing was changed.",
            conflicts,
        )


def _drop_stale(wanted: Wish, places: Places) -> None:
    """Remove what a run that died has staged for other roles, unless it is still the plan."""
    obsolete = read_obsolete(places)
    for role, files in read_staged(places).items():
        planned = {name: file for name, file in wanted.others.items() if file.role == role}
        stale = files != planned or not wanted.obsolete.issuperset(obsolete.get(role, ()))
        if role != wanted.role and stale:
            remove_folder(places.staged / role)


def _put_aside(wanted: Wish, live: Live, places: Places, changed: bool) -> None:
    folder = places.staged / wanted.role
    if changed:
        make_folder(places.staged)
        gone = live.obsolete if wanted.role == _REMOVER else ()
        replace_folder(folder, role_folder(wanted.files, gone))
    else:
        remove_folder(folder)
