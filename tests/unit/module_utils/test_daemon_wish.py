"""The options of the daemons: what cannot be is told at once, each finding with its place."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.daemon_files import Places
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_wish import read_wishes
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from tests.unit.module_utils.daemon_fake import absent, daemon


def problems(*items: dict[str, Any]) -> list[str]:
    try:
        read_wishes(items)
    except HostError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("name", ["vip", "underlay-", "underlay-A", "underlay-/x", "underlay-a b"])
def test_a_daemon_has_a_name_of_ours(name: str) -> None:
    """It becomes the name of a unit and of a folder that is emptied of strays."""
    assert any(f"'{name}' is no name of ours" in line for line in problems(daemon(name)))
    assert any(f"'{name}' is no name of ours" in line for line in problems(absent(name)))


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../x", "a//b", ".hidden", "a/.b", "a/", ".", "a\nb"]
)
def test_a_file_stays_in_the_folder(name: str) -> None:
    (problem,) = problems(daemon(files={name: ""}))
    assert problem.startswith(f"daemons[0] (underlay-vip).files: '{name}' cannot be")


@pytest.mark.parametrize("name", ["keepalived.conf", "boot/x.ipxe", "mac-52:54:00.cfg", "a@b"])
def test_usual_file_names_are_fine(name: str) -> None:
    assert problems(daemon(files={name: ""})) == []


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"program": None}, "program: is missing"),
        ({"program": "keepalived"}, "program: 'keepalived' cannot be"),
        ({"program": "/bin/a b"}, "program: '/bin/a b' cannot be"),
        ({"description": "a\nb"}, "description: 'a\nb' cannot be"),
        ({"description": "a\\"}, "description: 'a\\' cannot be"),
        ({"arguments": ["a", "b\nExecStartPre=c"]}, "arguments: 'b\nExecStartPre=c' cannot be"),
        ({"needs": ["etc/x"]}, "needs: 'etc/x' cannot be"),
        ({"after": ["network"]}, "after: 'network' cannot be"),
        ({"check": [["a"], []]}, "check: a command without words"),
        ({"files": {"a": "", "a/b": ""}}, "files: 'a' is a file and the folder of another one"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(changes: dict[str, Any], start: str) -> None:
    (problem,) = problems(daemon(), daemon("underlay-x", **changes))
    assert problem.startswith(f"daemons[1] (underlay-x).{start}")


def test_a_file_is_given_once() -> None:
    item = daemon()
    item["files"] *= 2
    assert problems(item) == [
        "daemons[0] (underlay-vip).files: 'daemon.conf' is there more than once"
    ]


def test_a_daemon_is_given_once() -> None:
    assert problems(daemon(), absent()) == [
        "'underlay-vip' is there more than once; one entry says all of it"
    ]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = daemon(program="x", needs=["y", "/z"], files={"..": ""})
    assert len(problems(daemon("a"), wrong)) == 4


def test_only_the_name_of_an_absent_daemon_counts() -> None:
    assert problems(daemon(state="absent", program="x", files={"..": ""})) == []


def test_the_folder_stands_where_arguments_name_it() -> None:
    (wish,) = read_wishes([daemon(arguments=["-f", "{folder}/a", "--x={folder}", "{other}"])])
    unit = wish.shape(Places()).unit
    assert unit is not None
    folder = "/etc/underlay/underlay-vip"
    assert f"ExecStart=/usr/sbin/daemon -f {folder}/a --x={folder} {{other}}\n" in unit.text


def test_a_daemon_without_a_description_is_called_by_its_name() -> None:
    (wish,) = read_wishes([daemon()])
    unit = wish.shape(Places()).unit
    assert unit is not None
    assert "Description=underlay-vip\n" in unit.text
