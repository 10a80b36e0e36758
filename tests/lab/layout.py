"""A lab's topology: typed, and checked as a whole before anything is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any

import yaml

from .errors import TopologyError
from .reading import Reader

# vde_switch cuts every frame to 1518 bytes, VLAN tag included (its struct packet: 14 + 1504):
# measured.
MAX_MTU = 1500
MAX_UPLINKS = 2
# Slots on PCI bus 0 fix the kernel's names: slot 3 is enp0s3 (systemd.net-naming-scheme(7)).
PROVISIONING_SLOT, FIRST_UPLINK_SLOT, USER_SLOT = 2, 3, 5
TOPOLOGIES = Path(__file__).parent / "topology"


@dataclass(frozen=True)
class Vlan:
    """A VLAN of the uplink switch and the gateway's addresses in it."""

    id: int
    name: str
    gateway: tuple[IPv4Interface | IPv6Interface, ...]
    mtu: int


@dataclass(frozen=True)
class Nic:
    """A network card: kernel name, PCI slot, port of its switch, the tagged VLANs given to that
    port, and the VLAN that its untagged frames belong to there (0: one that no VLAN meets).
    """

    name: str
    slot: int
    port: int
    vlans: tuple[int, ...] = ()
    native: int = 0


@dataclass(frozen=True)
class Host:
    """A virtual machine. ``rack`` is empty for the gateway, ``memory`` is in MiB.

    ``empty``: it has an empty disk and boots over the network, by its first uplink; it is off until
    somebody switches it on.
    """

    name: str
    gateway: bool
    rack: str
    address: IPv4Address
    memory: int
    provisioning: Nic
    uplinks: tuple[Nic, ...]
    empty: bool = False

    def uplink(self, name: str) -> Nic:
        """Return the uplink with this kernel name; raise ``KeyError`` that lists the names."""
        for nic in self.uplinks:
            if nic.name == name:
                return nic
        raise KeyError(f"{self.name} has no uplink {name}; it has {[n.name for n in self.uplinks]}")


@dataclass(frozen=True)
class Topology:
    """Everything that a lab consists of."""

    mtu: int
    provisioning: IPv4Network
    domain: str
    vlans: tuple[Vlan, ...]
    hosts: tuple[Host, ...]
    source: dict[str, Any] = field(compare=False, repr=False)

    @property
    def gateway(self) -> Host:
        """The jump host and router."""
        return next(host for host in self.hosts if host.gateway)

    def host(self, name: str) -> Host:
        """Return a host by name; raise ``KeyError`` that lists the names."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(f"no host {name}; the lab has {[host.name for host in self.hosts]}")


def load(path: Path) -> Topology:
    """Read a topology file; raise ``TopologyError`` with all problems at once."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TopologyError(str(path), [str(error).replace("\n", " ")]) from error
    return parse(data, str(path))


def parse(data: Any, source: str = "topology") -> Topology:
    """Turn plain data into a topology; raise ``TopologyError`` with all problems at once."""
    reader = Reader()
    top = reader.mapping("", data)
    reader.only("", top, ("mtu", "provisioning", "vlans", "racks", "hosts"))
    mtu = reader.number("mtu", top.get("mtu", MAX_MTU), 1280, MAX_MTU)
    where = reader.mapping("provisioning", top.get("provisioning", {}))
    reader.only("provisioning", where, ("cidr", "domain"))
    network = reader.network("provisioning.cidr", where.get("cidr"))
    vlans = _vlans(reader, top, mtu)
    known = tuple(vlan.id for vlan in vlans)
    racks = _racks(reader, top, known)
    hosts = _hosts(reader, top, racks, known, network)
    if reader.problems:
        raise TopologyError(source, reader.problems)
    domain = str(where.get("domain", "lab.example"))
    return Topology(mtu, network, domain, vlans, hosts, top)


def _vlans(reader: Reader, top: dict[str, Any], mtu: int) -> tuple[Vlan, ...]:
    vlans: list[Vlan] = []
    for path, item in reader.items("vlans", top.get("vlans", [])):
        reader.only(path, item, ("id", "name", "gateway", "mtu"))
        number = reader.number(f"{path}.id", item.get("id"), 1, 4094)
        if number in [vlan.id for vlan in vlans]:
            reader.problem(f"{path}.id", number, "a VLAN id that no other VLAN has")
        addresses: list[IPv4Interface | IPv6Interface] = []
        for index, text in enumerate(reader.sequence(f"{path}.gateway", item.get("gateway", []))):
            try:
                addresses.append(ip_interface(str(text)))
            except ValueError:
                reader.problem(
                    f"{path}.gateway[{index}]", text, "an address with its prefix length"
                )
        size = reader.number(f"{path}.mtu", item.get("mtu", mtu), 1280, mtu)
        vlans.append(Vlan(number, str(item.get("name", number)), tuple(addresses), size))
    return tuple(vlans)


