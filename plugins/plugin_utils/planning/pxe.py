# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network boot (MOSK, S4.1): who boots by which address, and what a PXE server runs for it.

A host has its address on the PXE network for good, so that it gets the same one whenever it is
provisioned; but it is written to no host, and an operational host is not served. IPv4 alone: that
is what PXE ROMs speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import (
    Host,
    Model,
    Network,
    Segment,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_order
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning import pxe_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.addresses import Claim
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.roles import Roles
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    OPERATIONAL,
    PROVISIONING,
    BootImage,
    Pxe,
)

KIND = "pxe"
DHCP, HTTP = "underlay-pxe-dhcp", "underlay-pxe-http"
DNSMASQ, NGINX = "/usr/sbin/dnsmasq", "/usr/sbin/nginx"

Addresses = Mapping[tuple[str, str, int], str]


def pxe_claims(model: Model) -> Iterator[Claim]:
    """Yield the claims of the hosts that boot over the network, whatever their state.

    A host that attaches the network, as a server does, claims its address there as any host does.
    """
    for name in natural_order(list(model.hosts)):
        host = model.hosts[name]
        segment = _segment_of(model, host)
        if segment is None or (segment.network, True) in host.template.networks:
            continue
        yield Claim(name, segment.network, 4, segment, None, segment.path, name)


def pxe_fleet(model: Model, addresses: Addresses) -> dict[str, Any]:
    """Return what everybody may know of PXE, as plain data; nothing where nothing is served.

    addresses: (owner, network, version) -> address, as they were given
    """
    pxe = model.services.pxe
    if pxe is None:
        return {}
    hosts = []
    for name in natural_order(list(model.hosts)):
        host = model.hosts[name]
        segment = _segment_of(model, host)
        address = segment and addresses.get((name, segment.network, 4))
        if host.boot is None or segment is None or address is None:
            continue
        hosts.append(
            {
                "host": name,
                "mac": host.boot.mac,
                "network": segment.network,
                "address": address,
                "state": host.state,
                "image": host.boot.image,
            }
        )
    servers = Roles(model).hosts_of_all(pxe.servers) & set(model.hosts)
    return {"pxe": {"servers": natural_order(list(servers)), "hosts": hosts}}


def serve_pxe(model: Model, fleet: Mapping[str, Any], parts: Mapping[str, dict[str, Any]]) -> None:
    """Add to each host's part its PXE daemons, and the files that an operational host loses."""
    for name, part in parts.items():
        part["obsolete"] = obsolete(model, model.hosts[name])
    for name, items in daemons(model, fleet, parts).items():
        parts[name].setdefault("daemons", {})["pxe_server"] = items


def obsolete(model: Model, host: Host) -> list[str]:
    """Return the files in /etc/netplan that must not be on a host any more (S4.1)."""
    pxe = model.services.pxe
    return list(pxe.leftovers) if pxe and host.state == OPERATIONAL else []


