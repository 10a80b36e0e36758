# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of underlay_pxe's values, as they come to stand in files of dnsmasq, nginx, iPXE.

None of the three has a way to quote everything, so that what would mean something else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Model, Network
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.pxe_text import (
    READY_NAME,
    is_url,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import (
    PROVISIONING,
    PXE,
    BootImage,
    Pxe,
)

# dnsmasq lengthens what is shorter (its man page, dhcp-range).
_LEAST_LEASE_SECONDS = 120
_PATH = re.compile(r"[A-Za-z0-9._~+-]+(/[A-Za-z0-9._~+-]+)*")
# RFC 3986, 2: what a URL consists of, without the $ that iPXE would take for a setting.
_URL = re.compile(r"[a-z]+://[A-Za-z0-9._~:/?#\[\]@!&'()*+,;=%-]+")
# iPXE ends a command at these words, and a line is a command.
_ENDS = {"&&", "||"}
_OURS = re.compile(r"[0-9]{2}-underlay-[A-Za-z0-9_.-]+\.yaml")
_FILE = re.compile(r"[^/\x00-\x1f]+\.yaml")


def check_pxe(model: Model) -> Iterator[Problem]:
    """Yield everything that is wrong with the values that network boot is made of."""
    pxe = model.services.pxe
    if pxe is None:
        return
    for network in model.networks.values():
        if network.kind == "pxe":
            yield from _families(network)
    yield from _numbers(pxe)
    if not re.fullmatch(f"/{_PATH.pattern}/?", pxe.root) or ".." in pxe.root.split("/"):
        right = "Give a folder as /srv/pxe, of letters, digits and . _ ~ + -"
        yield Problem(f"{PXE}.root", pxe.root, "cannot be served", right)
    for image in pxe.images:
        yield from _image(image)
    for index, name in enumerate(pxe.leftovers):
        yield from _leftover(name, f"{PXE}.leftovers[{index}]")
    for host in model.hosts.values():
        if host.boot is None:
            continue
        yield from _words(host.boot.arguments, "underlay_boot.arguments", host.name)
        if host.state == PROVISIONING and not re.fullmatch(READY_NAME, host.name):
            wrong = "cannot stand in a URL as it is, and the host is to be provisioned"
            right = "Use letters, digits, dots, _ and - in its name"
            yield Problem("inventory_hostname", host.name, wrong, right, host.name)


def _families(network: Network) -> Iterator[Problem]:
    """PXE is done by IPv4 here, so that each rack that has the network has it by IPv4."""
    fours = [segment for segment in network.segments if segment.version == 4]
    for segment in network.segments:
        racks = set(segment.racks)
        same = [other for other in fours if racks & set(other.racks) or not (racks or other.racks)]
        if segment.version == 6 and not same:
            wrong = "is IPv6, and its racks have no IPv4 segment of this PXE network"
            right = "Add one with an IPv4 subnet, as machines boot by IPv4"
            yield Problem(f"{segment.path}.cidr", str(segment.cidr), wrong, right)


def _numbers(pxe: Pxe) -> Iterator[Problem]:
    if pxe.lease_time < _LEAST_LEASE_SECONDS:
        right = f"Give {_LEAST_LEASE_SECONDS} seconds or more"
        yield Problem(f"{PXE}.lease_time", pxe.lease_time, "is too short for a lease", right)
    if pxe.menu_timeout < 1:
        right = "Give 1 second or more"
        yield Problem(f"{PXE}.menu_timeout", pxe.menu_timeout, "would wait for ever", right)


def _image(image: BootImage) -> Iterator[Problem]:
    path = f"{PXE}.images[{image.name}]"
    files = {"kernel": image.kernel}
    files |= {f"initrd[{index}]": file for index, file in enumerate(image.initrd)}
    yield from _words(image.name, f"{path}.name")
    yield from _words(image.arguments, f"{path}.arguments")
    for key, file in files.items():
        fits = _URL if is_url(file) else _PATH
        if not fits.fullmatch(file) or ".." in file.split("/"):
            right = (
                f"Give a path below {PXE}.root as debian/vmlinuz, of letters, digits and "
                ". _ ~ + -, or a URL"
            )
            yield Problem(f"{path}.{key}", file, "cannot be fetched", right)


def _words(text: str, path: str, host: str = "") -> Iterator[Problem]:
    if not text.isprintable() or _ENDS & set(text.split()) or "${" in text:
        right = "Write one line without the words && and ||, and without ${"
        yield Problem(path, text, "would mean something else to iPXE", right, host)


def _leftover(name: str, path: str) -> Iterator[Problem]:
    if not _FILE.fullmatch(name):
        right = "Give a file's name alone, as 50-cloud-init.yaml"
        yield Problem(path, name, "is not the name of a file that netplan reads", right)
    elif _OURS.fullmatch(name):
        right = "Take it out: what the plan no longer has is removed anyway"
        yield Problem(path, name, "is the name of a file of ours", right)
