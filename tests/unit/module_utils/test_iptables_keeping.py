# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign iptables rules over a reload: what is lost is put back, in its place, and only that."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils import iptables_keeping
from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.iptables_keeping import (
    Tables,
    missing_lines,
    parse,
)


def table(*lines: str) -> Tables:
    """A filter table with its built-in chains; `lines` as iptables-save writes them."""
    built_in = [":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]"]
    return parse("\n".join(["*filter", *built_in, *lines, "COMMIT"]))


def test_a_chain_with_its_rules_is_put_back_whole() -> None:
    before = table(":KUBE - [1:2]", "-A INPUT -j KUBE", "-A KUBE -s 10.0.0.1/32 -j ACCEPT")
    assert missing_lines(before, table()) == [
        "*filter",
        ":KUBE - [0:0]",
        "-A INPUT -j KUBE",
        "-A KUBE -s 10.0.0.1/32 -j ACCEPT",
        "COMMIT",
    ]


def test_a_chain_that_is_there_is_not_named_as_that_would_empty_it() -> None:
    before = table(":KUBE - [0:0]", "-A KUBE -j A", "-A KUBE -j B")
    after = table(":KUBE - [0:0]", "-A KUBE -j B")
    assert missing_lines(before, after) == ["*filter", "-I KUBE 1 -j A", "COMMIT"]


def test_a_policy_is_put_back() -> None:
    before = parse("*filter\n:FORWARD DROP [9:9]\nCOMMIT\n")
    assert missing_lines(before, table()) == ["*filter", ":FORWARD DROP [0:0]", "COMMIT"]


def test_nothing_lost_is_nothing_to_do() -> None:
    before = table(":KUBE - [0:0]", "-A INPUT -j KUBE")
    assert missing_lines(before, before) == []
    assert missing_lines({}, before) == []


def test_a_table_that_is_gone_is_put_back() -> None:
    before = parse("*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j REDIRECT\nCOMMIT\n")
    assert missing_lines(before, {})[-2:] == ["-A PREROUTING -p tcp -j REDIRECT", "COMMIT"]


def test_a_rule_that_was_there_twice_is_there_twice_again() -> None:
    before = table("-A INPUT -j A", "-A INPUT -j A")
    lines = missing_lines(before, table("-A INPUT -j A"))
    assert lines == ["*filter", "-A INPUT -j A", "COMMIT"]


@pytest.mark.parametrize(
    "line",
    [
        "-A INPUT -j INPUT_ZONES", "-A INPUT -j INPUT_direct", "-A INPUT_direct -j ACCEPT",
        "-A IN_public_allow -p tcp -m tcp --dport 80 -j ACCEPT", "-A INPUT -g IN_public",
        "-A FORWARD_POLICIES_pre -j FWD_own", "-A FORWARD -j FORWARD_POLICIES_pre",
    ],
)  # fmt: skip
def test_what_firewalld_makes_itself_is_left_to_it(line: str) -> None:
    chains = [f":{name} - [0:0]" for name in ("INPUT_direct", "IN_public_allow")]
    assert missing_lines(table(*chains, line), table()) == []


def test_a_rule_that_its_owner_has_put_back_elsewhere_is_not_added() -> None:
    before = table("-A INPUT -j A", "-A INPUT -j B", "-A INPUT -j C")
    after = table("-A INPUT -j C", "-A INPUT -j A")
    lines = missing_lines(before, after)
    assert [line.split()[-1] for line in lines[1:-1]] == ["B"]


@st.composite
def losses(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """The rules of a chain before a reload, and some of them after, in the same order."""
    before = draw(st.lists(st.sampled_from([f"-A INPUT -j T{n}" for n in range(6)]), max_size=9))
    kept = [draw(st.booleans()) for _rule in before]
    return before, [rule for rule, stays in zip(before, kept, strict=True) if stays]


@given(losses())
def test_the_order_is_as_it_was(lost: tuple[list[str], list[str]]) -> None:
    before, after = lost
    now = list(after)
    for line in missing_lines(table(*before), table(*after)):
        if line.startswith("-A"):
            now.append(line)
        elif line.startswith("-I"):
            _insert, chain, place, target = line.split(None, 3)
            now.insert(int(place) - 1, f"-A {chain} {target}")
    assert now == before


SHOWN = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j OWN\nCOMMIT\n"


class Host:
    """A host whose iptables-restore does, or does not do, as it is told."""

    def __init__(self) -> None:
        self.shown = SHOWN
        self.restored = ""
        self.does = True
        self.ends = Completed(0)

    def __call__(self, argv: Sequence[str], timeout: float) -> Completed:
        if argv[0].endswith("-save"):
            return Completed(0, self.shown)
        self.restored = Path(argv[-1]).read_text("utf-8")
        if self.does:
            self.shown = SHOWN
        return self.ends


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(iptables_keeping, "_is_there", lambda family: family == "iptables")
    return Host()


class TestAHost:
    def test_gets_back_what_was_lost(self, host: Host) -> None:
        saved = iptables_keeping.save(host)
        host.shown = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
        assert iptables_keeping.put_back(saved, host) == 1
        assert host.restored == "*filter\n-A INPUT -j OWN\nCOMMIT\n"

    def test_without_the_commands_has_nothing_to_keep(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(iptables_keeping, "_is_there", lambda _family: False)
        assert iptables_keeping.put_back(iptables_keeping.save(host), host) == 0

    @pytest.mark.parametrize(
        ("does", "ends"), [(True, Completed(2, "", "bad")), (False, Completed(0))]
    )
    def test_that_cannot_restore_is_given_the_lines(
        self, host: Host, does: bool, ends: Completed
    ) -> None:
        saved = iptables_keeping.save(host)
        host.shown, host.does, host.ends = "", does, ends
        with pytest.raises(HostError, match="iptables-restore") as error:
            iptables_keeping.put_back(saved, host)
        assert "-A INPUT -j OWN" in error.value.problems

    def test_that_cannot_save_is_told_before_anything_is_lost(self, host: Host) -> None:
        def failing(argv: Sequence[str], timeout: float) -> Completed:
            return Completed(1, "", "no permission")

        def hanging(argv: Sequence[str], timeout: float) -> Completed:
            raise subprocess.TimeoutExpired(list(argv), timeout)

        with pytest.raises(HostError, match="no permission"):
            iptables_keeping.save(failing)
        with pytest.raises(HostError, match="did not end within"):
            iptables_keeping.save(hanging)
