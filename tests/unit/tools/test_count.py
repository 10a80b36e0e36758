# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The count at the end of `make test`: nothing that failed is lost, nothing is counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check, junit

PYTEST = """<testsuites><testsuite tests="4">
  <testcase name="a"/>
  <testcase name="b"><failure message="no"/></testcase>
  <testcase name="c"><skipped message="not here"/></testcase>
  <testcase name="d"><error message="fixture"/></testcase>
</testsuite></testsuites>"""
SANITY = (
    '<testsuites><testsuite><testcase classname="sanity" name="yamllint"/></testsuite></testsuites>'
)


def written(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{number}.xml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def test_failures_and_errors_count_as_failed_and_skips_as_skipped(tmp_path: Path) -> None:
    assert junit.count(written(tmp_path, PYTEST, SANITY)) == junit.Count(2, 2, 1)


def test_a_report_cut_short_is_a_failure(tmp_path: Path) -> None:
    assert junit.count(written(tmp_path, PYTEST[:60])) == junit.Count(failed=1)


def test_the_last_line_has_the_form_that_continuous_integration_reads() -> None:
    assert str(junit.Count(3, 0, 1)) == "3 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([check.Result("mypy", ok=True, seconds=1)], junit.Count()),
        ([check.Result("mypy", ok=False, seconds=1)], junit.Count(failed=1)),
        ([check.Result("unit", ok=False, seconds=1, tests=junit.Count())], junit.Count(failed=1)),
        ([check.Result("unit", ok=False, seconds=1, tests=junit.Count(5, 2))], junit.Count(5, 2)),
        (
            [
                check.Result("ruff", ok=False, seconds=1),
                check.Result("unit", ok=True, seconds=1, tests=junit.Count(5, 0, 1)),
            ],
            junit.Count(5, 1, 1),
        ),
    ],
)
def test_a_stage_that_failed_without_a_failed_test_counts_as_one(
    results: list[check.Result], expected: junit.Count
) -> None:
    assert check.total(results) == expected


def test_a_stage_in_which_no_test_ran_has_failed() -> None:
    assert not check.counted("unit", ok=True, seconds=1, tests=junit.Count(skipped=3)).ok
