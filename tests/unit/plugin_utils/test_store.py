# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: conditional writes, plans by hash, facts, and what cannot be written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import (
    Ledger,
    LedgerError,
    to_text,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.store import (
    PLANS_KEPT,
    ConflictError,
    FolderStore,
    StoreError,
    read_fleet,
    read_host_part,
)

ONE = Ledger(1, {"lcm": {"192.0.2.1": "a"}})
TWO = Ledger(2, {"lcm": {"192.0.2.1": "a", "192.0.2.2": "b"}})


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "inventory" / ".underlay")


def left_over(store: FolderStore) -> list[str]:
    """What writers must not leave behind."""
    known = {".gitignore", ".lock"}
    return [
        str(path.relative_to(store.folder))
        for path in store.folder.rglob(".*")
        if path.name not in known
    ]


class TestTheLedger:
    def test_is_empty_where_there_is_none_and_reading_makes_nothing(
        self, store: FolderStore
    ) -> None:
        assert store.read_ledger() == Ledger()
        assert store.read_facts() == {}
        assert store.current_plan() is None
        assert not store.folder.exists()

    def test_is_read_as_written(self, store: FolderStore) -> None:
        store.write_ledger(ONE, 0)
        assert store.read_ledger() == ONE
        assert store.ledger_file.read_text("utf-8") == to_text(ONE)

    def test_is_written_only_over_the_version_that_was_read(self, store: FolderStore) -> None:
        store.write_ledger(ONE, 0)
        with pytest.raises(ConflictError, match="is at version 1, not 0 as read"):
            store.write_ledger(TWO, 0)
        assert store.read_ledger() == ONE
        store.write_ledger(TWO, 1)
        assert store.read_ledger() == TWO

    def test_of_a_quicker_writer_is_planned_upon_again(self, store: FolderStore) -> None:
        seen = []

        def change(ledger: Ledger) -> tuple[Ledger, str]:
            seen.append(ledger.version)
            if len(seen) == 1:
                store.write_ledger(ONE, 0)  # somebody else, in between
            rows = {**ledger.addresses.get("lcm", {}), "192.0.2.2": "b"}
            return ledger.with_addresses({"lcm": rows}), "result"

        assert store.update(change) == (TWO, "result")
        assert seen == [0, 1]
        assert store.read_ledger() == TWO

    def test_that_does_not_change_is_not_written(self, store: FolderStore) -> None:
        store.write_ledger(ONE, 0)
        before = store.ledger_file.stat().st_mtime_ns
        assert store.update(lambda ledger: (ledger, None)) == (ONE, None)
        assert store.ledger_file.stat().st_mtime_ns == before

    def test_that_always_changes_ends_in_a_sentence(self, store: FolderStore) -> None:
        def race(ledger: Ledger) -> tuple[Ledger, None]:
            rows = {"lcm": {"192.0.2.1": str(ledger.version)}}
            other = Ledger(ledger.version + 1, {"lcm": {"192.0.2.9": "other"}})
            store.write_ledger(other, ledger.version)
            return ledger.with_addresses(rows), None

        with pytest.raises(StoreError, match="Find what else writes it"):
            store.update(race)

    @pytest.mark.parametrize("damaged", [b"", b"format: 1\n<<<<", b"\xff\xfe", b"\x00" * 100])
    def test_that_is_damaged_is_not_overwritten(self, store: FolderStore, damaged: bytes) -> None:
        store.folder.mkdir(parents=True)
        store.ledger_file.write_bytes(damaged)
        for attempt in (
            store.read_ledger,
            lambda: store.write_ledger(ONE, 0),
            lambda: store.update(lambda _: (ONE, None)),
        ):
            with pytest.raises((LedgerError, StoreError), match=r"ledger\.yml"):
                attempt()
        assert store.ledger_file.read_bytes() == damaged

    def test_is_what_git_keeps_of_the_folder(self, store: FolderStore) -> None:
        store.write_ledger(ONE, 0)
        rules = (store.folder / ".gitignore").read_text("utf-8").splitlines()
        assert [rule for rule in rules if not rule.startswith("#")] == [
            "*",
            "!.gitignore",
            "!ledger.yml",
        ]

    def test_leaves_nothing_but_itself(self, store: FolderStore) -> None:
        store.write_ledger(ONE, 0)
        assert {path.name for path in store.folder.iterdir()} == {
            ".gitignore",
            ".lock",
            "ledger.yml",
        }


