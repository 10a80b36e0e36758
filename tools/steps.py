# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program so that a person sees it live.

Its output goes to a log; in silence there is a sign of life every ten seconds; when it fails, the
end of the log is shown.

Standard library only: this runs before the virtual environment exists.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tools import checkout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

HEARTBEAT_SECONDS = 10
LOG_TAIL_LINES = 40
GRACE_SECONDS = 20
"""How long a program may tidy up after SIGTERM before it is killed."""


class StopError(Exception):
    """Work cannot go on; the message says why and what to do about it. `main` prints it alone."""


@dataclass(frozen=True)
class Done:
    """How a step went: its exit status, wall time in seconds, and where its output lies."""

    name: str
    status: int
    seconds: float
    log: Path

    @property
    def ok(self) -> bool:
        """Whether the program ended with status 0."""
        return self.status == 0


class _Pulse:
    """Says every ten seconds of silence that a step is still at work, and what it said last."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begin = time.monotonic()
        self._shown = self._begin
        self._last = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def heard(self, line: str, *, shown: bool) -> None:
        """Note a line of output; `shown` says that the person has seen it already."""
        self._last = line.strip() or self._last
        if shown:
            self._shown = time.monotonic()

    def __enter__(self) -> _Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(0.5):
            now = time.monotonic()
            if now - self._shown >= HEARTBEAT_SECONDS:
                self._shown = now
                said = f": {self._last[:80]}" if self._last else ""
                say(f"    {self._name} … {now - self._begin:.0f} s{said}")


def say(text: str = "") -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: this one, our `ansible.cfg`, the venv first on PATH.

    Python's own variables are dropped: they would lead the venv's interpreter astray.
    """
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    env["PATH"] = os.pathsep.join([str(checkout.VENV / "bin"), env.get("PATH", os.defpath)])
    env["ANSIBLE_CONFIG"] = str(checkout.ROOT / "ansible.cfg")
    env["PYTHONUNBUFFERED"] = "1"
    env.update(extra or {})
    return env


def run(
    name: str,
    argv: Sequence[str | Path],
    *,
    cwd: Path = checkout.ROOT,
    env: Mapping[str, str] | None = None,
    show: bool = False,
) -> Done:
    """Run `argv` and return how it went; its output goes to `.build/log/NAME.log`.

    `show` also passes the output on to the screen as it comes. A program that cannot be started
    counts as failed with status 127, as in a shell. When this process is asked to stop, the
    program and its children are stopped first.
    """
    log = checkout.BUILD / "log" / f"{name.replace(' ', '-').replace('/', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with log.open("wb") as sink, _Pulse(name) as pulse:
        sink.write(f"$ {shlex.join(str(part) for part in argv)}\n".encode())
        sink.flush()
        try:
            child = subprocess.Popen(
                [str(part) for part in argv],
                cwd=cwd,
                env=dict(env if env is not None else environment()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            sink.write(f"{error}\n".encode())
            status = 127
        else:
            with _ended_with_us(child):
                _pass_on(child, sink, pulse, show=show)
                status = child.wait()
    return Done(name, status, time.monotonic() - begin, log)


def must(done: Done, *, show_tail: bool = True) -> Done:
    """Return `done` when it went well; else print the end of its log and raise `StopError`."""
    if not done.ok:
        if show_tail:
            tail(done)
        raise StopError(f"{done.name} failed (status {done.status}). All its output: {done.log}")
    return done


def tail(done: Done) -> None:
    """Print the last lines of a step's log."""
    lines = done.log.read_text(encoding="utf-8", errors="replace").splitlines()
    say(f"--- the end of {done.log}")
    for line in lines[-LOG_TAIL_LINES:]:
        say(f"    {line}")
    say("---")


def _pass_on(child: subprocess.Popen[bytes], sink: IO[bytes], pulse: _Pulse, *, show: bool) -> None:
    """Copy the child's output to the log (and the screen) until its end.

    A daemon that the child leaves behind may hold the pipe open for ever: what counts is the end
    of the child itself, so reading goes on in a thread that nobody has to wait for.
    """
    assert child.stdout is not None

    def copy(source: IO[bytes]) -> None:
        for line in source:
            text = line.decode(errors="replace").rstrip("\n")
            if show:
                say(text)
            pulse.heard(text, shown=show)
            if sink.closed:
                return
            sink.write(line)
            sink.flush()

    reader = threading.Thread(target=copy, args=(child.stdout,), daemon=True)
    reader.start()
    child.wait()
    reader.join(timeout=2)


@contextmanager
def _ended_with_us(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop the child's process group when the block is left while the child still runs."""
    try:
        yield
    finally:
        if child.poll() is None:
            _signal_group(child, signal.SIGTERM)
            try:
                child.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                _signal_group(child, signal.SIGKILL)
                child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Around a main: `StopError` becomes one line and status 1; SIGTERM tidies up first."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    try:
        yield
    except StopError as stop:
        say(f"\nStopped: {stop}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("\nInterrupted.")
        sys.exit(130)
