# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the machine, and what is said when it is not fit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import bench, machine, sanity, steps


def released(folder: Path, text: str) -> Path:
    file = folder / "os-release"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_system_is_known_by_os_release(tmp_path: Path) -> None:
    file = released(tmp_path, 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n')
    assert machine.os_name(file) == ("debian", "12")


@pytest.mark.parametrize(("system", "version"), [("debian", "11"), ("fedora", "44"), ("linux", "")])
def test_another_system_is_refused_with_what_to_use(
    monkeypatch: pytest.MonkeyPatch, system: str, version: str
) -> None:
    monkeypatch.setattr(machine, "os_name", lambda: (system, version))
    with pytest.raises(steps.StopError, match="Debian 12 or 13, or on Ubuntu"):
        machine.check_os()


def test_too_little_memory_is_said_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_available_gb", lambda: 1.5)
    with pytest.raises(steps.StopError, match=r"about 3 GB of memory, 1\.5 GB are free"):
        machine.check_room()


def test_too_little_disk_is_said_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_available_gb", lambda: 16.0)
    monkeypatch.setattr(machine, "disk_free_gb", {machine.lab_cache(): 1.0}.__getitem__)
    with pytest.raises(steps.StopError, match=r"about 6 GB of disk .* 1\.0 GB are free"):
        machine.check_room()


def test_only_packages_whose_program_is_missing_are_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs = (machine.Need("sh", "dash"), machine.Need("no-such-program", "wanted"))
    monkeypatch.setitem(machine.PACKAGES, "lab", needs)
    assert machine.missing("lab") == ["wanted"]


def test_shims_give_way_to_the_pythons_behind_them(tmp_path: Path) -> None:
    for version in ("3.11.7", "3.13.0"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
    (tmp_path / "shims").mkdir()

    path = sanity.path_of_real_pythons(os.pathsep.join([str(tmp_path / "shims"), "/usr/bin"]))

    assert path.split(os.pathsep) == [
        str(tmp_path / "versions" / "3.11.7" / "bin"),
        str(tmp_path / "versions" / "3.13.0" / "bin"),
        "/usr/bin",
    ]


def test_of_a_bench_only_figures_are_kept() -> None:
    output = "$ python bench\nplan_1000_seconds 1.25 s\nplanning for 1000 hosts\nratio 12 x\n"
    assert bench.figures(output) == ["plan_1000_seconds 1.25 s", "ratio 12 x"]
