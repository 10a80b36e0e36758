"""A daemon's folder on the disk: exactly what is planned, and read back as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils import daemon_files, durable
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_files import (
    FILE,
    Entry,
    Places,
    Shape,
    forget,
    is_remembered,
    make_tree,
    planned_tree,
    read_tree,
    recall,
    remember,
)

FILES = {"daemon.conf": "one\n", "boot/deep/x.ipxe": "#!ipxe\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "etc/underlay/underlay-x"


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}


def test_files_are_for_root_alone(folder: Path) -> None:
    make_tree(folder, planned_tree(FILES, readable=False))
    assert modes(folder) == {0o700, 0o600}


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_readable_files_can_be_reached_by_everybody(folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        make_tree(folder, planned_tree(FILES, readable=True))
    finally:
        os.umask(before)
    assert modes(folder.parent) == {0o755, 0o644}


def test_a_closed_parent_is_opened_for_readable_files_alone(folder: Path) -> None:
    folder.parent.mkdir(parents=True, mode=0o700)
    make_tree(folder, planned_tree(FILES, readable=False))
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    make_tree(folder, planned_tree(FILES, readable=True))
    assert folder.parent.stat().st_mode & 0o777 == 0o755


def test_the_folder_is_read_back_as_planned(folder: Path) -> None:
    wanted = planned_tree(FILES, readable=False)
    make_tree(folder, wanted)
    assert read_tree(folder) == wanted
    assert sorted(wanted) == [".", "boot", "boot/deep", "boot/deep/x.ipxe", "daemon.conf"]


def test_strays_of_every_kind_go(folder: Path, tmp_path: Path) -> None:
    wanted = planned_tree(FILES, readable=False)
    make_tree(folder, wanted)
    (folder / "old.conf").write_text("")
    (folder / "boot/old").mkdir()
    (folder / "boot/old/file").write_text("")
    (folder / "link").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    make_tree(folder, wanted)
    assert read_tree(folder) == wanted


def test_a_link_in_the_way_is_replaced_and_what_it_leads_to_stays(
    folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "daemon.conf").write_text("theirs")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(elsewhere)
    make_tree(folder, planned_tree(FILES, readable=False))
    assert not folder.is_symlink()
    assert (elsewhere / "daemon.conf").read_text() == "theirs"


def test_a_file_becomes_a_folder_and_the_other_way_round(folder: Path) -> None:
    for files in ({"a": "1", "b/c": "2"}, {"a/c": "1", "b": "2"}):
        make_tree(folder, planned_tree(files, readable=False))
        assert read_tree(folder) == planned_tree(files, readable=False)


def test_unchanged_files_are_not_written_again(folder: Path) -> None:
    make_tree(folder, planned_tree(FILES, readable=False))
    before = {path: path.stat().st_ino for path in folder.rglob("*")}
    make_tree(folder, planned_tree({**FILES, "new": ""}, readable=False))
    assert {path: path.stat().st_ino for path in before} == before


def test_what_is_new_comes_before_what_changes_and_strays_go_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A main file that names new ones never stands without them, whenever the power goes."""
    make_tree(folder, planned_tree({"a-main": "include old", "old": ""}, readable=False))
    steps: list[str] = []
    write, remove = durable.write_file, daemon_files._remove

    def writing(path: Path, text: str, mode: int) -> None:
        steps.append(f"write {path.name}")
        write(path, text, mode)

    def removing(path: Path) -> None:
        steps.append(f"remove {path.name}")
        remove(path)

    monkeypatch.setattr(daemon_files, "write_file", writing)
    monkeypatch.setattr(daemon_files, "_remove", removing)
    make_tree(folder, planned_tree({"a-main": "include new", "new": ""}, readable=False))
    assert steps == ["write new", "write a-main", "remove old"]


def test_the_parts_of_nothing_are_nothing(folder: Path) -> None:
    make_tree(folder, {})
    assert read_tree(folder) == {}
    assert not folder.parent.exists()


@given(content=st.binary(max_size=40))
def test_a_file_that_is_no_text_is_put_back_byte_for_byte(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    places = Places(tmp_path_factory.mktemp("root"))
    folder = places.folder("underlay-x")
    make_tree(folder, planned_tree({"raw": ""}, readable=False))
    (folder / "raw").write_bytes(content)
    remember(places, "underlay-x", Shape(read_tree(folder)))
    make_tree(folder, {})
    recalled = recall(places, "underlay-x")
    assert recalled is not None
    make_tree(folder, recalled.tree)
    assert (folder / "raw").read_bytes() == content


def test_what_is_remembered_is_recalled_whole_until_it_is_forgotten(tmp_path: Path) -> None:
    places = Places(tmp_path)
    shape = Shape(planned_tree(FILES, True), Entry(FILE, 0o644, "[Unit]"), True, False)
    remember(places, "underlay-x", shape)
    assert recall(places, "underlay-x") == shape
    forget(places, "underlay-x")
    assert not is_remembered(places, "underlay-x")
    forget(places, "underlay-x")


def test_what_a_dead_run_remembered_is_the_older_truth(tmp_path: Path) -> None:
    places = Places(tmp_path)
    remember(places, "underlay-x", Shape(running=True))
    remember(places, "underlay-x", Shape(running=False))
    assert recall(places, "underlay-x") == Shape(running=True)


def test_what_is_remembered_is_for_root_alone(tmp_path: Path) -> None:
    """It holds the daemon's files, with what is secret in them."""
    places = Places(tmp_path)
    remember(places, "underlay-x", Shape())
    path = places.journal("underlay-x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"tree": 1}', '{"tree": {"a": {"b": 1}}}'])
def test_a_damaged_record_still_tells_that_a_run_died(tmp_path: Path, text: str) -> None:
    places = Places(tmp_path)
    remember(places, "underlay-x", Shape())
    places.journal("underlay-x").write_text(text)
    assert recall(places, "underlay-x") is None
    assert is_remembered(places, "underlay-x")
