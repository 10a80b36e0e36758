"""A systemd in memory over unit files and folders on the disk, and the crashes that runs meet."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_files import (
    Entry,
    Places,
    read_tree,
)
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_run import bring_about
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_systemd import Tools
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError

PROGRAM = "/usr/sbin/daemon"
_RESTART_SECONDS = 2.0
_DIES = re.compile(r"dies after ([0-9.]+)")


class Crash(BaseException):
    """The run is killed; nothing of it gets to clean up but what the language does."""


@dataclass
class Process:
    """A daemon that runs, with what it has read; or one that waits for its next start."""

    unit: str
    tree: dict[str, Entry]
    since: float
    pid: int
    waits_until: float | None = None

    @property
    def ends(self) -> float | None:
        """When it will end by itself."""
        said = [_DIES.search(text) for text in [self.unit, *_texts(self.tree)]]
        times = [float(match[1]) for match in said if match]
        return self.since + min(times) if times else None


@dataclass
class FakeHost:
    """A host with a systemd. It is the Runner and the clock of a run."""

    root: Path
    time: float = 1000.0
    processes: dict[str, Process] = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    sick: set[str] = field(default_factory=set)
    last_pid: int = 100

    def __post_init__(self) -> None:
        self.places = Places(self.root)
        for folder in ("etc/systemd/system", "usr/lib/systemd/system", "usr/sbin", "run"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        program = self.places.path(PROGRAM)
        program.touch(mode=0o755)
        program.chmod(0o755)

    # --- a run of the module ----------------------------------------------------------------------

    def bring(self, *items: dict[str, Any], check: bool = False) -> dict[str, Any]:
        """One run of the module."""
        self.calls.clear()
        tools = Tools(self, lambda: self.time, self.sleep)
        with mock.patch.object(os, "fsync", self._synced):
            return bring_about(items, check, self.places, tools)

    def actions(self, *items: dict[str, Any], check: bool = False) -> dict[str, str]:
        """One run of the module: what each daemon went through."""
        done = self.bring(*items, check=check)
        return {daemon["name"]: daemon["action"] for daemon in done["daemons"]}

    def _synced(self, handle: int) -> None:
        self.meanwhile()

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    @contextlib.contextmanager
    def crashing(self, after: int) -> Iterator[None]:
        """Kill the run at its nth step: a program, or something that reaches the disk."""
        left = [after]

        def step() -> None:
            if left[0] == 0:
                raise Crash
            left[0] -= 1

        self.meanwhile = step
        try:
            yield
        finally:
            self.meanwhile = lambda: None

    # --- what others do ---------------------------------------------------------------------------

    def boot(self) -> None:
        """The power goes and comes back: what is enabled starts with what lies on the disk."""
        self.processes.clear()
        self.loaded.clear()
        self.restarts.clear()
        for link in (self.root / "etc/systemd/system").glob("*.wants/*.service"):
            if link.exists():
                self._start(link.stem)

    def stop_by_hand(self, name: str) -> None:
        self.processes.pop(name, None)

    def running(self, name: str) -> Process | None:
        """The process of a daemon that is up."""
        self._pass_time()
        process = self.processes.get(name)
        return process if process and process.waits_until is None else None

    # --- programs ---------------------------------------------------------------------------------

    def __call__(self, argv: Sequence[str], timeout: float) -> Completed:
        self.meanwhile()
        self.calls.append(list(argv))
        self._pass_time()
        if argv[0] == "systemctl":
            verb, units = argv[1], [word for word in argv[2:] if not word.startswith("-")]
            if verb in self.failing:
                return Completed(1, "", self.failing[verb])
            names = [unit.removesuffix(".service") for unit in units]
            method = getattr(self, f"_systemctl_{verb.replace('-', '_')}")
            done: Completed = method(names)
            return done
        if argv[0] == "journalctl":
            return Completed(0, "reading the files\nline 3: what is this?\n")
        if argv[0] == "check-files":
            return self._check(Path(argv[1]))
        raise HostError(f"The program '{argv[0]}' is not installed on this host.")

    def _systemctl_show(self, names: list[str]) -> Completed:
        return Completed(0, "\n".join(self._shown(name) for name in names))

    def _systemctl_daemon_reload(self, names: list[str]) -> Completed:
        self.loaded = {name: text for name in self.loaded if (text := self._on_disk(name))}
        return Completed(0)

    def _systemctl_enable(self, names: list[str]) -> Completed:
        for name in names:
            if self._on_disk(name) is None:
                return Completed(1, "", f"Unit file {name}.service does not exist.")
            link = self.places.link(name)
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(self.places.unit(name))
        return self._systemctl_daemon_reload([])

    def _systemctl_disable(self, names: list[str]) -> Completed:
        for name in names:
            if self._on_disk(name) is None:
                return Completed(1, "", f"Unit file {name}.service does not exist.")
            self.places.link(name).unlink(missing_ok=True)
        return self._systemctl_daemon_reload([])

    def _systemctl_stop(self, names: list[str]) -> Completed:
        unknown = [name for name in names if not self._load(name) and name not in self.processes]
        for name in names:
            self.processes.pop(name, None)
        return Completed(5, "", f"Unit {unknown[0]}.service not loaded.") if unknown else DONE

    def _systemctl_restart(self, names: list[str]) -> Completed:
        started = [self._start(name) for name in names]
        return DONE if all(started) else Completed(5, "", "Unit not found.")

    def _systemctl_reload(self, names: list[str]) -> Completed:
        for name in names:
            process = self.processes.get(name)
            if process is None or "ExecReload=" not in self.loaded.get(name, ""):
                return Completed(1, "", "Job type reload is not applicable.")
            process.tree = read_tree(self.places.folder(name))
            process.since = self.time
        return DONE

    def _check(self, folder: Path) -> Completed:
        assert folder.is_dir(), folder
        for path in folder.rglob("*"):
            if path.is_file() and "bad" in path.read_text():
                return Completed(2, "", f"{path}: a bad word")
        return DONE

    # --- how it works inside ----------------------------------------------------------------------

    def _on_disk(self, name: str) -> str | None:
        for folder in ("etc/systemd/system", "usr/lib/systemd/system"):
            path = self.root / folder / f"{name}.service"
            if path.is_file():
                return path.read_text()
        return None

    def _load(self, name: str) -> str | None:
        """systemd reads a unit when it is first asked for, and then keeps what it has read."""
        text = self.loaded.get(name) or self._on_disk(name)
        if text is not None:
            self.loaded[name] = text
        return text

    def _start(self, name: str) -> bool:
        text = self._load(name)
        if text is None:
            return False
        self.last_pid += 1
        tree = read_tree(self.places.folder(name))
        self.processes[name] = Process(text, tree, self.time, self.last_pid)
        return True

    def _pass_time(self) -> None:
        for name, process in list(self.processes.items()):
            ends = process.since if name in self.sick else process.ends
            if process.waits_until is None and ends is not None and ends <= self.time:
                process.waits_until = ends + _RESTART_SECONDS
            if process.waits_until is not None and process.waits_until <= self.time:
                self.restarts[name] = self.restarts.get(name, 0) + 1
                self._start(name)

    def _shown(self, name: str) -> str:
        text = self._load(name)
        process = self.processes.get(name)
        link = self.places.link(name)
        vendor = f"/usr/lib/systemd/system/{name}.service"
        file = self.places.unit(name) if os.path.lexists(self.places.unit(name)) else vendor
        states = ("inactive", "dead")
        if process:
            states = (
                ("activating", "auto-restart") if process.waits_until else ("active", "running")
            )
        said = {
            "Id": f"{name}.service",
            "ActiveState": states[0],
            "SubState": states[1],
            "UnitFileState": "" if text is None else "enabled" if link.exists() else "disabled",
            "FragmentPath": str(file) if text is not None else "",
            "NeedDaemonReload": "yes" if text is not None and text != self._on_disk(name) else "no",
            "NRestarts": self.restarts.get(name, 0),
            "MainPID": process.pid if process and process.waits_until is None else 0,
            "Result": "success",
        }
        return "".join(f"{key}={value}\n" for key, value in said.items())


DONE = Completed(0)


def _texts(tree: dict[str, Entry]) -> list[str]:
    return [entry.text for entry in tree.values()]


def daemon(name: str = "underlay-vip", /, **changes: Any) -> dict[str, Any]:
    """An item of the module's list, as its argument spec fills it."""
    files = changes.pop("files", {"daemon.conf": "one\n"})
    return {
        "name": name,
        "state": "present",
        "description": None,
        "program": PROGRAM,
        "package": "daemon-package",
        "arguments": ["--config", "{folder}/daemon.conf"],
        "files": [{"name": file, "content": text} for file, text in files.items()],
        "check": [],
        "needs": [],
        "after": ["network.target"],
        "runtime_folder": False,
        "readable": False,
        "reload": False,
        **changes,
    }


def absent(name: str = "underlay-vip", /) -> dict[str, Any]:
    return daemon(name, state="absent", program=None, arguments=[], files={})
