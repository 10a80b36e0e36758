"""Reach the guests: keys, a client configuration that other tools use too, and commands over it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import process
from .layout import Topology
from .naming import ssh_port
from .paths import LabPaths

OPTIONS = """\
    User root
    IdentityFile {data}/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile {data}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    PasswordAuthentication no
    BatchMode yes
    ConnectTimeout 20
    ServerAliveInterval 15
    ServerAliveCountMax 4
    ControlMaster auto
    ControlPath {run}/ssh-%n
    ControlPersist 30m
    LogLevel ERROR
"""


def make_key(path: Path) -> tuple[str, str]:
    """Return the private and public half of the key at ``path``, making it when it is missing."""
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
        process.run(command)
    return path.read_text(), path.with_name(f"{path.name}.pub").read_text()


def write_config(topology: Topology, name: str, paths: LabPaths, host_keys: dict[str, str]) -> None:
    """Write the client configuration and the hosts' known keys (``host_keys``: name to public
    key).
    """
    options = OPTIONS.format(data=paths.data, run=paths.run)
    blocks = [f"# Lab {name}: ssh -F {paths.ssh_config} HOST"]
    for host in topology.hosts:
        where = f"    HostName {host.address}\n    ProxyJump {topology.gateway.name}\n"
        if host.gateway:
            where = f"    HostName 127.0.0.1\n    Port {ssh_port(name)}\n"
        blocks.append(f"Host {host.name}\n{where}    HostKeyAlias {host.name}\n{options}")
    paths.ssh_config.write_text("\n".join(blocks), encoding="utf-8")
    lines = [f"{host} {' '.join(key.split()[:2])}\n" for host, key in host_keys.items()]
    (paths.data / "known_hosts").write_text("".join(lines), encoding="utf-8")


def close(paths: LabPaths, host: str) -> None:
    """End the shared connection to a host, if there is one."""
    control = paths.run / f"ssh-{host}"
    if control.exists():
        base = ["ssh", "-F", str(paths.ssh_config), "-O", "exit", host]
        subprocess.run(base, capture_output=True, check=False, timeout=10)
        control.unlink(missing_ok=True)


def answers(paths: LabPaths, gateway: str, host: str, address: str, port: int) -> bool:
    """Whether a host's sshd shows its banner; others than the gateway are asked through it."""
    base = ["ssh", "-F", str(paths.ssh_config)]
    words = (
        [*base, gateway, "true"] if host == gateway else [*base, "-W", f"{address}:{port}", gateway]
    )
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False
        )
    except subprocess.TimeoutExpired as expired:
        return b"SSH-2.0" in (expired.stdout or b"")
    return done.returncode == 0 if host == gateway else b"SSH-2.0" in done.stdout
