# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a PXE server: dnsmasq's, nginx's, and the scripts that iPXE runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import address_text
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    PROVISIONING,
    BootImage,
)

# Where Debian's package ipxe has them. Both work by the driver that the firmware itself has for the
# NIC that it booted by, so that no NIC is unknown to them, and none is mistaken for another.
TFTP_ROOT = "/usr/lib/ipxe"
LOADERS = {"bios": "undionly.kpxe", "efi": "snponly.efi"}
# RFC 4578, 2.1, and its erratum 4624: firmware of x86-64 says 7, some says 9.
_ARCHITECTURES = {"bios": (0,), "efi": (7, 9)}
# Its own limit; there may be more machines.
_LEASES = 1000
# nginx -t binds what the file says it listens on; the server's address may not be there yet.
CHECK_LISTEN = "127.0.0.1:80"
_HEADER = "# Written by underlay.cluster. Changes here are overwritten."
_TEMPORARY = ("client_body", "fastcgi", "proxy", "scgi", "uwsgi")
# What a host's name may consist of, to stand in a URL as it is.
READY_NAME = "[A-Za-z0-9._-]+"
# dnsmasq takes a first digit for a lease time.
_HOST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*")
_KEYWORDS = {"ignore", "infinite"}


@dataclass(frozen=True, slots=True)
class Dhcp:
    """What a server's DHCP is about. server: its address; hosts: as the fleet's part has them."""

    link: str
    server: str
    segments: Sequence[Segment]
    hosts: Sequence[Mapping[str, Any]]
    lease_time: int
    for_unknown: bool
    runtime: str


@dataclass(frozen=True, slots=True)
class Menu:
    """What every machine's boot menu offers. server: its address; timeout: seconds."""

    server: str
    images: Sequence[BootImage]
    timeout: int


def is_url(path: str) -> bool:
    """Say whether an image's file is fetched from elsewhere."""
    return "://" in path


def dnsmasq_conf(dhcp: Dhcp) -> str:
    """Return dnsmasq's configuration."""
    lines = [_HEADER, *_dnsmasq_basics(dhcp)]
    for number, segment in enumerate(dhcp.segments, start=1):
        lines += ["", *_dnsmasq_segment(dhcp, segment, f"segment{number}")]
    return "\n".join([*lines, "", *_dnsmasq_boot(dhcp.server), "", *_dnsmasq_hosts(dhcp), ""])


def _dnsmasq_basics(dhcp: Dhcp) -> list[str]:
    return [
        "# DHCP and TFTP on the PXE network alone; port 0: no DNS.",
        "port=0",
        f"interface={dhcp.link}",
        "except-interface=lo",
        "bind-dynamic",
        "no-hosts",
        "no-resolv",
        "log-facility=-",
        "log-dhcp",
        "",
        "# The only DHCP server here: a machine with an old lease is told at once.",
        "dhcp-authoritative",
        f"dhcp-lease-max={max(_LEASES, 2 * len(dhcp.hosts))}",
        "# In the runtime folder on purpose: a restart, as after a host has become operational,",
        "# forgets all leases. Machines that are known get the same address again all the same.",
        f"dhcp-leasefile={dhcp.runtime}/leases",
        f"pid-file={dhcp.runtime}/dnsmasq.pid",
    ]


def _dnsmasq_segment(dhcp: Dhcp, segment: Segment, tag: str) -> list[str]:
    racks = f"rack {', '.join(segment.racks)}" if segment.racks else "racks without their own"
    mask, time = segment.cidr.netmask, f"{dhcp.lease_time}s"
    lines = [f"# Segment {' '.join(segment.name.split())} ({racks}), {segment.cidr}"]
    if ip_address(dhcp.server) not in segment.cidr:
        # RFC 1542, 4: the relay agent puts its address on the segment into giaddr.
        lines.append(
            f"# Its routers relay DHCP to {dhcp.server}, from their address in {segment.cidr}."
        )
    lines.append(f"dhcp-range=set:{tag},{segment.cidr.network_address},static,{mask},{time}")
    if dhcp.for_unknown:
        for part in segment.dhcp_ranges:
            ends = f"{address_text(part.first, 4)},{address_text(part.last, 4)}"
            lines.append(f"dhcp-range=tag:!known,set:{tag},{ends},{mask},{time}")
    # Without a value dnsmasq names no router; left to itself, it would name this server.
    router = f",{segment.gateway}" if segment.gateway else ""
    lines.append(f"dhcp-option=tag:{tag},option:router{router}")
    servers = ",".join(str(server) for server in segment.nameservers if server.version == 4)
    if servers:
        lines.append(f"dhcp-option=tag:{tag},option:dns-server,{servers}")
    return lines


def _dnsmasq_boot(server: str) -> list[str]:
    lines = [
        "# A machine's own ROM gets iPXE by TFTP, as its architecture asks for (RFC 4578).",
        "enable-tftp",
        f"tftp-root={TFTP_ROOT}",
    ]
    lines += [
        f"dhcp-match=set:{kind},option:client-arch,{number}"
        for kind, numbers in _ARCHITECTURES.items()
        for number in numbers
    ]
    lines += [
        "# What is iPXE already says so, by its user class or its own option 175.",
        "dhcp-userclass=set:ipxe,iPXE",
        "dhcp-match=set:ipxe,175",
    ]
    lines += [f"dhcp-boot=tag:!ipxe,tag:{kind},{file},,{server}" for kind, file in LOADERS.items()]
    return [*lines, f"dhcp-boot=tag:ipxe,http://{server}/boot.ipxe,,{server}"]


