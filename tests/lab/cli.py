"""The ``lab`` command."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .errors import LabError
from .lab import Lab

EPILOG = "Faults: lab switch vlan w1 remove 101, lab switch cut w1 enp0s3; see lab switch --help"


def parser() -> argparse.ArgumentParser:
    """Return the command's grammar."""
    top = argparse.ArgumentParser(
        prog="lab", description="Virtual hosts with real VLANs and bonds.", epilog=EPILOG
    )
    top.add_argument(
        "--name", default="demo", help="which lab (default: demo); labs run side by side"
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start the lab, or what is missing of it")
    up.add_argument("--topology", type=Path, help="a topology file (default: the demo's)")
    verbs.add_parser("down", help="end the lab and remove all that is its")
    verbs.add_parser("status", help="show what runs")
    shell = verbs.add_parser("ssh", help="a shell or a command on a host")
    shell.add_argument("host")
    shell.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    verbs.add_parser("ssh-config", help="print the path of the ssh client configuration")
    for verb, what in (("power-cut", "take a host's power away"), ("power-on", "switch a host on")):
        verbs.add_parser(verb, help=what).add_argument("host")
    for verb, what in (
        ("snapshot", "keep all disks under a name"),
        ("restore", "put all disks back"),
    ):
        verbs.add_parser(verb, help=what).add_argument("snapshot")
    _switch_verbs(verbs.add_parser("switch", help="faults of the network"))
    return top


def _switch_verbs(switch: argparse.ArgumentParser) -> None:
    faults = switch.add_subparsers(dest="fault", required=True)
    faults.add_parser("show", help="every trunk port with its VLANs")
    faults.add_parser("clear", help="mend everything")
    vlan = faults.add_parser("vlan", help="add or remove a VLAN on a host's trunk ports")
    vlan.add_argument("host")
    vlan.add_argument("action", choices=("add", "remove"))
    vlan.add_argument("vlan", type=int)
    vlan.add_argument("nic", nargs="?", help="one uplink (default: all of the host)")
    port = faults.add_parser("port", help="stop or let pass all frames while the carrier stays")
    port.add_argument("host")
    port.add_argument("action", choices=("down", "up"))
    port.add_argument("nic", nargs="?")
    for verb, what in (("cut", "pull a cable: no carrier"), ("mend", "plug it in again")):
        cable = faults.add_parser(verb, help=what)
        cable.add_argument("host")
        cable.add_argument("nic", nargs="?")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = parser().parse_args(arguments)
    try:
        return _run(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("lab: interrupted; `lab down` removes what was started", file=sys.stderr)
        return 130


def _run(args: argparse.Namespace) -> int:
    lab = Lab(args.topology if args.verb == "up" else None, args.name)
    if args.verb == "up":
        lab.up()
        print(f"ssh -F {lab.ssh_config} {lab.topology.gateway.name}")
    elif args.verb == "down":
        lab.down()
    elif args.verb == "status":
        return _status(lab)
    elif args.verb == "ssh":
        lab.host(args.host)
        if not lab.ssh_config.exists():
            raise LabError(f"lab {lab.name} is not up: run `lab --name {lab.name} up` first")
        os.execvp("ssh", ["ssh", "-F", str(lab.ssh_config), args.host, *args.words])
    elif args.verb == "ssh-config":
        print(lab.ssh_config)
    elif args.verb == "power-cut":
        lab.power_cut(args.host)
    elif args.verb == "power-on":
        lab.power_on(args.host)
    elif args.verb == "snapshot":
        lab.snapshot(args.snapshot)
    elif args.verb == "restore":
        lab.restore(args.snapshot)
    else:
        _fault(lab, args)
    return 0


def _status(lab: Lab) -> int:
    """Print a line per part; exit code 0 when all run, 3 when some do, 4 when none does."""
    parts = lab.status()
    for part, runs in parts.items():
        address = next((str(h.address) for h in lab.topology.hosts if h.name == part), "switch")
        print(f"{part:14} {'running' if runs else 'off':8} {address}")
    print(f"ssh port {lab.port} on 127.0.0.1, configuration {lab.ssh_config}")
    return 0 if all(parts.values()) else 3 if any(parts.values()) else 4


def _fault(lab: Lab, args: argparse.Namespace) -> None:
    if args.fault == "show":
        for host, nic, number, port in lab.switch.show():
            vlans = ",".join(map(str, port.vlans)) or "none"
            flags = "" if port.forwarding else " dead"
            flags += "" if port.cable else " cut"
            print(f"{host:8} {nic:8} port {number:3} vlans {vlans}{flags}")
    elif args.fault == "clear":
        lab.switch.clear()
    elif args.fault == "vlan" and args.action == "add":
        lab.switch.add_vlan(args.host, args.vlan, args.nic)
    elif args.fault == "vlan":
        lab.switch.remove_vlan(args.host, args.vlan, args.nic)
    elif args.fault == "port" and args.action == "down":
        lab.switch.port_down(args.host, args.nic)
    elif args.fault == "port":
        lab.switch.port_up(args.host, args.nic)
    elif args.fault == "cut":
        lab.switch.cut(args.host, args.nic)
    else:
        lab.switch.mend(args.host, args.nic)
