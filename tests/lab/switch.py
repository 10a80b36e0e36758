"""The virtual switches: vde_switch processes, told over their management sockets what to do.

Ports are numbered by the topology and made beforehand, so that their VLANs outlive a guest's
power cut.
"""

from __future__ import annotations

import os
import re
import socket
import time

from . import process
from .errors import LabError
from .paths import LabPaths

PROVISIONING, UPLINK = "provisioning", "uplink"
# vde_switch's word for "untagged frames go nowhere".
NO_VLAN = 4095
PROMPT = b"vde$ "
PORTS = 128


class Switch:
    """One running vde_switch."""

    def __init__(self, name: str, paths: LabPaths) -> None:
        self.name = name
        self.socket = paths.switch(name)
        self._management = paths.switch_management(name)
        self._pid = paths.pid(name)
        self._log = paths.log(name)
        self._fifo = paths.run / f"{name}.stdin"

    @property
    def running(self) -> bool:
        """Whether the switch's process is alive."""
        return process.running(self._pid) is not None

    def start(self) -> None:
        """Start the switch and wait until it takes commands."""
        # It ends with its standard input: a pipe that this very process holds open at both ends
        # never ends.
        self._fifo.unlink(missing_ok=True)
        os.mkfifo(self._fifo, 0o600)
        command = [
            "vde_switch",
            "--numports",
            str(PORTS),
            "--sock",
            str(self.socket),
            "--mode",
            "0600",
        ]
        command += ["--mgmt", str(self._management), "--mgmtmode", "0600"]
        stdin = os.open(self._fifo, os.O_RDWR)
        try:
            process.start(self._pid, command, self._log, stdin)
        finally:
            os.close(stdin)
        self._wait()

    def stop(self) -> None:
        """End the switch and remove its sockets."""
        process.terminate(self._pid)
        for path in (self._management, self._fifo):
            path.unlink(missing_ok=True)
        if self.socket.is_dir():
            for path in self.socket.iterdir():
                path.unlink()
            self.socket.rmdir()

    def create_port(self, port: int) -> None:
        """Make a port that only a guest asking for its number gets."""
        self._commands([f"port/create {port}", f"port/allocatable {port} 0"])

    def set_vlans(self, port: int, vlans: set[int], native: int | None) -> None:
        """Let exactly these tagged VLANs through a port, and untagged frames as those of the VLAN
        ``native``, or none of them.
        """
        defined = self.vlans()
        wanted = vlans | ({native} if native else set())
        commands = [f"vlan/create {vlan}" for vlan in sorted(wanted - set(defined))]
        have = {vlan for vlan, ports in defined.items() if ports.get(port)}
        commands += [f"vlan/delport {vlan} {port}" for vlan in sorted(have - vlans)]
        commands += [f"vlan/addport {vlan} {port}" for vlan in sorted(vlans - have)]
        commands.append(f"port/setvlan {port} {NO_VLAN if native is None else native}")
        self._commands(commands)

    def vlans(self) -> dict[int, dict[int, bool]]:
        """Return the defined VLANs; each maps its ports to whether frames carry the tag there."""
        return parse_vlans(self._commands(["vlan/allprint"])[0])

    def _wait(self, patience: float = 10.0) -> None:
        limit = time.monotonic() + patience
        while not (self._management.exists() and (self.socket / "ctl").exists()):
            if time.monotonic() > limit:
                said = self._log.read_text(errors="replace")[-500:] if self._log.exists() else ""
                raise LabError(
                    f"the {self.name} switch does not start: {said.strip() or 'no message'}"
                )
            time.sleep(0.02)

    def _commands(self, commands: list[str]) -> list[str]:
        """Run commands one after the other and return their answers; raise ``LabError`` when one
        fails.
        """
        answers = []
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(10.0)
                link.connect(str(self._management))
                _until_prompt(link)
                for command in commands:
                    link.sendall(command.encode() + b"\n")
                    answer = _until_prompt(link)
                    if not re.search(r"^1000 ", answer, re.MULTILINE):
                        raise LabError(
                            f"the {self.name} switch refused {command!r}: {answer.strip()}"
                        )
                    answers.append(answer)
        except OSError as error:
            raise LabError(
                f"the {self.name} switch does not answer ({error}): is the lab up?"
            ) from error
        return answers


def parse_vlans(text: str) -> dict[int, dict[int, bool]]:
    """Read the answer to ``vlan/allprint``: VLAN to port to tagged."""
    vlans: dict[int, dict[int, bool]] = {}
    for line in text.splitlines():
        if match := re.match(r"VLAN (\d+)", line):
            vlans[int(match[1])] = {}
        elif match := re.match(r" -- Port (\d+) tagged=(\d)", line):
            vlans[next(reversed(vlans))][int(match[1])] = match[2] == "1"
    return vlans


def _until_prompt(link: socket.socket) -> str:
    data = b""
    while not data.endswith(PROMPT):
        piece = link.recv(65536)
        if not piece:
            raise OSError("connection closed")
        data += piece
    return data.removesuffix(PROMPT).decode(errors="replace")
