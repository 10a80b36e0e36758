"""The unit of a daemon: what systemd makes of it is what was meant."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.daemon_unit import (
    Command,
    is_ours,
    quoted,
    unit_text,
)


def lines(**changes: object) -> list[str]:
    command = Command(**{"name": "underlay-x", "description": "X", "program": "/bin/x", **changes})  # type: ignore[arg-type]
    return unit_text(command).splitlines()


def test_a_unit_is_known_as_ours_by_its_first_line() -> None:
    text = "\n".join(lines())
    assert is_ours(text)
    assert not is_ours(f"\n{text}")
    assert not is_ours("[Unit]\n")
    assert not is_ours("")


def test_a_daemon_that_ends_is_started_again_for_ever() -> None:
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(lines())


def test_a_daemon_is_started_at_boot() -> None:
    assert lines()[-2:] == ["[Install]", "WantedBy=multi-user.target"]


def test_only_what_is_asked_for_is_in_the_unit() -> None:
    plain = "\n".join(lines())
    assert "ExecReload" not in plain
    assert "RuntimeDirectory" not in plain
    assert "After" not in plain


def test_what_is_asked_for_is_in_the_unit() -> None:
    found = lines(after=["network.target", "b.service"], runtime_folder=True, reload=True)
    assert "After=network.target b.service" in found
    assert "RuntimeDirectory=underlay-x" in found
    assert "ExecReload=/bin/kill -HUP $MAINPID" in found


def test_a_percent_sign_in_the_description_is_none_of_systemds_specifiers() -> None:
    assert "Description=100%% up" in lines(description="100% up")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("--a=b", "--a=b"),
        ("", '""'),
        ("a b", '"a b"'),
        (";", '";"'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ("ends\\", '"ends\\\\"'),
    ],
)
def test_a_word_of_the_command_line_reaches_the_program_as_it_is(word: str, text: str) -> None:
    """systemd.service(5), "Command lines": specifiers, variables and quotes mean nothing."""
    assert quoted(word) == text


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "))))
def test_words_stay_apart_and_whole(words: list[str]) -> None:
    """Read by the rules of a POSIX shell, which quotes as systemd does as far as we use it."""
    line = " ".join(quoted(word) for word in words)
    doubled = [word.replace("%", "%%").replace("$", "$$") for word in words]
    assert shlex.split(line) == doubled
