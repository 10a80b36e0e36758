# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ledger, the plans and the last NIC facts are kept: a folder, safe for many writers.

Every write is atomic and durable: a temporary file in the same folder, fsync, rename, fsync of the
folder. A ledger is written only over the version that it was made from, under a lock, so of two
writers that read the same version one is refused and plans again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from ansible_collections.underlay.cluster.plugins.plugin_utils import ledger as ledgers
from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import Ledger

# How many plans stay for looking back; the current one is always among them.
PLANS_KEPT = 10
# A refused writer plans again on what the winner left. Each round lets at least one writer through,
# so this is how many may write at once.
WRITERS_AT_ONCE = 64
# The folder in a plan's with the files for the next tools.
HANDOVER = "handover"

_GITIGNORE = """\
# The ledger belongs into version control; plans and facts are made again by any run.
*
!.gitignore
!ledger.yml
"""

Result = TypeVar("Result")
Texts = Mapping[str, str]


class StoreError(Exception):
    """The store cannot be read or written. Says where and why."""


class ConflictError(StoreError):
    """Another writer was quicker: the ledger is not at the version that was read."""


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan in the store: its hash and the folder it lies in."""

    sha256: str
    folder: Path


class FolderStore:
    """A store in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def ledger_file(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.yml"

    def read_ledger(self) -> Ledger:
        """Return the ledger, an empty one if there is none. Raises LedgerError, StoreError."""
        try:
            text = self.ledger_file.read_text("utf-8")
        except FileNotFoundError:
            return Ledger()
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{self.ledger_file} cannot be read: {error}") from error
        return ledgers.from_text(text, str(self.ledger_file))

    def write_ledger(self, ledger: Ledger, read_version: int) -> None:
        """Write the ledger if the store is still at read_version. Raises ConflictError."""
        with self._locked():
            found = self.read_ledger().version
            if found != read_version:
                raise ConflictError(
                    f"{self.ledger_file} is at version {found}, not {read_version} as read"
                )
            with self._failing(self.ledger_file):
                _write(self.ledger_file, ledgers.to_text(ledger))

    def update(self, change: Callable[[Ledger], tuple[Ledger, Result]]) -> tuple[Ledger, Result]:
        """Read, change and write the ledger, again from the start when another writer was quicker.

        change: a pure function from the ledger to the ledger wanted and a result of its own
        """
        for _attempt in range(WRITERS_AT_ONCE):
            before = self.read_ledger()
            after, result = change(before)
            if after == before:
                return before, result
            with suppress(ConflictError):
                self.write_ledger(after, before.version)
                return after, result
        raise StoreError(
            f"{self.ledger_file} changed {WRITERS_AT_ONCE} times while this run planned. "
            "Find what else writes it, then run again."
        )

    def read_facts(self) -> dict[str, list[dict[str, Any]]]:
        """Return the last known NICs of every host that ever told them."""
        facts = {}
        for file in sorted((self.folder / "facts").glob("*.json")):
            facts[_host_name(file.stem)] = _read_json(file)
        return facts

    def write_facts(
        self, facts: Mapping[str, list[dict[str, Any]]], *, pretend: bool = False
    ) -> list[str]:
        """Keep the NICs of hosts that have just told them. Return those whose facts differ.

        pretend: write nothing
        """
        folder = self.folder / "facts"
        texts = {
            host: json.dumps(nics, indent=1, sort_keys=True) + "\n" for host, nics in facts.items()
        }
        with self._failing(folder):
            differing = {
                host: folder / f"{_file_name(host)}.json"
                for host, text in texts.items()
                if not _holds(folder / f"{_file_name(host)}.json", text)
            }
        if differing and not pretend:
            with self._locked(), self._failing(folder):
                folder.mkdir(exist_ok=True)
                for host, file in differing.items():
                    _write(file, texts[host], durable=False)
        return list(differing)

    def current_plan(self) -> StoredPlan | None:
        """Return the plan that was stored last, or None."""
        try:
            sha256 = (self.folder / "plans" / "current").read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"the plans in {self.folder} cannot be read: {error}") from error
        folder = self.folder / "plans" / sha256
        return StoredPlan(sha256, folder) if sha256 and folder.is_dir() else None

    def place_of_plan(self, sha256: str) -> StoredPlan:
        """Return where the plan of this hash lies once it is stored."""
        return StoredPlan(sha256, self.folder / "plans" / sha256)

    def write_plan(
        self,
        sha256: str,
        fleet: dict[str, Any],
        hosts: dict[str, Any],
        handover: Texts | None = None,
    ) -> StoredPlan:
        """Store a plan under its hash and make it the current one.

        handover: the files for the next tools, path -> text
        """
        plans = self.folder / "plans"
        stored = self.place_of_plan(sha256)
        with self._locked(), self._failing(stored.folder):
            plans.mkdir(exist_ok=True)
            if not _whole(stored.folder, len(hosts), handover or {}):
                _retire(stored.folder)
                scratch = Path(tempfile.mkdtemp(prefix=".plan-", dir=plans))
                scratch.chmod(0o775)
                write_plan_files(scratch, fleet, hosts, handover)
                scratch.rename(stored.folder)
            os.utime(stored.folder)
            current = plans / "current"
            if not current.exists() or current.read_text("utf-8").strip() != sha256:
                _write(current, sha256 + "\n")
            self._prune(plans)
        return stored

    def _prune(self, plans: Path) -> None:
        folders = [entry for entry in plans.iterdir() if entry.is_dir()]
        newest_first = sorted(folders, key=lambda entry: entry.stat().st_mtime, reverse=True)
        for old in newest_first[PLANS_KEPT:]:
            _retire(old)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the store's lock; what dead writers left is swept, as nobody else writes now."""
        lock = self.folder / ".lock"
        with self._failing(self.folder):
            if not self.folder.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                _sync_folder(self.folder.parent)
        with self._failing(lock), _open_lock(lock) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for folder in (self.folder, self.folder / "plans", self.folder / "facts"):
                _sweep(folder)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                _write(ignore, _GITIGNORE, durable=False)
            yield

    @contextmanager
    def _failing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def _whole(plan: Path, hosts: int, handover: Texts) -> bool:
    """Say whether a plan has all its files. After a power cut some may be there and empty.

    Plans can be made again, so that their many files are not worth an fsync each. The hand-over is
    not in the hash: another version of the collection may write it in other words.
    """
    parts = list((plan / "hosts").glob("*.json")) if plan.is_dir() else []
    files = [*parts, plan / "plan.json"]
    if len(parts) != hosts or not all(file.exists() and file.stat().st_size for file in files):
        return False
    handed = sum(1 for file in (plan / HANDOVER).rglob("*") if file.is_file())
    return handed == len(handover) and all(
        _holds(plan / HANDOVER / name, text) for name, text in handover.items()
    )


