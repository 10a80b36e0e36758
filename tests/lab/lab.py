"""A lab: its switches and guests as a whole, from ``up`` to ``down``."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from . import identity, image, kvm, naming, process, qmp, ssh
from .errors import LabError
from .faults import Faults
from .guest import Guest
from .image import Image
from .layout import TOPOLOGIES, Host, Topology, load, parse
from .paths import LabPaths
from .progress import Say, say, step
from .state import State
from .switch import PROVISIONING, UPLINK, Switch

TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "vde_switch": "vde2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mmdebstrap": "mmdebstrap",
}
BOOT_SECONDS = 600.0
# A guest's clock is watched for so long, and may go so much faster: an answer takes its time, too.
CLOCK_SECONDS = 0.5
CLOCK_TOLERANCE = 1.5


class Lab:
    """A lab of one name. As a context manager it is up inside and gone afterwards."""

    def __init__(
        self, topology: Topology | Path | None = None, name: str = "demo", tell: Say = say
    ) -> None:
        self.name = naming.check_lab_name(name)
        self.paths = LabPaths.of(name)
        self._tell = tell
        self.topology = self._topology(topology)
        self.switch = Faults(self.topology, self.paths, self.guest)
        self._image: Image | None = None
        self._kvm: bool | None = None

    def __enter__(self) -> Lab:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def ssh_config(self) -> Path:
        """The ssh client configuration for this lab, to be given with ``ssh -F``."""
        return self.paths.ssh_config

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1 that leads to the gateway's sshd."""
        return naming.ssh_port(self.name)

    def guest(self, name: str) -> Guest:
        """Return a host's machine."""
        if self._image is None:
            self._image = image.ensure(self._tell)
        if self._kvm is None:
            self._kvm = kvm.works(self._image, self._tell)
        return Guest(self.name, self.host(name), self.paths, self._image, self._kvm)

    def up(self) -> None:
        """Bring the whole lab up; what already runs stays as it is.

        What a crashed start left behind, or a lab of another topology or image, is removed first.
        A host without power is switched on with the disk that it has.
        """
        _check_tools()
        with self._locked():
            guests = [self.guest(host.name) for host in self.topology.hosts]
            built = self._built(guests[0].image)
            state = State.read(self.paths.state)
            if state is None or not state.complete or state.built != built:
                self._remove()
                self._create(built, guests)
            switched_on = [guest for guest in guests if not guest.host.empty or guest.running]
            self._start(switched_on)
            self._wait_ready([guest.host for guest in switched_on])
            state = State.read(self.paths.state) or State(built)
            state.complete = True
            state.write(self.paths.state)

    def down(self) -> None:
        """End every process of the lab and remove its disks, sockets and files."""
        with self._locked():
            self._remove()
            self.paths.lock.unlink(missing_ok=True)

    def status(self) -> dict[str, bool]:
        """Return each part of the lab (switches, then hosts) and whether it runs."""
        parts = [PROVISIONING, UPLINK, *(host.name for host in self.topology.hosts)]
        return {part: process.running(self.paths.pid(part)) is not None for part in parts}

    def ssh(
        self, host: str, command: str | list[str], check: bool = True, timeout: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host as root and return its result as text.

        Raises ``LabError`` with the command's words when it fails and ``check`` is set.
        """
        self.host(host)
        words = command if isinstance(command, str) else shlex.join(command)
        line = ["ssh", "-F", str(self.ssh_config), host, words]
        try:
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise LabError(f"{host}: {words}: no end within {timeout:.0f} s") from expired
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise LabError(f"{host}: {words}: failed with {done.returncode}: {said}")
        return done

    def power_cut(self, host: str) -> None:
        """Take a host's power away at once."""
        guest = self._built_guest(host)
        self._close_connections([host])
        guest.power_cut()

    def power_on(self, host: str, wait: bool = True) -> None:
        """Switch a host on again, with its disk as the power cut left it."""
        guest = self._built_guest(host)
        self._start([guest])
        if wait:
            self._wait_ready([guest.host])

    def wait(self, host: str) -> None:
        """Wait until a host's sshd answers."""
        self._wait_ready([self.host(host)])

    def copy(self, host: str, *files: Path, to: str) -> None:
        """Copy files into a folder of a host; raise ``LabError`` when that fails."""
        self.host(host)
        words = ["scp", "-q", "-F", str(self.ssh_config), *map(str, files), f"{host}:{to}"]
        process.run(words)

    def snapshot(self, name: str) -> None:
        """Keep the disks of all hosts under a name (running ones with their memory); replaces an
        older one.
        """
        naming.check_lab_name(name)
        with step(self._tell, f"snapshot {name}"):
            self._parallel(lambda guest: _snapshot(guest, name))

    def restore(self, name: str) -> None:
        """Put all hosts back to a snapshot; faults of the network stay as they are now."""
        naming.check_lab_name(name)
        self._close_connections([host.name for host in self.topology.hosts])
        with step(self._tell, f"restoring {name}"):
            self._parallel(lambda guest: _restore(guest, name))
        hosts = [host for host in self.topology.hosts if not host.empty]
        guests = [self.guest(host.name) for host in hosts]
        self._start(guests)
        self._wait_ready(hosts)
        self._parallel(lambda guest: self.ssh(guest.host.name, f"date -s @{time.time():.2f}"))

    def _topology(self, given: Topology | Path | None) -> Topology:
        if isinstance(given, Topology):
            return given
        if given is not None:
            return load(given)
        state = State.read(self.paths.state)
        if state is not None and "topology" in state.built:
            return parse(state.built["topology"], f"the running lab {self.name}")
        return load(TOPOLOGIES / "demo.yml")

    def host(self, name: str) -> Host:
        """Return a host; raise ``LabError`` that lists the names when there is none such."""
        try:
            return self.topology.host(name)
        except KeyError as error:
            raise LabError(str(error.args[0])) from error

    def _built_guest(self, name: str) -> Guest:
        """Return a host's machine; raise ``LabError`` when the lab has none yet."""
        self.host(name)
        if not self.paths.disk(name).exists():
            raise LabError(f"lab {self.name} is not up: run `lab --name {self.name} up` first")
        return self.guest(name)

    def _built(self, base: Image) -> dict[str, Any]:
        return {"topology": self.topology.source, "image": base.folder.name}

    def _create(self, built: dict[str, Any], guests: list[Guest]) -> None:
        """Make keys, configuration and empty disks; the state says that the start is not complete
        yet.
        """
        self.paths.create()
        State(built).write(self.paths.state)
        _unused, public = ssh.make_key(self.paths.data / "id_ed25519")
        known: dict[str, str] = {}
        for guest in guests:
            host = guest.host
            private, known[host.name] = ssh.make_key(self.paths.data / f"hostkey-{host.name}")
            part = identity.initrd_part(self.topology, self.name, host, private, public)
            if host.empty:
                part += identity.installer_part()
            self.paths.initrd(host.name).write_bytes(guest.image.initrd.read_bytes() + part)
            guest.create_disk()
        ssh.write_config(self.topology, self.name, self.paths, known)

    def _start(self, guests: list[Guest]) -> None:
        """Start what does not run yet. Guests do not find a new switch by themselves: they are
        restarted.
        """
        self.paths.create()
        switches = [Switch(name, self.paths) for name in (PROVISIONING, UPLINK)]
        if not all(switch.running for switch in switches):
            for host in self.topology.hosts:
                self._close_connections([host.name])
                process.kill(self.paths.pid(host.name))
            for switch in switches:
                switch.stop()
                switch.start()
                self._create_ports(switch)
        for guest in guests:
            if guest.host.gateway and not guest.running:
                self._check_port()
            if not guest.running:
                guest.power_on()
            self.switch.apply(guest.host)

    def _create_ports(self, switch: Switch) -> None:
        for host in self.topology.hosts:
            nics = (host.provisioning,) if switch.name == PROVISIONING else host.uplinks
            for nic in nics:
                switch.create_port(nic.port)

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise LabError(
                    f"port {self.port} on 127.0.0.1, where lab {self.name!r} wants its ssh, is"
                    f" taken: end what listens there (ss -ltnp 'sport = :{self.port}')"
                    " or use another --name"
                ) from error

    def _wait_ready(self, hosts: list[Host], patience: float = BOOT_SECONDS) -> None:
        """Wait until the sshd of every host answers; the gateway comes first because it leads to
        the others.
        """
        missing = {host.name: host for host in hosts}
        limit = time.monotonic() + patience
        gateway = self.topology.gateway

        def waiting() -> str:
            return f"no answer yet from {', '.join(missing)}"

        with (
            step(self._tell, f"waiting for {len(hosts)} hosts", waiting),
            ThreadPoolExecutor(8) as pool,
        ):
            while missing:
                asked = [gateway] if gateway.name in missing else list(missing.values())
                for host, ready in zip(asked, pool.map(self._answers, asked), strict=True):
                    if ready and self._keeps_time(host):
                        del missing[host.name]
                    elif ready:
                        self.power_cut(host.name)
                        self._start([self.guest(host.name)])
                    elif process.running(self.paths.pid(host.name)) is None:
                        said = _tail(self.paths.log(host.name)) or _tail(
                            self.paths.console(host.name)
                        )
                        raise LabError(f"{host.name} went off while booting: {said}")
                if missing and time.monotonic() > limit:
                    console = self.paths.console(next(iter(missing)))
                    raise LabError(
                        f"no answer from {', '.join(missing)} in {patience:.0f} s; see {console}"
                    )
                if missing:
                    time.sleep(0.5)

    def _answers(self, host: Host) -> bool:
        if host.gateway and not _banner(self.port):
            return False
        return ssh.answers(self.paths, self.topology.gateway.name, host.name, str(host.address), 22)

    def _keeps_time(self, host: Host) -> bool:
        """Whether a second is one in the guest. A kernel that measured its clock's pace while the
        machine was busy may be wrong by several times, and its timeouts with it.
        """
        begin, there = time.monotonic(), self._uptime(host)
        time.sleep(CLOCK_SECONDS)
        passed = self._uptime(host) - there
        return passed < (time.monotonic() - begin) * CLOCK_TOLERANCE

    def _uptime(self, host: Host) -> float:
        return float(self.ssh(host.name, "cut -d ' ' -f 1 /proc/uptime").stdout)

    def _close_connections(self, hosts: list[str]) -> None:
        # Connections through the gateway die with the gateway's own.
        for host in hosts:
            ssh.close(self.paths, host)

    def _parallel(self, work: Callable[[Guest], object]) -> None:
        guests = [self._built_guest(host.name) for host in self.topology.hosts]
        with ThreadPoolExecutor(len(guests)) as pool:
            list(pool.map(work, guests))

    def _remove(self) -> None:
        """End the processes of all pid files, also of hosts that this topology does not know;
        remove all files.
        """
        if self.paths.run.is_dir():
            for control in self.paths.run.glob("ssh-*"):
                ssh.close(self.paths, control.name.removeprefix("ssh-"))
            switches = {self.paths.pid(name) for name in (PROVISIONING, UPLINK)}
            for pid_file in sorted(self.paths.run.glob("*.pid"), key=lambda path: path in switches):
                process.kill(pid_file)
            shutil.rmtree(self.paths.run)
            with contextlib.suppress(OSError):  # other labs may be in it
                self.paths.run.parent.rmdir()
        if self.paths.data.is_dir():
            shutil.rmtree(self.paths.data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lab's lock; a lock file that ``down`` removed meanwhile counts for nothing."""
        self.paths.lock.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with self.paths.lock.open("w") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    with step(self._tell, f"another command works on lab {self.name}: waiting"):
                        fcntl.flock(handle, fcntl.LOCK_EX)
                if _same_file(handle.fileno(), self.paths.lock):
                    yield
                    return


def _same_file(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _check_tools() -> None:
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing:
        raise LabError(f"programs are missing: apt-get install {' '.join(missing)}")


def _banner(port: int) -> bool:
    """Whether an sshd shows its banner on a local port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as link:
            return link.recv(7) == b"SSH-2.0"
    except OSError:
        return False


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-400:].strip() if path.exists() else ""


def _snapshot(guest: Guest, name: str) -> None:
    disk = str(guest.paths.disk(guest.host.name))
    if guest.running:
        qmp.human(guest.paths.qmp(guest.host.name), f"savevm {name}")
        return
    if name in process.run(["qemu-img", "snapshot", "-l", disk]).split():
        process.run(["qemu-img", "snapshot", "-d", name, disk])
    process.run(["qemu-img", "snapshot", "-c", name, disk])


def _restore(guest: Guest, name: str) -> None:
    disk = str(guest.paths.disk(guest.host.name))
    if name not in process.run(["qemu-img", "snapshot", "-U", "-l", disk]).split():
        raise LabError(f"{guest.host.name}: no snapshot {name}")
    if guest.running:
        try:
            qmp.human(guest.paths.qmp(guest.host.name), f"loadvm {name}")
            return
        except LabError:  # taken without memory, while the host had no power
            guest.power_cut()
    process.run(["qemu-img", "snapshot", "-a", name, disk])
