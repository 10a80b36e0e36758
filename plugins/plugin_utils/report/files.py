# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan's files in, a report's files out: the one part of the report that touches a disk."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.place import plan_folder
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.document import document
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.page import page
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import Verdict
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import StoreError, read_fleet

FOLDER = "reports"


@dataclass(frozen=True, slots=True)
class Report:
    """Where a verdict's report lies."""

    page: Path
    document: Path


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A plan as it lies in the store. parts: host -> its part."""

    sha256: str
    fleet: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Any]]


def read_plan(variables: Mapping[str, Any], store: Path) -> ReadPlan:
    """Return the whole plan that a run's hosts were measured against. Raises StoreError."""
    folder = plan_folder(variables, store)
    made = variables.get("underlay_plan")
    # The folder of a stored plan has its hash for a name; a plan of check mode lies elsewhere.
    sha256 = str(made["sha256"]) if made else folder.name
    fleet = read_fleet(folder)
    parts = [_read(file) for file in sorted((folder / "hosts").glob("*.json"))]
    return ReadPlan(sha256, fleet, {part["name"]: part for part in parts})


def place_of_report(store: Path) -> Report:
    """Return where reports of this store lie."""
    folder = store / FOLDER
    return Report(folder / "report.html", folder / "verdict.json")


def write_report(report: Report, verdict: Verdict, at: str, shown_at: str) -> None:
    """Write both files, each at once. Raises StoreError.

    at: when the verdict was reached, ISO 8601; shown_at: the same for people
    """
    texts = {
        report.document: json.dumps(document(verdict, at), indent=1) + "\n",
        report.page: page(verdict, shown_at),
    }
    try:
        report.page.parent.mkdir(parents=True, exist_ok=True)
        with _alone(report.page.parent):
            for file, text in texts.items():
                _replace(file, text)
    except OSError as error:
        where = report.page.parent
        raise StoreError(f"{where} cannot be written: {error.strerror or error}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        part: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read: {error}. Plan again.") from error
    return part


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other writers out until the end. The lock is on the folder: it leaves no file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    # Always the same name, so what a killed writer leaves is gone with the next one.
    scratch = file.with_name(f".{file.name}.new")
    with scratch.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.replace(file)