class TestPlans:
    def test_are_kept_by_their_hash_the_last_is_the_current_one(self, store: FolderStore) -> None:
        stored = store.write_plan("abc", {"format": 1}, {"w1": {"name": "w1"}})
        assert store.current_plan() == stored
        assert stored.folder == store.folder / "plans" / "abc"
        assert read_fleet(stored.folder) == {"format": 1}
        assert read_host_part(stored.folder, "w1") == {"name": "w1"}

    def test_are_kept_under_names_that_files_cannot_have(self, store: FolderStore) -> None:
        names = ["a/b", "a%2Fb", "ü", "a b", "%"]
        stored = store.write_plan("abc", {}, {name: {"name": name} for name in names})
        assert [read_host_part(stored.folder, name)["name"] for name in names] == names

    def test_are_pruned_to_ten_with_the_current_one_among_them(self, store: FolderStore) -> None:
        for number in range(PLANS_KEPT + 5):
            store.write_plan(f"plan{number:02}", {}, {})
        kept = {path.name for path in (store.folder / "plans").iterdir() if path.is_dir()}
        assert kept == {f"plan{number:02}" for number in range(5, PLANS_KEPT + 5)}

    def test_that_come_again_are_current_again_and_young(self, store: FolderStore) -> None:
        store.write_plan("old", {}, {})
        for number in range(PLANS_KEPT - 1):
            store.write_plan(f"plan{number}", {}, {})
        store.write_plan("old", {}, {})
        store.write_plan("new", {}, {})
        current = store.current_plan()
        assert current is not None
        assert current.sha256 == "new"
        assert (store.folder / "plans" / "old").is_dir()
        assert not (store.folder / "plans" / "plan0").exists()

    def test_without_a_hosts_part_say_what_to_do(self, store: FolderStore) -> None:
        stored = store.write_plan("abc", {}, {})
        with pytest.raises(StoreError, match="no part for host w9: plan again"):
            read_host_part(stored.folder, "w9")

    def test_that_are_damaged_say_which_file(self, store: FolderStore) -> None:
        stored = store.write_plan("abc", {}, {"w1": {}})
        (stored.folder / "hosts" / "w1.json").write_text("", "utf-8")
        with pytest.raises(StoreError, match=r"w1\.json cannot be read.*Delete it and run again"):
            read_host_part(stored.folder, "w1")

    def test_that_somebody_deleted_are_no_current_plan(self, store: FolderStore) -> None:
        store.write_plan("abc", {}, {})
        for current in ("gone\n", ""):
            (store.folder / "plans" / "current").write_text(current, "utf-8")
            assert store.current_plan() is None


class TestFacts:
    def test_are_read_as_written_and_only_differences_are_told(self, store: FolderStore) -> None:
        facts = {"w1": [{"name": "eth0"}], "a/b": []}
        assert store.write_facts(facts) == ["w1", "a/b"]
        assert store.write_facts({**facts, "w1": [{"name": "eth1"}]}) == ["w1"]
        assert store.read_facts() == {"w1": [{"name": "eth1"}], "a/b": []}

    def test_are_predicted_without_writing_in_check_mode(self, store: FolderStore) -> None:
        assert store.write_facts({"w1": []}, pretend=True) == ["w1"]
        assert not store.folder.exists()

    def test_that_are_damaged_say_which_file_and_are_written_anew(self, store: FolderStore) -> None:
        store.write_facts({"w1": []})
        file = store.folder / "facts" / "w1.json"
        for damaged in (b"", b"\xff"):
            file.write_bytes(damaged)
            with pytest.raises(StoreError, match=r"w1\.json cannot be read"):
                store.read_facts()
            assert store.write_facts({"w1": []}) == ["w1"]
            assert json.loads(file.read_text("utf-8")) == []


