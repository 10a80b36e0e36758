# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned netplan file as the text that lies on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def netplan_text(file: Mapping[str, Any]) -> str:
    """Return the text of one item of a host part's `files`.

    The first line is how the target side tells that a file is ours, and which role's.
    """
    header = f"# Written by underlay.cluster, role: {file['role']}. Changes here are overwritten.\n"
    return header + str(yaml.dump(file["netplan"], Dumper=_Dumper, sort_keys=False))
