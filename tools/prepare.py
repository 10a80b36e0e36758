# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this checkout ready: the import link, `.venv` with pinned packages, Debian packages.

    python -m tools.prepare [plan|lab|test]

`plan` needs no more than Python; `lab` adds what runs virtual machines, `test` the test tools.
Whatever is there already is left alone, so that a second run takes no time.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools import checkout, machine, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

PURPOSES = tuple(machine.PACKAGES)
REQUIREMENTS = checkout.ROOT / "requirements"
STAMP = checkout.VENV / "prepared.json"


def everything(purpose: str) -> None:
    """Do all that `purpose` needs; raises `steps.StopError` with what to do when it cannot."""
    python(purpose)
    packages(purpose)


def packages(purpose: str) -> None:
    """Install the Debian packages that `purpose` lacks."""
    if not machine.PACKAGES[purpose]:
        return
    machine.check_os()
    if lacking := machine.missing(purpose):
        machine.install(lacking)
        if still := machine.missing(purpose):
            raise steps.StopError(f"Installed, but not to be found: {' '.join(still)}")


def python(purpose: str) -> None:
    """Link the collection and bring `.venv` to the pinned packages of `purpose`."""
    machine.check_python()
    checkout.link_collection()
    with _alone():
        if not _usable_venv():
            _make_venv()
        name = "test" if purpose == "test" else "run"
        wanted = _fingerprint(name)
        stamps = _stamps()
        if stamps.get(name) == wanted:
            return
        steps.say(f"    Python packages into {checkout.VENV.name}: requirements/{name}.txt")
        pip = f"-m pip install --disable-pip-version-check --no-input -r requirements/{name}.txt"
        argv = [checkout.venv_program("python"), *pip.split()]
        steps.must(steps.run(f"pip install {name}", argv))
        # The test tools include what runs the product.
        fresh = {name: wanted} | ({"run": _fingerprint("run")} if name == "test" else {})
        STAMP.write_text(json.dumps(stamps | fresh), encoding="utf-8")


def _make_venv() -> None:
    if not machine.can_make_venv():
        package = machine.venv_package().package
        if not sys.executable.startswith("/usr/bin/"):
            raise steps.StopError(
                f"{sys.executable} cannot make virtual environments (no ensurepip). "
                "Use another Python: make PYTHON=/path/to/python3.11"
            )
        machine.check_os()
        machine.install([package])
    steps.say(f"    A virtual environment in {checkout.VENV.name} with {sys.executable}")
    shutil.rmtree(checkout.VENV, ignore_errors=True)
    steps.must(steps.run("venv", [sys.executable, "-m", "venv", checkout.VENV]))


def _usable_venv() -> bool:
    """Whether `.venv` holds a Python that still runs (its base may be gone) and is new enough."""
    least = machine.PYTHON_LEAST
    probe = f"import sys, pip; sys.exit(sys.version_info < {least})"
    try:
        tried = subprocess.run(
            [checkout.venv_program("python"), "-c", probe], capture_output=True, check=False
        )
    except OSError:
        return False
    return tried.returncode == 0


def _fingerprint(name: str) -> str:
    """A hash over what decides the venv's content: its Python and the requirements read."""
    version = subprocess.run(
        [checkout.venv_program("python"), "--version"], capture_output=True, check=True
    ).stdout
    digest = hashlib.sha256(version)
    files = ("run.txt",) if name == "run" else ("run.txt", "test.txt")
    for file in files:
        digest.update((REQUIREMENTS / file).read_bytes())
    return digest.hexdigest()


def _stamps() -> dict[str, str]:
    """What was installed last, by requirements file; {} when unknown."""
    try:
        read = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}


@contextmanager
def _alone() -> Iterator[None]:
    """Only one process at a time works on `.venv`; the lock ends with the process."""
    lock: Path = checkout.BUILD / "prepare.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Prepare for the purpose named on the command line."""
    parser = argparse.ArgumentParser(description="Make this checkout ready.")
    parser.add_argument("purpose", nargs="?", default="test", choices=PURPOSES)
    with steps.stoppable():
        everything(parser.parse_args().purpose)


if __name__ == "__main__":
    main()
