# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-test sanity` on a clean copy of this checkout.

A copy, because ansible-test resolves links and then finds itself outside `ansible_collections/`,
and because it would judge whatever else lies about here (`.venv`, caches). The copy stays between
runs: ansible-test keeps its virtual environments in it, and they take minutes to make.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

from tools import checkout, steps

COPY = checkout.BUILD / "sanity" / "ansible_collections" / "underlay" / "cluster"
RESULTS = COPY / "tests" / "output"
DOWNLOAD_SECONDS = 20

STAND_IN = '''\
"""Stands in for the bootstrap script of pip {version}, which could not be downloaded.

Written by underlay.cluster's `make sanity`. Delete this file to have the download tried again.
"""

import subprocess
import sys

wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", "pip=={version}", *wanted])
'''


def run() -> tuple[steps.Done, Path]:
    """Run all sanity tests; returns how it went and the folder of the JUnit files."""
    refresh_copy()
    provide_pip_bootstrap()
    junit = RESULTS / "junit"
    shutil.rmtree(junit, ignore_errors=True)
    env = steps.environment()
    env["PATH"] = path_of_real_pythons(env["PATH"])
    argv = [checkout.venv_program("ansible-test"), "sanity", "--venv", "--junit", "--color", "no"]
    return steps.run("sanity", argv, cwd=COPY, env=env), junit


def complaints(log: Path) -> list[str]:
    """What ansible-test found, out of all that its log says; the whole end when it is silent."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [line for line in lines if line.startswith(("ERROR: ", "FATAL: "))]
    return found or lines[-steps.LOG_TAIL_LINES :]


def refresh_copy() -> None:
    """Bring the copy to what git tracks here, and what it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout.ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    names = {name for name in listed.split("\0") if name and (checkout.ROOT / name).is_file()}
    COPY.mkdir(parents=True, exist_ok=True)
    # ansible-test asks git for the files. Without a repository of its own the copy would be
    # looked for in the checkout's, which ignores it.
    repository = COPY / ".git"
    if not repository.exists():
        subprocess.run(["git", "init", "--quiet", COPY], check=True)
    for old in COPY.rglob("*"):
        own = old.is_relative_to(RESULTS) or old.is_relative_to(repository)
        kept = own or str(old.relative_to(COPY)) in names
        if old.is_file() and not kept:
            old.unlink()
    for name in names:
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout.ROOT / name, target)


def path_of_real_pythons(path: str) -> str:
    """PATH with pyenv's shims replaced by the folders of the Pythons behind them.

    A shim answers for every Python that is installed but only works for the active ones, which
    ansible-test takes for broken interpreters.
    """
    folders: list[str] = []
    for folder in path.split(os.pathsep):
        here = Path(folder)
        if here.name == "shims" and (here.parent / "versions").is_dir():
            folders += [str(found) for found in sorted((here.parent / "versions").glob("*/bin"))]
        else:
            folders.append(folder)
    return os.pathsep.join(folders)


def provide_pip_bootstrap() -> None:
    """Fetch the script with which ansible-test installs pip, or write one that does the same.

    ansible-test stops where its download host cannot be reached, even when packages can be. Its
    own cache is used: with a file there it does not download.
    """
    package = _ansible_test_folder()
    version = _found(r"pip='([\d.]+)'", package / "_internal" / "python_requirements.py")
    url = _found(r"url = '([^']+)%s\.py'", package / "_util/target/setup/requirements.py")
    if version is None or url is None:
        return  # another ansible-core, which goes about it in another way
    cached = Path.home() / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
    if cached.exists():
        return
    cached.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(f"{url}{version}.py", timeout=DOWNLOAD_SECONDS) as answer:
            text = answer.read()
    except OSError as error:
        steps.say(f"    pip's bootstrap script cannot be downloaded ({error}): a stand-in does it")
        text = STAND_IN.format(version=version).encode()
    part = cached.with_suffix(".part")
    part.write_bytes(text)
    part.rename(cached)


def _ansible_test_folder() -> Path:
    """Where the venv's Python keeps ansible-test's own code."""
    where = "import ansible_test, sys; sys.stdout.write(ansible_test.__path__[0])"
    told = subprocess.run(
        [checkout.venv_program("python"), "-c", where], capture_output=True, check=True, text=True
    )
    return Path(told.stdout)


def _found(pattern: str, file: Path) -> str | None:
    """The first group of `pattern` in `file`, if both are there."""
    if not file.exists():
        return None
    match = re.search(pattern, file.read_text(encoding="utf-8"))
    return match[1] if match else None
