# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan is read whole; the report's files are replaced at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.files import (
    place_of_report,
    read_plan,
    write_report,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    FolderStore,
    StoreError,
    write_plan_files,
)
from tests.unit.plugin_utils.report.fleets import FLEET, PLAN, fine, parts

AT = "2026-01-02T03:04:05+00:00"


def write(store: Path, hosts: int = 2) -> None:
    write_report(place_of_report(store), fine(hosts), AT, "then")


def test_without_a_plan_of_this_run_the_stored_one_is_read(tmp_path: Path) -> None:
    FolderStore(tmp_path).write_plan(PLAN, FLEET, parts("w1", "a/b"))
    plan = read_plan({}, tmp_path)
    assert plan.sha256 == PLAN
    assert plan.fleet == FLEET
    assert plan.parts == parts("w1", "a/b")


def test_the_plan_that_this_run_made_goes_first(tmp_path: Path) -> None:
    FolderStore(tmp_path).write_plan("0" * 64, FLEET, parts("old"))
    preview = tmp_path / "preview"
    preview.mkdir()
    write_plan_files(preview, FLEET, parts("w1"))
    plan = read_plan({"underlay_plan": {"sha256": PLAN, "folder": str(preview)}}, tmp_path)
    assert plan.sha256 == PLAN
    assert set(plan.parts) == {"w1"}


def test_no_plan_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no plan in .*: run playbooks/plan\.yml first"):
        read_plan({}, tmp_path)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    stored = FolderStore(tmp_path).write_plan(PLAN, FLEET, parts("w1"))
    (stored.folder / "hosts" / "w1.json").write_text("{", "utf-8")
    with pytest.raises(StoreError, match=r"w1\.json cannot be read"):
        read_plan({}, tmp_path)


def test_page_and_document_are_written_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    report = place_of_report(tmp_path)
    assert report.page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(report.document.read_text("utf-8"))["at"] == AT
    assert {file.name for file in report.page.parent.iterdir()} == {"report.html", "verdict.json"}


def test_a_new_report_replaces_the_old_and_what_a_killed_writer_left(tmp_path: Path) -> None:
    write(tmp_path)
    left = place_of_report(tmp_path).page.parent / ".report.html.new"
    left.write_text("half", "utf-8")
    write(tmp_path, hosts=3)
    assert not left.exists()
    assert len(json.loads(place_of_report(tmp_path).document.read_text("utf-8"))["hosts"]) == 3


def test_a_store_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", "utf-8")
    with pytest.raises(StoreError, match="reports cannot be written"):
        write(tmp_path)