def daemons(
    model: Model, fleet: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Return each host's PXE daemons; for no host where nothing is served.

    fleet: with pxe_fleet's data as "pxe"; parts: the hosts' parts with their addresses
    """
    pxe = model.services.pxe
    if pxe is None:
        return {}
    found = {name: [_absent(DHCP), _absent(HTTP)] for name in parts}
    first: set[str] = set()
    for name in fleet["pxe"]["servers"]:
        own = _own_address(parts.get(name, {}))
        if own is None:
            continue  # told by the rules on networks
        network = model.networks[own["network"]]
        # Two servers would each give an address of the same range to machines of nobody.
        for_unknown = pxe.menu_for_unknown and network.name not in first
        first.add(network.name)
        served = [item for item in fleet["pxe"]["hosts"] if item["network"] == network.name]
        server = _Server(model, network, own["address"].partition("/")[0], own["link"])
        found[name] = [server.dhcp(pxe, served, for_unknown), server.http(pxe, served)]
    return found


@dataclass(frozen=True, slots=True)
class _Server:
    """A server on one PXE network. address: its own there; link: the interface that has it."""

    model: Model
    network: Network
    address: str
    link: str

    def dhcp(self, pxe: Pxe, hosts: list[Mapping[str, Any]], for_unknown: bool) -> dict[str, Any]:
        """Return the instance of dnsmasq that answers DHCP and TFTP."""
        settings = pxe_text.Dhcp(
            link=self.link,
            server=self.address,
            segments=[item for item in self.network.segments if item.version == 4],
            hosts=hosts,
            lease_time=pxe.lease_time,
            for_unknown=for_unknown,
            runtime=f"/run/{DHCP}",
        )
        check = [DNSMASQ, "--test", "--conf-file={folder}/dnsmasq.conf"]
        return {
            "name": DHCP,
            "state": "present",
            "description": "Underlay: DHCP and TFTP for machines that are being provisioned",
            "program": DNSMASQ,
            "package": "dnsmasq-base",
            "arguments": ["--keep-in-foreground", "--conf-file={folder}/dnsmasq.conf"],
            "files": [{"name": "dnsmasq.conf", "content": pxe_text.dnsmasq_conf(settings)}],
            "check": [check],
            # Debian's package ipxe brings them.
            "needs": [f"{pxe_text.TFTP_ROOT}/{name}" for name in pxe_text.LOADERS.values()],
            "runtime_folder": True,
        }

    def http(self, pxe: Pxe, hosts: list[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the instance of nginx that serves scripts and images, and hears who is ready."""
        folder = f"/etc/underlay/{HTTP}"
        waiting = [item for item in hosts if item["state"] == PROVISIONING]
        files = {
            "nginx.conf": pxe_text.nginx_conf(f"{self.address}:80"),
            "check.conf": pxe_text.nginx_conf(pxe_text.CHECK_LISTEN),
            "site.conf": pxe_text.site_conf(folder, pxe.root),
            "boot.ipxe": pxe_text.entry_script(self.address, unknown_menu=pxe.menu_for_unknown),
        }
        if pxe.menu_for_unknown:
            files["boot/unknown.ipxe"] = pxe_text.unknown_script(self._menu(pxe))
        for item in waiting:
            boot = self.model.hosts[item["host"]].boot
            arguments = boot.arguments if boot else ""
            name = f"boot/{item['mac'].replace(':', '-')}.ipxe"
            files[name] = pxe_text.host_script(self._menu(pxe), item, arguments)
        prefix = ["-p", f"/run/{HTTP}"]
        return {
            "name": HTTP,
            "state": "present",
            "description": "Underlay: boot scripts and images for machines being provisioned",
            "program": NGINX,
            "package": "nginx",
            "arguments": [*prefix, "-c", "{folder}/nginx.conf", "-g", "daemon off;"],
            "files": [{"name": name, "content": files[name]} for name in sorted(files)],
            # It writes below the prefix (its temporary folders and the file with its id), and binds
            # its addresses; the scratch folder and check.conf keep that off the running one.
            "check": [[NGINX, "-t", "-q", "-p", "{folder}", "-c", "{folder}/check.conf"]],
            "needs": needed_files(pxe, waiting),
            "runtime_folder": True,
            "readable": True,
            "reload": True,
        }

    def _menu(self, pxe: Pxe) -> pxe_text.Menu:
        return pxe_text.Menu(self.address, pxe.images, pxe.menu_timeout)


def needed_files(pxe: Pxe, waiting: list[Mapping[str, Any]]) -> list[str]:
    """Return the folder of the images, and the files that machines are about to boot from."""
    used = {item["image"] for item in waiting}
    paths = [
        f"{pxe.root.rstrip('/')}/{file}"
        for image in pxe.images
        if image.name in used
        for file in image_files(image)
        if not pxe_text.is_url(file)
    ]
    return list(dict.fromkeys([pxe.root, *paths]))


def image_files(image: BootImage) -> list[str]:
    """Return what an image consists of: paths and URLs."""
    return [image.kernel, *image.initrd]


def _segment_of(model: Model, host: Host) -> Segment | None:
    """Return the segment that a host boots in: of the first PXE network that its rack has."""
    if host.boot is None:
        return None
    networks = [network for network in model.networks.values() if network.kind == KIND]
    found = [
        segment
        for network in networks
        for segment in network.segments_for(host.rack)
        if segment.version == 4
    ]
    return found[0] if found else None


def _own_address(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for item in part.get("addresses", ()):
        if item["kind"] == KIND and ":" not in item["address"]:
            own: Mapping[str, Any] = item
            return own
    return None


def _absent(name: str) -> dict[str, Any]:
    return {"name": name, "state": "absent"}
