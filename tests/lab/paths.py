"""Where the lab keeps its things: a cache shared by all labs, and two folders per lab."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError


def cache_root() -> Path:
    """Return ``$XDG_CACHE_HOME/underlay-lab`` (default below ``~/.cache``)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "underlay-lab"


@dataclass(frozen=True)
class LabPaths:
    """The folders of one lab.

    ``data`` holds disks, keys, logs and state; ``run`` holds sockets and pid files. The latter
    lies under ``/tmp`` because the path of a Unix socket has at most 107 characters (unix(7)).
    """

    data: Path
    run: Path
    lock: Path

    @classmethod
    def of(cls, name: str) -> LabPaths:
        """Return the folders of the lab with this name; nothing is created."""
        data = cache_root() / "labs" / name
        tag = hashlib.sha256(str(data).encode()).hexdigest()[:6]
        run = Path(f"/tmp/underlay-lab-{os.getuid()}") / f"{name}-{tag}"
        return cls(data=data, run=run, lock=cache_root() / "labs" / f".{name}.lock")

    def create(self) -> None:
        """Make both folders, for this user alone; raise ``LabError`` when ``/tmp`` holds
        another's.
        """
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.run.parent, self.run):
            folder.mkdir(exist_ok=True, parents=True, mode=0o700)
            seen = folder.lstat()
            if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
                raise LabError(f"{folder} belongs to somebody else: remove it, then start again")

    def log(self, part: str) -> Path:
        """Return the log file of a part of the lab (a host's console, a switch)."""
        return self.data / f"{part}.log"

    def console(self, host: str) -> Path:
        """Return what a host wrote to its serial console."""
        return self.data / f"{host}.console"

    def disk(self, host: str) -> Path:
        """Return a host's disk (a qcow2 overlay)."""
        return self.data / f"{host}.qcow2"

    def initrd(self, host: str) -> Path:
        """Return a host's initramfs: the image's own plus the host's identity."""
        return self.data / f"{host}.initrd"

    def pid(self, part: str) -> Path:
        """Return the pid file of a process of the lab."""
        return self.run / f"{part}.pid"

    def qmp(self, host: str) -> Path:
        """Return the socket of a guest's machine monitor."""
        return self.run / f"{host}.qmp"

    def switch(self, switch: str) -> Path:
        """Return the folder of a virtual switch's data socket."""
        return self.run / f"{switch}.vde"

    def switch_management(self, switch: str) -> Path:
        """Return the management socket of a virtual switch."""
        return self.run / f"{switch}.mgmt"

    @property
    def ssh_config(self) -> Path:
        """The ssh client configuration that reaches every host by its name."""
        return self.data / "ssh_config"

    @property
    def state(self) -> Path:
        """What was built, and which faults are set."""
        return self.data / "state.json"
