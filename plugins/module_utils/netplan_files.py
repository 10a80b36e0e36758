# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which netplan files of a host are ours, which are foreign, and where state about them lies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import HostError

# Both must hold: the name alone could be anybody's, the line alone could be a copy of ours.
_NAME = re.compile(r"[0-9]{2}-underlay-[A-Za-z0-9_.-]+\.yaml")
_HEADER = re.compile(
    r"# Written by underlay\.cluster, role: ([a-z][a-z0-9_]*)\. Changes here are overwritten\."
)
_ROLE = re.compile(r"[a-z][a-z0-9_]*")
# netplan(5): files of the same name in a later folder hide those in an earlier one
_FOLDERS = ("lib/netplan", "etc/netplan", "run/netplan")
# beside a role's staged files; no name of a netplan file
_OBSOLETE = "obsolete.json"


@dataclass(frozen=True)
class Places:
    """Where things lie on a host; ``root`` is another folder in tests."""

    root: Path = Path("/")

    @property
    def live(self) -> Path:
        """The files that netplan reads."""
        return self.root / "etc/netplan"

    @property
    def state(self) -> Path:
        """Everything that is remembered about this host's netplan files."""
        return self.root / "var/lib/underlay/netplan"

    @property
    def staged(self) -> Path:
        """One folder per role that has something to say: the role's files as they should be."""
        return self.state / "staged"

    @property
    def applied(self) -> Path:
        """What the last successful apply brought to the host."""
        return self.state / "applied.json"

    @property
    def journal(self) -> Path:
        """Which links an apply that is under way, or died, may leave behind."""
        return self.state / "applying.json"

    @property
    def lock(self) -> Path:
        """Held while staged or live files change."""
        return self.state / "lock"


@dataclass(frozen=True)
class OwnFile:
    """A netplan file of ours."""

    name: str
    role: str
    content: str

    @property
    def path(self) -> str:
        """Its place below the root."""
        return f"etc/netplan/{self.name}"

    @property
    def sha256(self) -> str:
        """The content's fingerprint."""
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass(frozen=True)
class ForeignFile:
    """A netplan file that somebody else wrote; ``path`` is below the root."""

    path: str
    content: bytes

    @property
    def text(self) -> str:
        """The content; written with the same error handler it is the same bytes."""
        return self.content.decode(errors="surrogateescape")


@dataclass(frozen=True)
class Live:
    """All netplan files of a host.

    ``obsolete`` were written by somebody else, too, but are to go: by name in /etc/netplan.
    """

    own: Mapping[str, OwnFile]
    foreign: tuple[ForeignFile, ...]
    obsolete: Mapping[str, ForeignFile] = field(default_factory=dict)

    def without(self, names: Collection[str]) -> Live:
        """The same files, those with these names in /etc/netplan told apart as obsolete."""
        paths = {f"etc/netplan/{name}": name for name in names}
        gone = {paths[file.path]: file for file in self.foreign if file.path in paths}
        stay = tuple(file for file in self.foreign if file.path not in paths)
        return Live(self.own, stay, gone)


def role_of(name: str, content: str) -> str | None:
    """The role that wrote a file, or None for a foreign file."""
    if not _NAME.fullmatch(name):
        return None
    header = _HEADER.fullmatch(content.split("\n", 1)[0])
    return header.group(1) if header else None


def own_file(name: str, content: str) -> OwnFile:
    """A planned file.

    :raises HostError: name or first line are not those of a file of ours: it could not be told
        from a foreign file later.
    """
    role = role_of(name, content)
    if role is None:
        raise HostError(
            f"The planned netplan file '{name}' would not be known as ours: its name must look "
            "like 60-underlay-links.yaml, its first line like '# Written by underlay.cluster, "
            "role: links. Changes here are overwritten.'"
        )
    return OwnFile(name, role, content)


def valid_role(role: str) -> str:
    """The role itself when it can be written into a header and a folder's name."""
    if not _ROLE.fullmatch(role):
        raise HostError(
            f"'{role}' cannot be a role's name here: small letters, digits and underscores only."
        )
    return role


def obsolete_name(name: str) -> str:
    """The name itself when it can be that of somebody else's file that is to go.

    :raises HostError: it is no name of a netplan file, or one of ours.
    """
    if "/" in name or not name.endswith(".yaml"):
        raise HostError(
            f"'{name}' cannot be an obsolete netplan file: give the name alone of a file in "
            "/etc/netplan, as 50-cloud-init.yaml."
        )
    if _NAME.fullmatch(name):
        raise HostError(
            f"'{name}' is a name of our own files: leave it out of 'obsolete'. What is no longer "
            "planned is removed anyway."
        )
    return name