def _retire(plan: Path) -> None:
    """Remove a plan; out of the way first, as half a plan under its hash would pass for one."""
    if plan.is_dir():
        gone = plan.with_name(f".plan-{plan.name}")
        plan.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def write_plan_files(
    folder: Path, fleet: dict[str, Any], hosts: dict[str, Any], handover: Texts | None = None
) -> None:
    """Write a plan into an empty folder: plan.json, a file for each host, and the hand-over's."""
    parts = folder / "hosts"
    parts.mkdir(parents=True)
    for host, part in hosts.items():
        (parts / f"{_file_name(host)}.json").write_text(json.dumps(part), "utf-8")
    (folder / "plan.json").write_text(json.dumps(fleet), "utf-8")
    for name, text in (handover or {}).items():
        file = folder / HANDOVER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def read_host_part(plan: Path, host: str) -> dict[str, Any]:
    """Return a host's part of the plan in this folder. Raises StoreError where there is none."""
    file = plan / "hosts" / f"{_file_name(host)}.json"
    if not file.exists():
        raise StoreError(f"the plan in {plan} has no part for host {host}: plan again")
    part: dict[str, Any] = _read_json(file)
    return part


def read_fleet(plan: Path) -> dict[str, Any]:
    """Return the fleet's part of the plan in this folder."""
    fleet: dict[str, Any] = _read_json(plan / "plan.json")
    return fleet


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read: {error}. Delete it and run again.") from error


def _file_name(host: str) -> str:
    # A host's name may hold what a file's may not.
    return host.replace("%", "%25").replace("/", "%2F")


def _host_name(file_name: str) -> str:
    return file_name.replace("%2F", "/").replace("%25", "%")


def _open_lock(lock: Path) -> IO[str]:
    """Open the lock's file. It holds nothing, and everybody who shares the store must lock it."""
    new = not lock.exists()
    handle = lock.open("a")
    if new:
        lock.chmod(0o666)
    return handle


def _holds(file: Path, text: str) -> bool:
    return file.exists() and file.read_bytes() == text.encode()


def _sweep(folder: Path) -> None:
    """Remove the scratch files and folders of writers that died."""
    for entry in folder.glob(".write-*"):
        entry.unlink(missing_ok=True)
    for entry in folder.glob(".plan-*"):
        shutil.rmtree(entry, ignore_errors=True)


def _write(file: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file at once: readers see the old text or the new, also after a power cut."""
    descriptor, name = tempfile.mkstemp(prefix=".write-", dir=file.parent)
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
        scratch.chmod(0o644)
        scratch.rename(file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
