"""What makes a guest the host it is: files that the initramfs lays over the shared image at the
first boot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from . import naming
from .cpio import Entry, archive
from .layout import USER_SLOT, Host, Topology

ROOT = "/identity"
INSTALLER = Path(__file__).parent / "installer"
USER_NIC = f"enp0s{USER_SLOT}"
USER_ADDRESS = "10.0.2.15/24"  # the address that QEMU's user network forwards to by default


def initrd_part(
    topology: Topology, lab: str, host: Host, host_key: str, authorized_key: str
) -> bytes:
    """Return the archive to append to the shared initramfs for one host."""
    files = {
        "/etc/hostname": f"{host.name}\n",
        "/etc/machine-id": f"{naming.machine_id(lab, host.name)}\n",
        "/etc/hosts": _hosts_file(topology),
    }
    secrets = {
        "/etc/ssh/ssh_host_ed25519_key": host_key,
        "/root/.ssh/authorized_keys": authorized_key,
    }
    if host.gateway:
        files["/etc/dnsmasq.d/lab.conf"] = dnsmasq(topology, lab)
        files["/etc/sysctl.d/90-lab-router.conf"] = (
            "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n"
        )
        secrets["/etc/netplan/10-gateway.yaml"] = _yaml(gateway_netplan(topology))
    else:
        secrets["/etc/netplan/10-provisioning.yaml"] = _yaml(host_netplan(host))
    entries = [Entry(ROOT + path, text.encode()) for path, text in files.items()]
    entries += [Entry(ROOT + path, text.encode(), 0o600) for path, text in secrets.items()]
    return archive(entries)


def installer_part() -> bytes:
    """Return the archive that makes a host's initramfs install a system on the empty disk."""
    program = (INSTALLER / "init").read_bytes()
    lease = (INSTALLER / "lease").read_bytes()
    return archive([Entry("/init", program, 0o755), Entry("/lease", lease, 0o755)])


def host_netplan(host: Host) -> dict[str, Any]:
    """Return a host's own netplan: the provisioning NIC by DHCP, the uplinks untouched."""
    nic = {"dhcp4": True, "dhcp6": False, "accept-ra": False, "optional": True}
    return {"network": {"version": 2, "ethernets": {host.provisioning.name: nic}}}


def gateway_netplan(topology: Topology) -> dict[str, Any]:
    """Return the gateway's netplan: its address on the provisioning network and on every VLAN."""
    gateway = topology.gateway
    length = topology.provisioning.prefixlen
    ethernets: dict[str, Any] = {
        USER_NIC: {"addresses": [USER_ADDRESS], "accept-ra": False, "optional": True},
        gateway.provisioning.name: {
            "addresses": [f"{gateway.address}/{length}"],
            "accept-ra": False,
        },
    }
    vlans: dict[str, Any] = {}
    for nic in gateway.uplinks:
        ethernets[nic.name] = {"mtu": topology.mtu, "accept-ra": False, "link-local": []}
        for vlan in topology.vlans:
            if vlan.id in nic.vlans and f"vlan{vlan.id}" not in vlans:
                vlans[f"vlan{vlan.id}"] = {
                    "id": vlan.id,
                    "link": nic.name,
                    "mtu": vlan.mtu,
                    "accept-ra": False,
                    "addresses": [str(address) for address in vlan.gateway],
                }
    network: dict[str, Any] = {"version": 2, "ethernets": ethernets}
    if vlans:
        network["vlans"] = vlans
    return {"network": network}


def dnsmasq(topology: Topology, lab: str) -> str:
    """Return dnsmasq's configuration: DNS everywhere, fixed leases on the provisioning network
    alone.

    No default route is offered: the networks under test bring their own.
    """
    gateway = topology.gateway
    lines = [
        "bind-dynamic",
        f"except-interface={USER_NIC}",
        "no-resolv",
        "no-hosts",
        f"domain={topology.domain}",
        f"local=/{topology.domain}/",
        "expand-hosts",
        f"dhcp-range={topology.provisioning.network_address},static,{topology.provisioning.netmask},12h",
        "dhcp-option=option:router",
        f"dhcp-option=option:dns-server,{gateway.address}",
        "dhcp-authoritative",
        "dhcp-leasefile=/run/dnsmasq.leases",
    ]
    for host in topology.hosts:
        lines.append(f"host-record={host.name},{host.name}.{topology.domain},{host.address}")
        if not host.gateway:
            mac = naming.mac(lab, host.name, host.provisioning.name)
            lines.append(f"dhcp-host={mac},{host.address},{host.name}")
    return "\n".join(lines) + "\n"


def _hosts_file(topology: Topology) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [
        f"{host.address} {host.name}.{topology.domain} {host.name}" for host in topology.hosts
    ]
    return "\n".join(lines) + "\n"


def _yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=False)
