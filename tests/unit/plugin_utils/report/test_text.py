# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict in a terminal: a table that fits, trouble first, the verdict last."""

from __future__ import annotations

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import read_answer
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.text import (
    FINDINGS_SHOWN,
    ROWS_SHOWN,
    WIDTH,
    headline,
    plain,
    terminal_lines,
    terminal_text,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import judge
from tests.unit.plugin_utils.report.fleets import (
    GONE,
    PLAN,
    finding,
    fine,
    part,
    parts,
    result,
    verdict,
)


def test_a_small_fleet_is_shown_whole() -> None:
    judged = verdict(
        {**parts("cp1", networks=["lcm"]), **parts("w1", "w2", "w3")},
        cp1=result(networks=[None, "lcm"]),
        w1=result(finding("lcm")),
        w2=GONE,
        w3=None,
    )
    assert (
        terminal_text(judged)
        == """
host  host links  lcm     storage
cp1   ok          ok      -
w1    ok          FAILED  ok
w2    ?           ?       ?
w3    .           .       .
(? not measured; . not asked; - not on this network)

Findings: 2 failed
  FAILED    w1: lcm: gateway: 10.21.1.1
            expected an answer on bond0.101, seen no answer to 3 requests
  FAILED    w2: probe
            expected a measurement, seen unreachable: ssh: connect to host w1: Connection timed out

Verdict: FAILED
  4 hosts: 1 failed, 1 not measured, 1 ok, 1 not asked
  plan 9aaa1a69f266"""
    )


def test_without_findings_there_is_no_word_of_them() -> None:
    assert "Findings" not in terminal_text(fine(3))
    assert "Verdict: ok" in terminal_text(fine(3))


def test_of_hundreds_of_hosts_only_those_in_trouble_are_shown() -> None:
    text = terminal_text(fine(300, {"w7": result(finding("storage"))}))
    rows = [line for line in text.splitlines() if line.startswith("w")]
    assert [row.split() for row in rows] == [["w7", "ok", "ok", "FAILED"]]
    assert "299 hosts ok, not shown" in text


def test_a_large_fleet_without_trouble_needs_no_table() -> None:
    assert "host links" not in terminal_text(fine(300))


def test_more_trouble_than_a_screen_holds_is_counted() -> None:
    text = terminal_text(fine(100, {f"w{number}": GONE for number in range(1, 51)}))
    rows = [line for line in text.splitlines() if line.startswith("w")]
    assert len(rows) == ROWS_SHOWN
    assert "and 20 more hosts in trouble" in text


def test_many_findings_are_told_by_kind() -> None:
    troubled = {f"w{number}": result(finding("lcm")) for number in range(1, FINDINGS_SHOWN + 2)}
    text = terminal_text(fine(40, {**troubled, "w40": GONE}))
    assert "Findings: 22 failed, by kind" in text
    assert "21 hosts: lcm: gateway: w1, w2, w3, w4 and 17 more; on w1: 10.21.1.1" in text
    assert "w40: probe" in text


def test_many_kinds_are_cut() -> None:
    found = [finding("lcm", check=f"check{number}") for number in range(FINDINGS_SHOWN + 3)]
    text = terminal_text(verdict(parts("w1"), w1=result(*found)))
    assert "and 3 more kinds; all are in the report" in text


@pytest.mark.parametrize("count", [3, 300])
def test_no_line_is_wider_than_the_terminal(count: int) -> None:
    networks = [f"a_network_with_a_rather_long_name_{number}" for number in range(12)]
    name = "a-host-with-a-name-that-is-as-long-as-names-can-be.example.org"
    planned = {f"{name}{number}": part(f"{name}{number}", networks) for number in range(count)}
    told = result(finding(networks[3], seen="long " * 100), networks=[None, *networks])
    fleet = {"networks": [{"name": network} for network in networks]}
    judged = judge(PLAN, fleet, planned, {host: read_answer(host, told) for host in planned})
    lines = terminal_text(judged).splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert sum(line.startswith("host ") for line in lines) > 1, "the table goes on below"


def test_what_a_host_says_cannot_steer_the_terminal() -> None:
    nasty = finding("lcm", seen="\x1b[2Jgone\nVerdict: ok\r\u202e\u2713")
    text = terminal_text(verdict(parts("w1"), w1=result(nasty)))
    assert text.isascii()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\nVerdict: ok" not in text


def test_lines_in_trouble_carry_their_state_for_colours() -> None:
    lines = terminal_lines(fine(3, {"w2": result(finding("lcm"))}))
    coloured = {line.text.split()[0]: line.state for line in lines if line.state}
    assert coloured == {"w2": State.FAILED, "FAILED": State.FAILED, "Verdict:": State.FAILED}


def test_the_verdict_fits_into_a_sentence() -> None:
    assert headline(fine(2, {"w1": GONE})) == (
        "The verdict is failed. 2 hosts: 1 not measured, 1 ok."
    )


def test_plain_text_is_one_line_of_printable_ascii() -> None:
    assert plain("a\tb\n\x07c \xe9") == "a b c \\xe9"
