# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run netplan's generator in a scratch folder and read what it makes of a set of files.

netplan's YAML is never parsed here: a host has no YAML library for sure, and netplan's own reading
of the files (merging, anchors, renderers, defaults) is the one that counts. Its generator turns
them into networkd and NetworkManager files whose names carry the interface ids.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .commands import Completed, run
from .errors import HostError
from .netplan_files import ForeignFile, OwnFile, VirtualLink

_GENERATORS = ("usr/libexec/netplan/generate", "lib/netplan/generate")
_GENERATE_SECONDS = 60
_NETWORKD = re.compile(r"10-netplan-(?P<id>.+)\.(?P<part>netdev|network|link)")
_NETWORK_MANAGER = re.compile(r"netplan-(?P<id>.+)\.nmconnection")
# Marks that keep NetworkManager off networkd's links, and a service that looks for Open vSwitch.
_HARMLESS = re.compile(r"90-netplan\.rules|netplan-ovs-cleanup\.service|netplan-.+\.nmconnection")
# systemd.network(5): a carrying link names what is stacked on it
_STACKED = ("VLAN", "VXLAN", "MACVLAN", "IPVLAN", "Tunnel")
# and a member names the link that it joins
_JOINED = ("Bond", "Bridge", "VRF")

Setting = tuple[str, str, str]


class Generator(Protocol):
    """Anything that does what ``netplan generate --root-dir`` does; tests give their own."""

    def __call__(self, root: Path) -> Completed:
        """Generate below ``root`` from the netplan files below it."""


def netplan_generate(root: Path | None = None) -> Completed:
    """Run netplan's generator for a scratch root, or for the host itself.

    The generator itself is called where it is found: ``netplan generate`` does nothing else, but
    starts a Python interpreter first, which costs more than the work.
    """
    found = next((path for path in _GENERATORS if (Path("/") / path).is_file()), None)
    argv = [f"/{found}"] if found else ["netplan", "generate"]
    where = [] if root is None else ["--root-dir", str(root)]
    return run([*argv, *where], timeout=_GENERATE_SECONDS)


class NetplanRefusedError(HostError):
    """netplan does not accept a set of files; the message holds its own words."""


@dataclass(frozen=True)
class Generated:
    """What netplan made of a set of files: settings per part, parts per interface id.

    A part is "netdev", "network", "link" or "connection" (NetworkManager); a setting is
    (section, key, value), in the order of the generated file. ``others`` holds the remaining
    generated files (services, udev rules that do more than keep NetworkManager away) by path.
    """

    units: Mapping[str, Mapping[str, tuple[Setting, ...]]]
    others: Mapping[str, str] = field(default_factory=dict)

    def virtual_links(self) -> dict[str, VirtualLink]:
        """The links that networkd creates (VLANs, bonds, bridges …) by name."""
        return {
            name: VirtualLink(
                name=name,
                kind=_value(parts["netdev"], "Kind"),
                parents=self._that_say(_STACKED, name),
                settings=_creation_settings(parts["netdev"]),
                members=self._that_say(_JOINED, name),
            )
            for name, parts in self.units.items()
            if "netdev" in parts
        }

    def _that_say(self, keys: Iterable[str], name: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                link
                for link, parts in self.units.items()
                for _section, key, value in parts.get("network", ())
                if key in keys and value == name
            )
        )


def generate(
    own: Iterable[OwnFile], foreign: Iterable[ForeignFile], generator: Generator
) -> Generated:
    """What netplan makes of these files together.

    :raises NetplanRefusedError: it does not accept them.
    """
    with tempfile.TemporaryDirectory(prefix="underlay-netplan-") as scratch:
        root = Path(scratch)
        for theirs in foreign:
            _put(root / theirs.path, theirs.content)
        for ours in own:
            _put(root / ours.path, ours.content.encode())
        completed = generator(root)
        if completed.code != 0:
            raise NetplanRefusedError(_words(completed, root))
        return Generated(_read_units(root / "run"), _read_others(root / "run"))


def reload_suffices(before: Generated, after: Generated) -> bool:
    """Whether networkd alone can bring the host from one to the other.

    NetworkManager's links, services, renamed NICs and special udev rules need ``netplan apply``.
    """
    if before.others != after.others:
        return False
    changed = {
        name
        for name in {*before.units, *after.units}
        if before.units.get(name) != after.units.get(name)
    }
    parts = [side.units.get(name, {}) for side in (before, after) for name in changed]
    return not any("connection" in part or _value(part.get("link", ()), "Name") for part in parts)


def stacks_on(setting: Setting) -> bool:
    """Whether a setting only says that another link rides on this one."""
    return setting[1] in _STACKED


def read_settings(text: str) -> tuple[Setting, ...]:
    """The settings of a systemd or NetworkManager file; comments are dropped."""
    section = ""
    settings: list[Setting] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
        elif stripped and stripped[0] not in "#;":
            key, _unused, value = stripped.partition("=")
            settings.append((section, key.strip(), value.strip()))
    return tuple(settings)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _read_units(run_folder: Path) -> dict[str, dict[str, tuple[Setting, ...]]]:
    units: dict[str, dict[str, tuple[Setting, ...]]] = {}
    folders = (
        (run_folder / "systemd/network", _NETWORKD),
        (run_folder / "NetworkManager/system-connections", _NETWORK_MANAGER),
    )
    for folder, pattern in folders:
        # recursive: an id may hold a slash
        for path in sorted(folder.rglob("*")):
            match = pattern.fullmatch(path.relative_to(folder).as_posix())
            if match and path.is_file():
                part = match.groupdict().get("part", "connection")
                text = path.read_text(encoding="utf-8", errors="replace")
                units.setdefault(match["id"], {})[part] = read_settings(text)
    return units


def _read_others(run_folder: Path) -> dict[str, str]:
    return {
        path.relative_to(run_folder).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(run_folder.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.parent != run_folder / "systemd/network"
        and not _HARMLESS.fullmatch(path.name)
    }


def _words(completed: Completed, root: Path) -> str:
    """netplan's words with the host's own paths, without its remarks about file modes."""
    lines = completed.words.replace(str(root), "").splitlines()
    return "\n".join(line for line in lines if line.strip() and "WARNING **" not in line)


def _value(settings: Iterable[Setting], wanted: str) -> str:
    return next((value for _section, key, value in settings if key == wanted), "")


def _creation_settings(settings: Iterable[Setting]) -> tuple[str, ...]:
    """What is fixed when a link is created: networkd changes the MTU later, nothing else."""
    return tuple(
        f"{section}.{key}={value}"
        for section, key, value in settings
        if key not in {"Name", "Kind", "MTUBytes", "Description"}
    )
