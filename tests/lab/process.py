"""Start and end the lab's processes, known by their pid files and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from .errors import LabError

# The pid file is written by the child itself before it becomes the program: however the lab's
# command dies, no program runs that no pid file tells of. Beside the number stands when the process
# began (proc_pid_stat(5), field 22), which tells it from a later one that got the same number.
WRAPPER = 'echo $$ $(cut -d" " -f22 /proc/$$/stat) > "$0" && exec "$@"'


def start(pid_file: Path, command: list[str], log: Path, stdin: int = subprocess.DEVNULL) -> None:
    """Start a program that outlives this process, with its output in ``log``.

    Raises ``LabError`` with the program's last words when it ends at once.
    """
    pid_file.unlink(missing_ok=True)
    words = ["/bin/sh", "-c", WRAPPER, str(pid_file), *command]
    with log.open("ab") as out:
        child = subprocess.Popen(words, stdin=stdin, stdout=out, stderr=out, start_new_session=True)
    while running(pid_file) is None:
        if child.poll() is not None:
            said = log.read_text(errors="replace")[-500:].strip()
            raise LabError(f"{command[0]} ended with {child.returncode}: {said}")
        time.sleep(0.01)


def run(command: list[str]) -> str:
    """Run a short command to its end and return its output; raise ``LabError`` when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def running(pid_file: Path) -> int | None:
    """Return the process id of a pid file's living program, or ``None``.

    A number alone proves nothing, it may have gone to somebody else's process: the start time must
    be the noted one, and the command line must hold a path below the folder of the pid file.
    """
    try:
        pid, *noted = pid_file.read_text().split()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    state, started = fields[0], fields[19]
    ours = noted == [started] and f"{pid_file.parent}/" in words
    return int(pid) if ours and state != "Z" else None


def kill(pid_file: Path, timeout: float = 10.0) -> bool:
    """End the program at once, as a power cut would; return whether it was running."""
    return _end(pid_file, signal.SIGKILL, timeout)


def terminate(pid_file: Path, timeout: float = 10.0) -> bool:
    """Ask the program to end, and make it end when it does not; return whether it was running."""
    if not _end(pid_file, signal.SIGTERM, timeout, patient=True):
        return kill(pid_file)
    return True


def _end(pid_file: Path, number: signal.Signals, timeout: float, patient: bool = False) -> bool:
    pid = running(pid_file)
    if pid is None:
        pid_file.unlink(missing_ok=True)
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    limit = time.monotonic() + timeout
    while running(pid_file) == pid:
        _reap(pid)
        if time.monotonic() > limit:
            if patient:
                return False
            raise LabError(
                f"process {pid} ({pid_file.name}) does not end: look at it with ps -fp {pid}"
            )
        time.sleep(0.02)
    pid_file.unlink(missing_ok=True)
    return True


def _reap(pid: int) -> None:
    """Collect the exit of a child of this very process, if it is one."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
