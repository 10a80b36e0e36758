# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner knows of one host once addresses are given and NICs are picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Network as Cidr
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Segment


@dataclass(frozen=True, slots=True)
class HostView:
    """One host's share of the fleet's decisions.

    nics: NIC group -> NIC facts; known_nics: every NIC's name, in natural order
    segments: network -> the host's segments, IPv4 first
    addresses: (network, family) -> address with prefix length
    vips: name -> address text
    announced: network -> VIPs with prefix length that the host announces by routing
    inside: the pods' and services' subnets
    keeps_out: whether the host must not reach out-of-band networks
    """

    name: str
    rack: str
    nics: Mapping[str, Sequence[Mapping[str, Any]]]
    known_nics: Sequence[str]
    segments: Mapping[str, Sequence[Segment]]
    addresses: Mapping[tuple[str, int], str]
    vips: Mapping[str, str]
    announced: Mapping[str, Sequence[str]] = field(default_factory=dict)
    inside: Sequence[Cidr] = ()
    keeps_out: bool = True
