# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: the collection's import path and hypothesis' profiles.

`pythonpath` in pyproject.toml already names `.collections`; the link inside it is made here when
somebody runs pytest in a checkout that has not been prepared.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tools import checkout

checkout.link_collection()

# A test that waits for the machine's mood tells nothing about the code: no deadline anywhere.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
