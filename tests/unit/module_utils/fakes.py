"""A host without netplan and networkd that behaves as they do, as far as the tests look."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed, run
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_files import Places
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_host import LiveLink, Manner

_KINDS = {"bonds": "bond", "bridges": "bridge", "vlans": "vlan"}


def planned(name: str, role: str, text: str) -> dict[str, str]:
    """A file as the planner gives it to the staging module."""
    header = f"# Written by underlay.cluster, role: {role}. Changes here are overwritten.\n"
    return {"name": name, "content": f"{header}{text}"}


def links_file(text: str = "{ethernets: {enp0s3: {mtu: 9000}}}") -> dict[str, str]:
    return planned("60-underlay-links.yaml", "links", f"network: {text}\n")


def lcm_file(
    vlan: int = 101, link: str = "enp0s3", address: str = "10.21.1.11/24"
) -> dict[str, str]:
    vlans = f"{{lcm0: {{id: {vlan}, link: {link}, addresses: [{address}]}}}}"
    return planned("61-underlay-lcm.yaml", "lcm", f"network: {{vlans: {vlans}}}\n")


def put_foreign(places: Places, path: str, text: str) -> Path:
    file = places.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its content: two equal trees mean that nothing was written."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fake_generator(root: Path) -> Completed:
    """What ``netplan generate`` does with ethernets, bonds, bridges and VLANs."""
    merged: dict[str, tuple[str, dict[str, Any]]] = {}
    for path in _hierarchy(root):
        try:
            network = (yaml.safe_load(path.read_text()) or {}).get("network", {})
        except yaml.YAMLError as error:
            return Completed(1, "", f"{path}: Invalid YAML: {error}")
        for section, interfaces in network.items():
            if section in {"version", "renderer"}:
                continue
            for name, settings in interfaces.items():
                merged.setdefault(name, (section, {}))[1].update(settings or {})
    for name, (_section, settings) in merged.items():
        for needed in [settings.get("link"), *settings.get("interfaces", [])]:
            if needed and needed not in merged:
                return Completed(1, "", f"{root}/etc/netplan: {name}: '{needed}' is not defined")
    _write_units(root / "run/systemd/network", merged)
    return Completed(0)


def _hierarchy(root: Path) -> Iterable[Path]:
    found: dict[str, Path] = {}
    for folder in ("lib/netplan", "etc/netplan", "run/netplan"):
        found.update({path.name: path for path in (root / folder).glob("*.yaml")})
    return [found[name] for name in sorted(found)]


def _write_units(folder: Path, merged: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    folder.mkdir(parents=True)
    lines: dict[str, list[str]] = {}
    for name, (section, settings) in merged.items():
        match = settings.get("match", {}).get("name", name)
        lines[name] = ["[Match]", f"Name={match}", "[Network]"]
        lines[name] += [f"Address={address}" for address in settings.get("addresses", [])]
        lines[name] += [f"DHCP={settings['dhcp4']}"] if "dhcp4" in settings else []
        lines[name] += [f"MTUBytes={settings['mtu']}"] if "mtu" in settings else []
        if section in _KINDS:
            netdev = ["[NetDev]", f"Name={name}", f"Kind={_KINDS[section]}"]
            netdev += [f"MTUBytes={settings['mtu']}"] if "mtu" in settings else []
            netdev += ["[VLAN]", f"Id={settings['id']}"] if section == "vlans" else []
            netdev += [f"{key}={value}" for key, value in settings.get("parameters", {}).items()]
            (folder / f"10-netplan-{name}.netdev").write_text("\n".join(netdev))
    for name, (section, settings) in merged.items():
        if section == "vlans":
            lines[settings["link"]].append(f"VLAN={name}")
        for member in settings.get("interfaces", []):
            lines[member].append(f"{_KINDS[section].capitalize()}={name}")
    for name, text in lines.items():
        (folder / f"10-netplan-{name}.network").write_text("\n".join(text))


def real_generator() -> Path | None:
    """netplan's own generator on this machine, or where UNDERLAY_NETPLAN_GENERATE says."""
    candidates = [
        os.environ.get("UNDERLAY_NETPLAN_GENERATE"),
        "/usr/libexec/netplan/generate",
        "/lib/netplan/generate",
        shutil.which("netplan"),
    ]
    return next((Path(item) for item in candidates if item and Path(item).is_file()), None)


def run_real_generator(root: Path) -> Completed:
    found = real_generator()
    assert found is not None
    argv = [str(found), "generate"] if found.name == "netplan" else [str(found)]
    return run([*argv, "--root-dir", str(root)], timeout=60)


@dataclass
class FakeHost:
    """Links that appear as networkd would make them from the live files."""

    places: Places
    kinds: dict[str, str] = field(
        default_factory=lambda: {"enp0s2": "", "enp0s3": "", "enp0s4": ""}
    )
    masters: dict[str, str] = field(default_factory=dict)
    applies: int = 0
    manners: list[Manner] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    never_up: frozenset[str] = frozenset()

    def links(self) -> dict[str, LiveLink]:
        return {name: LiveLink(kind, self.masters.get(name)) for name, kind in self.kinds.items()}

    def release_member(self, name: str) -> None:
        del self.masters[name]

    def delete_link(self, name: str) -> None:
        self.deleted.append(name)
        self.kinds.pop(name, None)

    def clear(self, name: str) -> None:
        self.cleared.append(name)

    def apply(self, manner: Manner) -> None:
        self.applies += 1
        self.manners.append(manner)
        if self.failures:
            raise HostError(self.failures.pop(0))
        for path in sorted(self.places.live.glob("*.yaml")):
            network = (yaml.safe_load(path.read_text()) or {}).get("network", {})
            for section, kind in _KINDS.items():
                self.kinds.update(dict.fromkeys(network.get(section, {}), kind))
                for name, settings in network.get(section, {}).items():
                    members = (settings or {}).get("interfaces", [])
                    self.masters.update(dict.fromkeys(members, name))

    def wait_for(self, names: Iterable[str]) -> tuple[str, ...]:
        for name in self.never_up:
            self.kinds.pop(name, None)
        return tuple(sorted(set(names) - set(self.kinds)))
