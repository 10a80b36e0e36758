# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VRRP router id of a virtual address: the same for its rules and for its holders' files."""

from __future__ import annotations

from ansible_collections.underlay.cluster.plugins.plugin_utils.ip import Address
from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Vip

# One byte, and 0 is nobody's (RFC 5798, 5.2.3).
ROUTER_IDS = range(1, 256)


def router_id(vip: Vip, address: Address) -> int:
    """Return the VIP's own router id, or else the one that follows from its address.

    By the address' last byte, neighbours on a segment differ, and no run depends on an earlier one.
    """
    if vip.router_id is not None:
        return vip.router_id
    return int(address) & 0xFF or ROUTER_IDS[-1]
