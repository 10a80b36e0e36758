"""Faults of the network on demand: VLANs missing from trunks, dead ports, cut cables."""

from __future__ import annotations

from collections.abc import Callable

from .errors import LabError
from .guest import Guest
from .layout import Host, Nic, Topology
from .paths import LabPaths
from .state import Port, State
from .switch import UPLINK, Switch

MAX_VLAN = 4093  # the highest id that vde_switch takes: measured


class Faults:
    """The uplink switch of a running lab as tests and people break and mend it.

    ``nic`` is an uplink's kernel name such as ``enp0s3``; without it the fault hits all uplinks
    of the host. Faults last until they are mended, over power cuts and restored snapshots.
    """

    def __init__(self, topology: Topology, paths: LabPaths, guest: Callable[[str], Guest]) -> None:
        self._topology = topology
        self._paths = paths
        self._guest = guest

    def add_vlan(self, host: str, vlan: int, nic: str | None = None) -> None:
        """Let a tagged VLAN through the host's trunk port."""
        self._change_vlans(host, nic, vlan, present=True)

    def remove_vlan(self, host: str, vlan: int, nic: str | None = None) -> None:
        """Stop a tagged VLAN at the host's trunk port; the link stays up."""
        self._change_vlans(host, nic, vlan, present=False)

    def port_down(self, host: str, nic: str | None = None) -> None:
        """Let no frame through the port while the carrier stays: a dead port that nobody notices
        at once.
        """
        self._change(host, nic, lambda port: setattr(port, "forwarding", False))

    def port_up(self, host: str, nic: str | None = None) -> None:
        """Let the port forward again, with the VLANs that it has."""
        self._change(host, nic, lambda port: setattr(port, "forwarding", True))

    def cut(self, host: str, nic: str | None = None) -> None:
        """Pull the cable: the host sees no carrier."""
        self._change(host, nic, lambda port: setattr(port, "cable", False))

    def mend(self, host: str, nic: str | None = None) -> None:
        """Plug the cable in again."""
        self._change(host, nic, lambda port: setattr(port, "cable", True))

    def clear(self) -> None:
        """Mend everything: every trunk port as the topology has it."""
        state = self._state()
        state.ports = {}
        state.write(self._paths.state)
        for host in self._topology.hosts:
            self.apply(host)

    def show(self) -> list[tuple[str, str, int, Port]]:
        """Return every trunk port: host, NIC, number on the switch, state."""
        state = self._state()
        return [
            (host.name, nic.name, nic.port, port_of(state, host, nic))
            for host in self._topology.hosts
            for nic in host.uplinks
        ]

    def apply(self, host: Host) -> None:
        """Bring a host's ports and cables to what the lab's state says, after a start for
        instance.
        """
        state = self._state()
        switch = Switch(UPLINK, self._paths)
        guest = self._guest(host.name)
        for nic in host.uplinks:
            port = port_of(state, host, nic)
            vlans = set(port.vlans) if port.forwarding else set()
            switch.set_vlans(nic.port, vlans, nic.native if port.forwarding else None)
            if guest.running:
                guest.set_link(nic.name, port.cable)

    def _change_vlans(self, host: str, nic: str | None, vlan: int, present: bool) -> None:
        if not 1 <= vlan <= MAX_VLAN:
            raise LabError(f"VLAN {vlan}: the virtual switch takes 1 to {MAX_VLAN}")

        def change(port: Port) -> None:
            port.vlans = sorted(set(port.vlans) | {vlan} if present else set(port.vlans) - {vlan})

        self._change(host, nic, change)

    def _change(self, host_name: str, nic_name: str | None, change: Callable[[Port], None]) -> None:
        try:
            host = self._topology.host(host_name)
            nics = host.uplinks if nic_name is None else (host.uplink(nic_name),)
        except KeyError as error:
            raise LabError(str(error.args[0])) from error
        state = self._state()
        for nic in nics:
            port = port_of(state, host, nic)
            change(port)
            state.ports[f"{host.name}/{nic.name}"] = port
        state.write(self._paths.state)
        self.apply(host)

    def _state(self) -> State:
        state = State.read(self._paths.state)
        if state is None:
            raise LabError("this lab is not up: run `lab up` first")
        return state


def port_of(state: State, host: Host, nic: Nic) -> Port:
    """Return a port as the state has it, or else as the topology wants it."""
    return state.ports.get(f"{host.name}/{nic.name}") or Port(list(nic.vlans))