def _racks(
    reader: Reader, top: dict[str, Any], known: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    racks: dict[str, tuple[int, ...]] = {}
    for path, item in reader.items("racks", top.get("racks", [])):
        reader.only(path, item, ("name", "vlans"))
        name = reader.word(f"{path}.name", item.get("name"))
        if name in racks:
            reader.problem(f"{path}.name", name, "a name that no other rack has")
        racks[name] = reader.members(f"{path}.vlans", item.get("vlans", []), known)
    return racks


def _hosts(
    reader: Reader,
    top: dict[str, Any],
    racks: dict[str, tuple[int, ...]],
    known: tuple[int, ...],
    network: IPv4Network,
) -> tuple[Host, ...]:
    hosts: list[Host] = []
    next_port = 1
    for path, item in reader.items("hosts", top.get("hosts", [])):
        reader.only(path, item, ("name", "role", "rack", "address", "memory", "uplinks", "empty"))
        name = reader.word(f"{path}.name", item.get("name"))
        if name in [host.name for host in hosts]:
            reader.problem(f"{path}.name", name, "a name that no other host has")
        gateway = (
            reader.choice(f"{path}.role", item.get("role", "host"), ("host", "gateway"))
            == "gateway"
        )
        rack = "" if gateway else reader.choice(f"{path}.rack", item.get("rack"), tuple(racks))
        address = reader.address(f"{path}.address", item.get("address"), network)
        if address in [host.address for host in hosts]:
            reader.problem(f"{path}.address", address, "an address that no other host has")
        default = known if gateway else racks.get(rack, ())
        uplinks = _uplinks(
            reader, f"{path}.uplinks", item.get("uplinks", MAX_UPLINKS), default, known, next_port
        )
        next_port += len(uplinks)
        provisioning = Nic(f"enp0s{PROVISIONING_SLOT}", PROVISIONING_SLOT, len(hosts) + 1)
        memory = reader.number(f"{path}.memory", item.get("memory", 384), 256, 65536)
        empty = item.get("empty", False)
        if not isinstance(empty, bool) or (empty and (gateway or not uplinks)):
            reader.problem(f"{path}.empty", empty, "true or false, true on a host with an uplink")
        hosts.append(Host(name, gateway, rack, address, memory, provisioning, uplinks, bool(empty)))
    if sum(host.gateway for host in hosts) != 1:
        reader.problem(
            "hosts", [host.name for host in hosts if host.gateway], "one host with role: gateway"
        )
    return tuple(hosts)


def _uplinks(
    reader: Reader,
    path: str,
    value: Any,
    default: tuple[int, ...],
    known: tuple[int, ...],
    port: int,
) -> tuple[Nic, ...]:
    """Read ``uplinks``: a number of trunks with the rack's VLANs, or a list with each one's own
    ``vlans`` and ``native`` VLAN.
    """
    trunks: list[tuple[tuple[int, ...], int]]
    if not isinstance(value, list):
        count = reader.number(path, value, 0, MAX_UPLINKS)
        trunks = [(default, 0)] * count
    else:
        trunks = []
        for item_path, item in reader.items(path, value):
            reader.only(item_path, item, ("vlans", "native"))
            native = item.get("native", 0)
            if native not in (0, *known):
                right = "the id of a VLAN of this topology"
                reader.problem(f"{item_path}.native", native, right)
            vlans = reader.members(f"{item_path}.vlans", item.get("vlans", list(default)), known)
            trunks.append((vlans, native))
        if len(trunks) > MAX_UPLINKS:
            reader.problem(path, f"{len(trunks)} uplinks", f"at most {MAX_UPLINKS}")
    return tuple(
        Nic(
            f"enp0s{FIRST_UPLINK_SLOT + index}",
            FIRST_UPLINK_SLOT + index,
            port + index,
            vlans,
            native,
        )
        for index, (vlans, native) in enumerate(trunks[:MAX_UPLINKS])
    )
