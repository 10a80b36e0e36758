# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a real firewalld and the kernel who comes in. Runs beside firewalld, with its own Python.

One JSON question a line on stdin, one answer a line on stdout. A question gives zones, policies
and interfaces to rebind at runtime; the answer says which of the fixed ways were open, or what
firewalld refused. Nothing of the collection is used here: it is what the collection is held
against.

The host in whose namespace this runs gets eth0 and eth1, cabled to a namespace of a peer.
"""

import json
import socket
import subprocess
import sys
import threading
from typing import Any

import dbus  # type: ignore[import-not-found]

BUS_NAME = "org.fedoraproject.FirewallD1"
ROOT = "/org/fedoraproject/FirewallD1"
PEER = "peer"
PEER_MAC = "02:00:00:00:00:03"
PORTS = (22, 80)
ADDRESSES = {
    "eth0": ("10.1.0.1/16", "fd01::1/64"),
    "eth1": ("10.2.0.1/16", "fd02::1/64"),
}
PEERS = {
    "eth0": ("10.1.2.3/16", "10.1.9.9/16", "fd01::3/64"),
    "eth1": ("10.2.2.3/16", "fd02::3/64"),
}
# A dropped connection never answers; the cable between two namespaces answers in microseconds.
CONNECT_SECONDS = 0.5

CONNECTOR = """
import errno, json, select, socket, sys, time
for line in sys.stdin:
    ways, seconds = json.loads(line)
    tried = {}
    for number, (source, target, port) in enumerate(ways):
        s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        s.setblocking(False)
        s.bind((source, 0))
        s.connect_ex((target, port))
        tried[s] = number
    answers = [False] * len(ways)
    end = time.monotonic() + seconds
    while tried and time.monotonic() < end:
        ready = select.select([], list(tried), [], max(0, end - time.monotonic()))[1]
        for s in ready:
            answers[tried.pop(s)] = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            s.close()
    for s in tried:
        s.close()
    print(json.dumps(answers), flush=True)
"""


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=sys.stderr)


def cable() -> None:
    """Make the peer, its cables and addresses."""
    run("ip", "netns", "add", PEER)
    for name, own in ADDRESSES.items():
        end = f"to-{name}"
        run("ip", "link", "add", name, "type", "veth", "peer", "name", end, "netns", PEER)
        run("ip", "-n", PEER, "link", "set", end, "address", PEER_MAC)
        for address in own:
            run("ip", "address", "add", address, "dev", name, *nodad(address))
        for address in PEERS[name]:
            run("ip", "-n", PEER, "address", "add", address, "dev", end, *nodad(address))
        run("ip", "link", "set", name, "up")
        run("ip", "-n", PEER, "link", "set", end, "up")


def nodad(address: str) -> list[str]:
    return ["nodad"] if ":" in address else []


def listen(port: int) -> None:
    """Accept whatever gets through."""
    server = socket.create_server(
        ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256
    )

    def serve() -> None:
        while True:
            server.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()


def ways() -> list[tuple[str, str, str, int]]:
    """All ways: interface, source, own address, port."""
    return [
        (interface, source.partition("/")[0], target.partition("/")[0], port)
        for interface, own in ADDRESSES.items()
        for target in own
        for source in PEERS[interface]
        if (":" in source) == (":" in target)
        for port in PORTS
    ]


class Firewalld:
    """The daemon over D-Bus, with plain dicts."""

    def __init__(self) -> None:
        self.bus = dbus.SystemBus()
        self.main = self.at(ROOT, "")
        self.config = self.at(f"{ROOT}/config", ".config")
        self.made: list[tuple[str, str]] = []

    def at(self, path: str, interface: str) -> dbus.Interface:
        return dbus.Interface(self.bus.get_object(BUS_NAME, path), f"{BUS_NAME}{interface}")

    def forget(self) -> None:
        """Take away what the last question made."""
        for kind, name in reversed(self.made):
            path = getattr(self.config, f"get{kind}ByName")(name)
            self.at(path, f".config.{kind.lower()}").remove()
        self.made = []
        public = self.at(self.config.getZoneByName("public"), ".config.zone")
        public.update2(typed(EMPTY))

    def make(self, question: dict[str, Any]) -> None:
        for name, ipset in question["ipsets"].items():
            options = dbus.Dictionary(ipset["options"], signature="ss")
            entries = dbus.Array(ipset["entries"], signature="s")
            value = ("", "", "", ipset["type"], options, entries)
            self.keep("IPSet", name, self.config.addIPSet(name, value))
        for name, service in question["services"].items():
            self.keep("Service", name, self.config.addService2(name, typed(service)))
        for name, zone in question["zones"].items():
            settings = dict(zone)
            settings["rules_str"] = settings.pop("rich_rules", [])
            if name == "public":
                path = self.config.getZoneByName(name)
                self.at(path, ".config.zone").update2(typed({**EMPTY, **settings}))
            else:
                self.keep("Zone", name, self.config.addZone2(name, typed(settings)))
        for name, policy in question["policies"].items():
            self.keep("Policy", name, self.config.addPolicy(name, typed(policy)))
        self.main.reload(timeout=60)
        runtime = self.at(ROOT, ".zone")
        for zone, interface in question["rebind"]:
            runtime.removeInterface(zone, interface)
            runtime.addInterface(zone, interface)

    def keep(self, kind: str, name: str, _path: str) -> None:
        # the paths are numbered anew at a reload: the name is what stays
        self.made.append((kind, name))


# firewalld leaves alone what it is not told
EMPTY = {
    "target": "default", "interfaces": [], "sources": [], "services": [], "ports": [],
    "source_ports": [], "protocols": [], "forward_ports": [], "rules_str": [],
}  # fmt: skip
PAIRS = {"ports": "(ss)", "source_ports": "(ss)", "forward_ports": "(ssss)"}


def typed(settings: dict[str, Any]) -> dbus.Dictionary:
    """A dict as D-Bus wants it: lists with their signatures."""
    result = {}
    for key, value in settings.items():
        if isinstance(value, list):
            items = [tuple(item) if key in PAIRS else item for item in value]
            result[key] = dbus.Array(items, signature=PAIRS.get(key, "s"))
        elif isinstance(value, dict):
            result[key] = dbus.Dictionary(value, signature="ss")
        elif isinstance(value, int) and not isinstance(value, bool):
            result[key] = dbus.Int32(value)
        else:
            result[key] = value
    return dbus.Dictionary(result, signature="sv")


def tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    cable()
    for port in PORTS:
        listen(port)
    firewalld = Firewalld()
    connector = subprocess.Popen(
        ["ip", "netns", "exec", PEER, sys.executable, "-c", CONNECTOR],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    tell(ways())
    assert connector.stdin is not None
    assert connector.stdout is not None
    for line in sys.stdin:
        try:
            firewalld.forget()
            firewalld.make(json.loads(line))
        except dbus.DBusException as error:
            tell({"refused": str(error)})
            continue
        asked = [(source, target, port) for _eth, source, target, port in ways()]
        connector.stdin.write(json.dumps([asked, CONNECT_SECONDS]) + "\n")
        connector.stdin.flush()
        tell({"open": json.loads(connector.stdout.readline())})


if __name__ == "__main__":
    main()
