# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what `make` made in this checkout: caches, logs, `.venv`, the import link. Not the demo's
store and not a running lab: that is `make demo-down`.

    python -m tools.clean
"""

from __future__ import annotations

import shutil

from tools import checkout, steps

MADE = (
    ".build",
    ".collections",
    ".venv",
    ".ansible",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "tests/output",
)


def main() -> None:
    """Remove them, naming each."""
    with steps.stoppable():
        caches = [p for p in checkout.ROOT.rglob("__pycache__") if ".venv" not in p.parts]
        for path in [checkout.ROOT / name for name in MADE] + caches:
            if path.exists():
                shutil.rmtree(path)
                if path not in caches:
                    steps.say(f"removed: {path.relative_to(checkout.ROOT)}")


if __name__ == "__main__":
    main()
