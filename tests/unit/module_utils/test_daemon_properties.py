"""What holds for every host and every wish, tried on random ones, with crashes at every step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.daemon_files import (
    FILE,
    read_entry,
    read_tree,
)
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_wish import read_wishes
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from tests.unit.module_utils.daemon_fake import Crash, FakeHost, absent, daemon
from tests.unit.module_utils.fakes import tree

NAMES = ("underlay-a", "underlay-b")
TEXTS = ("one\n", "two\n", "dies after 0.3\n")
FILES = ("a", "b", "sub/c", "sub/d/e")
Wish = list[dict[str, Any]]


@contextmanager
def new_host() -> Iterator[FakeHost]:
    with tempfile.TemporaryDirectory(prefix="underlay-daemons-") as root:
        yield FakeHost(Path(root))


def wishes(texts: tuple[str, ...] = TEXTS) -> st.SearchStrategy[Wish]:
    def items(name: str) -> st.SearchStrategy[dict[str, Any]]:
        present = st.builds(
            lambda **changes: daemon(name, **changes),
            files=st.dictionaries(st.sampled_from(FILES), st.sampled_from(texts), max_size=3),
            arguments=st.sampled_from([[], ["--more"]]),
            reload=st.booleans(),
            readable=st.booleans(),
            check=st.sampled_from([[], [["check-files", "{folder}"]]]),
        )
        return st.one_of(present, present, st.just(absent(name)))

    return st.tuples(*(items(name) for name in NAMES)).map(list)


@st.composite
def drifts(draw: st.DrawFn) -> list[tuple[str, str]]:
    """What people do to a host between two runs.

    Two things at most: a daemon whose link, unit and folder were all deleted under it is not found.
    """
    kinds = st.sampled_from(
        ["stop", "disable", "edit", "stray", "chmod", "unit", "no unit", "no folder", "boot"]
    )
    return draw(st.lists(st.tuples(kinds, st.sampled_from(NAMES)), max_size=2))


def drift(host: FakeHost, kind: str, name: str) -> None:
    folder, unit = host.places.folder(name), host.places.unit(name)
    if kind == "stop":
        host.stop_by_hand(name)
    elif kind == "disable":
        host.places.link(name).unlink(missing_ok=True)
    elif kind == "boot":
        host.boot()
    elif kind == "unit" and unit.exists():
        unit.write_text(unit.read_text() + "# more\n")
    elif kind == "no unit":
        unit.unlink(missing_ok=True)
    elif folder.is_dir():
        drift_in_folder(folder, kind)


def drift_in_folder(folder: Path, kind: str) -> None:
    if kind == "stray":
        (folder / "stray").mkdir(exist_ok=True)
        (folder / "stray/link").unlink(missing_ok=True)
        (folder / "stray/link").symlink_to("/")
    elif kind == "no folder":
        folder.rename(folder.parent.parent / f"away-{folder.name}")
    for path in [path for path in folder.rglob("*") if path.is_file() and path.name != "link"]:
        if kind == "edit":
            path.write_text("edited\n")
        elif kind == "chmod":
            path.chmod(0o666)


def try_to(host: FakeHost, wish: Wish) -> bool:
    """One run; whether it ended well."""
    try:
        host.bring(*wish)
    except HostError:
        return False
    return True


def dying(item: dict[str, Any]) -> bool:
    return any("dies" in file["content"] for file in item["files"])


def standing(host: FakeHost) -> dict[str, Any]:
    """All that counts of a host: the disk, and what runs with what it has read."""
    running = {name: host.running(name) for name in NAMES}
    read = {name: (now.unit, files(now.tree)) for name, now in running.items() if now}
    links = {name: host.places.link(name).exists() for name in NAMES}
    trees = {name: read_tree(host.places.folder(name)) for name in NAMES}
    return {"disk": tree(host.root / "etc"), "trees": trees, "links": links, "read": read}


def files(found: dict[str, Any]) -> dict[str, str]:
    """Texts of files: modes may be set right under a daemon that has read them already."""
    return {name: entry.text for name, entry in found.items() if entry.kind == FILE}


def is_as_wished(host: FakeHost, wish: Wish) -> None:
    """Disk, boot and processes are what the wish says, and nothing of the run is left."""
    for wished in read_wishes(wish):
        shape, process = wished.shape(host.places), host.running(wished.name)
        assert read_tree(host.places.folder(wished.name)) == shape.tree
        assert read_entry(host.places.unit(wished.name)) == shape.unit
        assert host.places.link(wished.name).is_symlink() == shape.enabled
        assert (process is not None) == shape.running
        if process is not None and shape.unit is not None:
            assert process.unit == shape.unit.text
            assert files(process.tree) == files(dict(shape.tree))
    nothing_is_left(host)


def nothing_is_left(host: FakeHost) -> None:
    units = host.root / "etc/systemd/system"
    assert not [path for path in units.iterdir() if path.name.startswith(".")]
    journals = host.places.journal(NAMES[0]).parent
    assert not list(journals.glob("*.json"))
    assert not list(host.places.runtime.glob("underlay-daemon-*"))


@settings(max_examples=50)
@given(first=wishes(TEXTS[:2]), drifted=drifts(), second=wishes(TEXTS[:2]))
def test_every_wish_is_reached_from_every_state_and_then_left_alone(
    first: Wish, drifted: list[tuple[str, str]], second: Wish
) -> None:
    with new_host() as host:
        host.bring(*first)
        for kind, name in drifted:
            drift(host, kind, name)
        host.bring(*second)
        is_as_wished(host, second)
        before = standing(host)
        assert host.bring(*second)["changed"] is False
        assert standing(host) == before


@settings(max_examples=50)
@given(first=wishes(), drifted=drifts(), second=wishes(TEXTS[:2]))
def test_check_mode_foretells_the_run_and_writes_nothing(
    first: Wish, drifted: list[tuple[str, str]], second: Wish
) -> None:
    with new_host() as host:
        try_to(host, first)
        for kind, name in drifted:
            drift(host, kind, name)
        before = standing(host)
        told = host.bring(*second, check=True)
        assert standing(host) == before
        assert told == host.bring(*second)


@settings(max_examples=50)
@given(first=wishes(TEXTS[:2]), second=wishes())
def test_what_falls_is_as_before_and_the_rest_as_wished(first: Wish, second: Wish) -> None:
    with new_host() as host:
        host.bring(*first)
        went_well = try_to(host, second)
        ended = [old if dying(new) else new for old, new in zip(first, second, strict=True)]
        assert went_well is (ended == second)
        is_as_wished(host, ended)


@settings(max_examples=100)
@given(
    first=wishes(TEXTS[:2]),
    second=wishes(),
    third=wishes(TEXTS[:2]),
    step=st.integers(0, 60),
    power=st.booleans(),
)
def test_after_a_crash_at_any_step_any_run_ends_right(
    first: Wish, second: Wish, third: Wish, step: int, power: bool
) -> None:
    """Killed, or the power cut: the next run reaches its wish though files are half written."""
    with new_host() as host:
        host.bring(*first)
        crash(host, second, step, power)
        host.bring(*third)
        is_as_wished(host, third)


@settings(max_examples=100)
@given(
    first=wishes(TEXTS[:2]),
    second=wishes(TEXTS[:2]),
    third=wishes(),
    step=st.integers(0, 60),
    power=st.booleans(),
)
def test_what_falls_after_a_crash_is_as_it_was_before_the_dead_run(
    first: Wish, second: Wish, third: Wish, step: int, power: bool
) -> None:
    with new_host() as host:
        host.bring(*first)
        crashed = crash(host, second, step, power)
        changing = {name for name in NAMES if host.places.journal(name).exists()}
        try_to(host, third)
        nothing_is_left(host)
        was = first if crashed else second
        sound = [
            old if dying(new) and (not crashed or old["name"] in changing) else new
            for old, new in zip(was, third, strict=True)
        ]
        is_as_wished(host, [item for item in sound if not dying(item)])


def crash(host: FakeHost, wish: Wish, step: int, power: bool) -> bool:
    """A run that is killed at its nth step, if it takes as many; whether it was."""
    try:
        with host.crashing(step):
            try_to(host, wish)
    except Crash:
        if power:
            host.boot()
        return True
    return False


def test_every_single_step_of_a_change_may_be_the_last() -> None:
    first = [daemon("underlay-a"), daemon("underlay-b", reload=True)]
    second = [absent("underlay-a"), daemon("underlay-b", reload=True, files={"new/x": "y"})]
    steps = 0
    while True:
        with new_host() as host:
            host.bring(*first)
            crashed = crash(host, second, steps, power=False)
            for wish in (second, first):
                host.bring(*wish)
                is_as_wished(host, wish)
        if not crashed:
            break
        steps += 1
    assert steps > 20
