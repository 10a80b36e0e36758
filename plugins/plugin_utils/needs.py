# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner's libraries, and which of them are missing on this controller.

One place, so that a plugin without them loads and can say so in a sentence.
"""

from __future__ import annotations

__all__ = ["jmespath", "missing", "netaddr"]

missing: list[str] = []

try:
    import jmespath
except ImportError:
    jmespath = None
    missing.append("jmespath")

try:
    import netaddr
except ImportError:
    netaddr = None
    missing.append("netaddr")
