# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan alone, offline: `playbooks/plan.yml` on an inventory of this checkout.

python -m tools.plan INVENTORY [ARGUMENTS FOR ansible-playbook]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools import checkout, prepare, steps

PLAYBOOK = checkout.ROOT / "playbooks" / "plan.yml"
INVENTORIES = checkout.ROOT / "inventories"


def main() -> None:
    """Plan the inventory named on the command line; this process becomes ansible-playbook."""
    with steps.stoppable():
        inventory, *rest = sys.argv[1:] or [""]
        if not inventory or not Path(inventory).exists():
            raise steps.StopError(_which(inventory))
        prepare.everything("plan")
        program = str(checkout.venv_program("ansible-playbook"))
        argv = [program, str(PLAYBOOK), "-i", inventory, *rest]
        sys.stdout.flush()
        os.execve(program, argv, steps.environment())


def _which(inventory: str) -> str:
    there = sorted(p.relative_to(checkout.ROOT) for p in INVENTORIES.glob("*") if p.is_dir())
    names = ", ".join(str(path) for path in there) or "none yet"
    missing = f"there is no {inventory}" if inventory else "no inventory was named"
    return f"{missing}. Use: make plan INVENTORY=PATH [ARGS=--diff]. In this checkout: {names}"


if __name__ == "__main__":
    main()
