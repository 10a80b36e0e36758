# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give one host the first free address of one network: measured against, no part of the product."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible.module_utils.basic import AnsibleModule
from netaddr import IPNetwork, IPSet


def main() -> None:
    """Read the file, take the first free address, write the file."""
    names = ("file", "host", "network", "cidr")
    module = AnsibleModule({name: {"type": "str", "required": True} for name in names})
    file = Path(module.params["file"])
    allocations = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
    given = allocations.setdefault(module.params["network"], {})
    if module.params["host"] in given:
        module.exit_json(changed=False, ip=given[module.params["host"]])
    cidr = IPNetwork(module.params["cidr"])
    free = IPSet(cidr) - IPSet([cidr.network, cidr.broadcast, *given.values()])
    given[module.params["host"]] = str(next(iter(free)))
    file.write_text(yaml.safe_dump(allocations), "utf-8")
    module.exit_json(changed=True, ip=given[module.params["host"]])


if __name__ == "__main__":
    main()
