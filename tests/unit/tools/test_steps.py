# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a step: its output in a log, a clear end, nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import checkout, steps


@pytest.fixture(autouse=True)
def _own_log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "BUILD", tmp_path)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_output_of_a_step_lies_in_its_log() -> None:
    done = steps.run("greet", python("print('good day')"))

    assert done.ok
    assert "good day" in done.log.read_text()


def test_a_failed_step_shows_the_end_of_its_log_and_says_where_it_lies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = steps.run("count", python("for n in range(99): print('line', n)\nraise SystemExit(3)"))

    with pytest.raises(steps.StopError, match=str(done.log)):
        steps.must(done)
    shown = capsys.readouterr().out
    assert "line 98" in shown
    assert "line 50" not in shown


def test_a_program_that_is_not_there_fails_like_in_a_shell() -> None:
    assert steps.run("nobody", ["/nowhere/program"]).status == 127


def test_a_silent_step_gives_signs_of_life(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "HEARTBEAT_SECONDS", 0)
    wait_for_the_log = "import time; time.sleep(1.2)"

    steps.run("quiet", python(wait_for_the_log))

    assert "quiet … " in capsys.readouterr().out


def test_a_step_does_not_wait_for_a_daemon_that_keeps_its_output_open(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    daemon = (
        "import subprocess, pathlib\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
    )
    begin = time.monotonic()
    try:
        assert steps.run("daemon", python(daemon)).ok
        assert time.monotonic() - begin < 30
    finally:
        os.kill(int(note.read_text()), signal.SIGKILL)


def test_a_step_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = f"import os, time, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid()))"
    code = (
        "import sys, pathlib\nfrom tools import checkout, steps\n"
        f"checkout.BUILD = pathlib.Path({str(tmp_path)!r})\n"
        "with steps.stoppable():\n"
        f"    steps.run('long', [sys.executable, '-c', {child + '; time.sleep(600)'!r}])\n"
    )
    parent = subprocess.Popen(python(code), cwd=checkout.ROOT)
    try:
        pid = _wait_for_pid(note)
        parent.terminate()
        assert parent.wait(60) == 128 + signal.SIGTERM
    finally:
        parent.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _wait_for_pid(note: Path) -> int:
    end = time.monotonic() + 60
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < end, "the step did not start"
        time.sleep(0.05)
    return int(note.read_text())
