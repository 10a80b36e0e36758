"""Only the lab's own processes are ended, and all of them, also after a crash."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, LabError, load, process
from tests.lab.layout import TOPOLOGIES
from tests.lab.paths import LabPaths
from tests.lab.progress import silent
from tests.lab.state import Port, State


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LabPaths]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = LabPaths.of("crash")
    paths.create()
    yield paths
    for pid_file in paths.run.glob("*.pid"):
        process.kill(pid_file)
    subprocess.run(["rm", "-rf", str(paths.run)], check=True)


def start_sleeper(paths: LabPaths, part: str) -> int:
    """Start a program that has a path of the lab on its command line, as QEMU has."""
    words = ["sh", "-c", "while :; do sleep 60; done", f"{paths.run}/{part}.qmp"]
    process.start(paths.pid(part), words, paths.log(part))
    pid = process.running(paths.pid(part))
    assert pid
    return pid


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except FileNotFoundError:
        return False


def test_a_started_program_is_known_by_its_pid_file_and_can_be_killed(paths: LabPaths) -> None:
    pid = start_sleeper(paths, "w1")
    assert process.kill(paths.pid("w1"))
    assert not alive(pid)
    assert not paths.pid("w1").exists()


def test_a_program_that_cannot_start_is_an_error_with_its_last_words(paths: LabPaths) -> None:
    with pytest.raises(LabError, match="said why"):
        process.start(paths.pid("w1"), ["sh", "-c", "echo said why; exit 3"], paths.log("w1"))


def test_a_number_that_went_to_another_process_is_left_alone(paths: LabPaths) -> None:
    other = start_sleeper(paths, "other")
    began = Path(f"/proc/{other}/stat").read_text().rpartition(")")[2].split()[19]
    paths.pid("stranger").write_text(f"{os.getpid()} {began}")  # not of this lab
    paths.pid("later").write_text(f"{other} {int(began) - 1}")  # began at another time
    for part in ("stranger", "later"):
        assert process.running(paths.pid(part)) is None
        assert not process.kill(paths.pid(part))
    assert alive(other)


@pytest.mark.parametrize("text", ["", "x y", "999999999 1", "-1 1", "1 2 3"])
def test_a_broken_pid_file_means_that_nothing_runs(paths: LabPaths, text: str) -> None:
    paths.pid("w1").write_text(text)
    assert process.running(paths.pid("w1")) is None


def test_down_clears_what_a_crashed_run_left_even_hosts_it_does_not_know(paths: LabPaths) -> None:
    pids = [start_sleeper(paths, part) for part in ("w1", "unknown-host", "uplink")]
    paths.disk("unknown-host").write_text("disk")
    lab = Lab(load(TOPOLOGIES / "demo.yml"), "crash", tell=silent)
    assert lab.status()["w1"]
    lab.down()
    assert not any(alive(pid) for pid in pids)
    assert not paths.run.exists()
    assert not paths.data.exists()
    assert not paths.lock.exists()


def test_state_is_read_back_and_nonsense_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state = State({"image": "x"}, True, {"w1/enp0s3": Port([101], cable=False)})
    state.write(path)
    assert State.read(path) == state
    path.write_text('{"built": 1')
    assert State.read(path) is None
