# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count tests in JUnit files, as pytest and ansible-test write them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Count:
    """How many tests passed, failed (errors count as failures) and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        """The sum of both."""
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    @property
    def total(self) -> int:
        """All tests, however they went."""
        return self.passed + self.failed + self.skipped

    def __str__(self) -> str:
        """The line that continuous integration reads."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count(files: Iterable[Path]) -> Count:
    """Add up the test cases of JUnit files; a file that is no XML counts as one failure."""
    total = Count()
    for file in files:
        try:
            root = ET.parse(file).getroot()
        except (ET.ParseError, OSError):
            total += Count(failed=1)
            continue
        for case in root.iter("testcase"):
            total += _judge(case)
    return total


def _judge(case: ET.Element) -> Count:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return Count(failed=1)
    if "skipped" in kinds:
        return Count(skipped=1)
    return Count(passed=1)
