# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all the tests that run the playbooks on virtual machines.

It is booted and brought to the plan once; each test leaves it as it found it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.integration.ansible_run import ROOT, play
from tests.integration.lab_site import NAME, Site
from tests.lab import Lab


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Boot the lab, preview, apply."""
    inventory = tmp_path_factory.mktemp("site") / "inventory"
    shutil.copytree(ROOT / "inventories" / "lab", inventory, ignore=shutil.ignore_patterns(".*"))
    with Lab(name=NAME) as lab:
        arguments = ("-e", f"lab_name={NAME}", "--diff")
        preview = play("site.yml", inventory, *arguments, "--check")
        untouched = not (inventory / ".underlay").exists()
        assert untouched, "check mode wrote to the store"
        first = play("site.yml", inventory, *arguments)
        yield Site(lab, inventory, preview, first)
