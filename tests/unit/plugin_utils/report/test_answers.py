# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts were asked, and what their registered results say, whatever their shape."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import (
    REASON_LENGTH,
    Answer,
    Hosts,
    answers,
    read_answer,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from tests.unit.plugin_utils.report.fleets import GONE, finding, result


def asked(
    everybody: str, remaining: str | None = None, batch: str | None = None, had: Iterable[str] = ()
) -> dict[str, Answer]:
    """Hosts by one-letter names; without a word about them all are there, in one batch."""
    remaining = everybody if remaining is None else remaining
    hosts = Hosts(everybody, remaining, remaining if batch is None else batch)
    return answers(hosts, {host: result() for host in had})


def test_hosts_outside_of_the_limit_have_no_answer() -> None:
    assert set(asked("ab", had="ab")) == {"a", "b"}


def test_a_host_that_left_the_play_is_not_measured() -> None:
    assert "before it could be measured" in asked("ab", remaining="a", had="a")["b"].reason


def test_an_older_result_of_a_host_that_left_the_play_does_not_count() -> None:
    answer = asked("ab", remaining="a", had="ab")["b"]
    assert answer.reason
    assert not answer.counts


def test_a_host_whose_probe_did_not_run_is_not_measured() -> None:
    assert asked("ab", had="a")["b"].reason == "the probe did not run"


def test_in_a_serial_play_earlier_batches_count_and_later_ones_are_not_asked_yet() -> None:
    found = asked("abc", batch="b", had="ab")
    assert set(found) == {"a", "b"}
    assert not found["a"].reason


@pytest.mark.parametrize(
    ("registered", "reason"),
    [
        (GONE, "unreachable: ssh: connect to host w1: Connection timed out"),
        ({"failed": True, "msg": "Task failed: no\n  ip"}, "the probe failed: no ip"),
        ({"failed": True}, "the probe failed"),
        (
            {"skipped": True, "skip_reason": "Conditional result was False"},
            "the probe was skipped: Conditional result was False",
        ),
        ("text", "the probe left no result"),
        ({}, "the probe's result cannot be read: KeyError: 'measured'"),
        (
            {"measured": "text", "findings": []},
            "the probe's result cannot be read: TypeError: measured is not a list",
        ),
        (
            {"measured": [{"network": "lcm", "checks": "many"}], "findings": []},
            "the probe's result cannot be read: ValueError: invalid literal for int() with "
            "base 10: 'many'",
        ),
        (
            {"measured": [], "findings": ["text"]},
            "the probe's result cannot be read: TypeError: string indices must be integers, "
            "not 'str'",
        ),
    ],
)
def test_a_result_without_a_measurement_says_why(registered: object, reason: str) -> None:
    assert read_answer("w1", registered) == Answer(reason=reason)


def test_a_long_reason_is_cut() -> None:
    answer = read_answer("w1", {"failed": True, "msg": "x" * 10_000})
    assert len(answer.reason) < REASON_LENGTH + 50


def test_counts_and_findings_are_read() -> None:
    answer = read_answer("w1", result(finding("lcm")))
    assert [(item.network, item.failed) for item in answer.counts] == [
        (None, 0),
        ("lcm", 1),
        ("storage", 0),
    ]
    (found,) = answer.findings
    assert (found.host, found.network, found.severity) == ("w1", "lcm", State.FAILED)
    assert answer.seconds == 1.8


def test_a_severity_that_is_not_known_counts_as_failed() -> None:
    (found,) = read_answer("w1", result(finding("lcm", severity="peculiar"))).findings
    assert found.severity is State.FAILED