def _dnsmasq_hosts(dhcp: Dhcp) -> list[str]:
    lines = ["# A host that is operational gets no answer (MOSK, S4.1)."]
    for host in dhcp.hosts:
        mac, name = host["mac"], host["host"]
        if host["state"] != PROVISIONING:
            lines.append(f"dhcp-host={mac},ignore")
        elif _HOST_NAME.fullmatch(name) and name not in _KEYWORDS:
            lines.append(f"dhcp-host={mac},{host['address']},{name}")
        else:
            lines.append(f"dhcp-host={mac},{host['address']}")
    if not dhcp.for_unknown:
        lines += ["# Neither does a machine that is in no host's underlay_boot."]
        lines += ["dhcp-ignore=tag:!known"]
    return lines


def nginx_conf(listen: str) -> str:
    """Return nginx's configuration for an address and port; all else of it is in site.conf.

    Paths are relative to the prefix that it is started with.
    """
    folders = [f"    {kind}_temp_path {kind};" for kind in _TEMPORARY]
    lines = [
        _HEADER,
        "user www-data;",
        "worker_processes 1;",
        "pid nginx.pid;",
        "error_log stderr;",
        "events { }",
        "http {",
        *folders,
        "    types { }",
        "    default_type application/octet-stream;",
        "    sendfile on;",
        "    server_tokens off;",
        "    access_log off;",
        "    log_format ready '$time_iso8601 $remote_addr $uri';",
        "    server {",
        f"        listen {listen};",
        "        include site.conf;",
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def site_conf(folder: str, root: str) -> str:
    """Return what nginx serves: scripts of a folder, images of another one, and an ear."""
    lines = [
        _HEADER,
        f"location = /boot.ipxe {{ alias {folder}/boot.ipxe; }}",
        f"location /boot/ {{ alias {folder}/boot/; }}",
        f"location /images/ {{ alias {root.rstrip('/')}/; }}",
        "# How a machine reports in: the log has the time, its address and the path.",
        f"location ~ ^/ready/{READY_NAME}$ {{ access_log ready.log ready; return 204; }}",
        "location / { return 404; }",
    ]
    return "\n".join(lines) + "\n"


def entry_script(server: str, *, unknown_menu: bool) -> str:
    """Return the script that every machine begins with.

    netX is the NIC that iPXE opened last: the one that got the lease, whichever it is.
    """
    scripts = ["${netX/mac:hexhyp}.ipxe", *(["unknown.ipxe"] if unknown_menu else [])]
    lines = [f"chain --replace --autofree http://{server}/boot/{name} ||" for name in scripts]
    return "\n".join(["#!ipxe", _HEADER, *lines, *_disk()]) + "\n"


def host_script(menu: Menu, host: Mapping[str, Any], arguments: str) -> str:
    """Return the script of a host that is being provisioned: its own image unless one chooses."""
    name = host["host"]
    told = f"underlay.host={name} underlay.ready=http://{menu.server}/ready/{name}"
    return _menu_script(menu, f"{name}: provisioning", host["image"], f"{arguments} {told}")


def unknown_script(menu: Menu) -> str:
    """Return the script of a machine that is in no host's variables: the disk, unless chosen."""
    return _menu_script(menu, "A machine that is in no inventory", None, "")


def _menu_script(menu: Menu, title: str, own: str | None, arguments: str) -> str:
    labels = {image.name: f"image{number}" for number, image in enumerate(menu.images, start=1)}
    names = sorted(labels, key=lambda name: name != own)
    default = labels.get(own or "", "disk")
    lines = [
        "#!ipxe",
        _HEADER,
        ":menu",
        f"menu {title}",
        *(f"item {labels[name]} {name}" for name in names),
        "item disk Boot the local disk",
        "item shell iPXE shell",
        f"choose --timeout {menu.timeout * 1000} --default {default} target || goto disk",
        "goto ${target}",
        ":shell",
        "shell",
        "goto menu",
    ]
    for image in menu.images:
        lines += _image(menu.server, image, labels[image.name], arguments)
    # From the first script on, as the host's state may have changed in the meantime.
    retry = f"chain --replace http://{menu.server}/boot.ipxe || goto failed"
    lines += [":failed", "echo This did not work, trying again in 10 seconds", "sleep 10", retry]
    return "\n".join([*lines, *_disk()]) + "\n"


def _image(server: str, image: BootImage, label: str, arguments: str) -> list[str]:
    """Return the part that boots an image.

    The kernel's EFI stub finds an initial RAM disk by its name on the command line; a BIOS needs no
    name, and minds none.
    """
    names = [f"initrd{number}" for number, _file in enumerate(image.initrd, start=1)]
    named = " ".join(f"initrd={name}" for name in names)
    words = " ".join(f"{named} {image.arguments} {arguments}".split())
    return [
        f":{label}",
        "imgfree",
        f"kernel {_url(server, image.kernel)} {words}".rstrip() + " || goto failed",
        *(
            f"initrd --name {name} {_url(server, file)} || goto failed"
            for name, file in zip(names, image.initrd, strict=True)
        ),
        "boot || goto failed",
    ]


def _url(server: str, file: str) -> str:
    return file if is_url(file) else f"http://{server}/images/{file}"


def _disk() -> list[str]:
    """Return the end of a script: a BIOS is told the disk; UEFI takes its next boot entry.

    It does so after an error alone (UEFI 2.10, 3.1.1), hence the 1.
    """
    return [":disk", "iseq ${platform} pcbios && sanboot --no-describe --drive 0x80 ||", "exit 1"]