class TestLeftovers:
    def test_of_writers_that_died_are_swept_by_the_next(self, store: FolderStore) -> None:
        store.write_facts({"w1": []})
        store.write_plan("abc", {}, {})
        for folder in (store.folder, store.folder / "plans", store.folder / "facts"):
            (folder / ".write-dead").write_text("half a li", "utf-8")
        (store.folder / "plans" / ".plan-dead" / "hosts").mkdir(parents=True)
        store.write_ledger(ONE, 0)
        assert left_over(store) == []

    def test_of_others_stay(self, store: FolderStore) -> None:
        store.write_ledger(ONE, 0)
        foreign = store.folder / ".notes"
        foreign.write_text("mine", "utf-8")
        store.write_ledger(TWO, 1)
        assert foreign.exists()

    def test_there_are_none_when_a_write_fails(
        self, store: FolderStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.write_ledger(ONE, 0)

        def full(_unused: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"ledger\.yml cannot be written: No space left"):
            store.write_ledger(TWO, 1)
        assert store.read_ledger() == ONE
        assert left_over(store) == []


NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that users other than its owner can reach."""
    with tempfile.TemporaryDirectory(prefix="underlay-store-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_nobody(attempt: object) -> str:
    """Call attempt in a child process without root's rights; return the error it ends in."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            assert callable(attempt)
            attempt()
            told = "nothing"
        except BaseException as error:  # noqa: BLE001 - whatever it is goes to the parent
            told = f"{type(error).__name__}: {error}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


class TestAReadOnlyFolder:
    def test_is_told_in_a_sentence_by_every_writer(self, open_folder: Path) -> None:
        store = FolderStore(open_folder)
        store.write_ledger(ONE, 0)
        store.write_plan("abc", {}, {"w1": {}})
        open_folder.chmod(0o555)
        for attempt in (
            lambda: store.write_ledger(TWO, 1),
            lambda: store.write_plan("def", {}, {}),
            lambda: store.write_facts({"w1": []}),
            lambda: FolderStore(open_folder / "new").write_ledger(ONE, 0),
        ):
            told = as_nobody(attempt)
            assert told.startswith(f"StoreError: {open_folder}")
            assert told.endswith("cannot be written: Permission denied")
        assert store.read_ledger() == ONE

    def test_can_be_read_and_planned_from(self, open_folder: Path) -> None:
        store = FolderStore(open_folder)
        store.write_ledger(ONE, 0)
        store.write_plan("abc", {}, {"w1": {}})
        open_folder.chmod(0o555)
        (open_folder / "plans" / "abc").chmod(0o755)

        def read() -> None:
            assert store.read_ledger() == ONE
            assert store.current_plan() is not None
            assert store.update(lambda ledger: (ledger, None)) == (ONE, None)

        assert as_nobody(read) == "nothing"

    def test_that_nobody_may_look_into_is_told_in_a_sentence(self, open_folder: Path) -> None:
        store = FolderStore(open_folder / "closed")
        store.write_ledger(ONE, 0)
        store.write_plan("abc", {}, {})
        store.folder.chmod(0o700)
        for attempt in (store.read_ledger, store.current_plan):
            told = as_nobody(attempt)
            assert told.startswith("StoreError: ")
            assert "cannot be read" in told

    def test_in_place_of_the_folder_a_file_is_told_in_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("", "utf-8")
        store = FolderStore(tmp_path / "file")
        for attempt in (
            store.read_ledger,
            lambda: store.write_ledger(ONE, 0),
            lambda: store.write_plan("abc", {}, {}),
            lambda: store.write_facts({"w1": []}),
        ):
            with pytest.raises(StoreError, match=str(tmp_path)):
                attempt()


def test_a_plan_that_a_power_cut_left_with_an_empty_file_is_written_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    stored = store.write_plan("a" * 64, {"mesh": {}}, {"w1": {"name": "w1"}})
    (stored.folder / "hosts" / "w1.json").write_text("", "utf-8")

    again = store.write_plan("a" * 64, {"mesh": {}}, {"w1": {"name": "w1"}})

    assert read_host_part(again.folder, "w1") == {"name": "w1"}