def read_live(places: Places) -> Live:
    """All netplan files as they are on the host now."""
    own: dict[str, OwnFile] = {}
    foreign: list[ForeignFile] = []
    for folder in _FOLDERS:
        for path in sorted((places.root / folder).glob("*.yaml")):
            raw = path.read_bytes()
            text = raw.decode("utf-8", errors="replace")
            role = role_of(path.name, text) if folder == "etc/netplan" else None
            if role is None:
                foreign.append(ForeignFile(f"{folder}/{path.name}", raw))
            else:
                own[path.name] = OwnFile(path.name, role, text)
    return Live(own, tuple(foreign))


def read_staged(places: Places) -> dict[str, dict[str, OwnFile]]:
    """What is staged: per role the files that it wants; an empty dict is "wants none"."""
    if not places.staged.is_dir():
        return {}
    return {
        folder.name: {
            path.name: own_file(path.name, path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.yaml"))
        }
        for folder in sorted(places.staged.iterdir())
        if _ROLE.fullmatch(folder.name)
    }


def role_folder(files: Mapping[str, OwnFile], obsolete: Collection[str]) -> dict[str, str]:
    """What lies in a role's staged folder: its files, and the names of others' that are to go."""
    folder = {name: file.content for name, file in files.items()}
    return {**folder, _OBSOLETE: json.dumps(sorted(obsolete))} if obsolete else folder


def read_obsolete(places: Places) -> dict[str, list[str]]:
    """The names of others' files that are staged to go, per role that has any."""
    return {
        path.parent.name: [obsolete_name(name) for name in json.loads(path.read_text("utf-8"))]
        for path in sorted(places.staged.glob(f"*/{_OBSOLETE}"))
        if _ROLE.fullmatch(path.parent.name)
    }


def after_staged(
    own: Mapping[str, OwnFile], staged: Mapping[str, Mapping[str, OwnFile]]
) -> dict[str, OwnFile]:
    """Our files as they will be once the staged roles' wishes are live."""
    kept = {name: file for name, file in own.items() if file.role not in staged}
    for files in staged.values():
        kept.update(files)
    return dict(sorted(kept.items()))


@dataclass(frozen=True)
class VirtualLink:
    """A link that networkd creates: kind, the links that carry it, its other settings, and members.

    Only the members can change while the link is there.
    """

    name: str
    kind: str
    parents: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    def is_built_like(self, other: VirtualLink | None) -> bool:
        """Whether one can become the other without being deleted."""
        return other is not None and replace(self, members=()) == replace(other, members=())


@dataclass(frozen=True)
class Applied:
    """What the last successful apply brought: fingerprints per file name, and virtual links."""

    files: Mapping[str, tuple[str, str]]
    links: Mapping[str, VirtualLink]

    @property
    def roles(self) -> set[str]:
        """Whose files they were."""
        return {owner for owner, _sha in self.files.values()}

    def of_role(self, role: str) -> dict[str, str]:
        """The fingerprints of one role's files."""
        return {name: sha for name, (owner, sha) in self.files.items() if owner == role}


def read_applied(places: Places) -> Applied:
    """The record of the last apply; an absent or damaged one means that nothing is known."""
    try:
        data = json.loads(places.applied.read_text(encoding="utf-8"))
        files = {name: (entry["role"], entry["sha256"]) for name, entry in data["files"].items()}
        return Applied(files, links_from_json(data["links"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Applied({}, {})


def applied_as_json(files: Iterable[OwnFile], links: Iterable[VirtualLink]) -> str:
    """The text of the record of an apply."""
    data = {
        "version": 1,
        "files": {file.name: {"role": file.role, "sha256": file.sha256} for file in files},
        "links": links_to_json(links),
    }
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def links_to_json(links: Iterable[VirtualLink]) -> dict[str, object]:
    """Virtual links as plain data."""
    return {
        link.name: {
            "kind": link.kind,
            "parents": link.parents,
            "settings": link.settings,
            "members": link.members,
        }
        for link in links
    }


def links_from_json(data: Mapping[str, Mapping[str, object]]) -> dict[str, VirtualLink]:
    """Virtual links from plain data; raises KeyError or TypeError for anything else."""
    links = {}
    for name, entry in data.items():
        lists = [entry[key] for key in ("parents", "settings", "members")]
        parents, settings, members = (_names(item) for item in lists)
        links[name] = VirtualLink(name, str(entry["kind"]), parents, settings, members)
    return links


def _names(data: object) -> tuple[str, ...]:
    if not isinstance(data, list):
        raise TypeError(data)
    return tuple(str(item) for item in data)
