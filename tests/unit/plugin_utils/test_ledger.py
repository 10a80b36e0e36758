# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's text: made for people and git, and never read wrongly."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.plugin_utils.ledger import (
    Ledger,
    LedgerError,
    from_text,
    to_text,
)

# Whatever can stand in a file at all; YAML's keys end at 1,024 characters.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number))),
    st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number))),
)
LEDGERS = st.builds(
    Ledger,
    st.integers(0, 10**9),
    st.dictionaries(NAMES, st.dictionaries(ADDRESSES, NAMES, min_size=1, max_size=5), max_size=4),
)
ODD_NAMES = [
    "no",
    "Yes",
    "null",
    "~",
    "1.10",
    "0x10",
    "1e3",
    "12:30:45",
    "a: b",
    "a #b",
    "- a",
    '"quoted"',
    "back\\slash",
    "bücher-1",
    "主机",
    " edges ",
    "two\nlines",
    "bell\x07",
    "\u2028",
    "\ufeff",
    "2024-01-01",
    "<<",
    "=",
]


def text(rows: str = "", head: str = "format: 1\nversion: 3\n") -> str:
    return f"{head}addresses:\n  lcm:\n{rows}" if rows else head


@given(LEDGERS)
def test_what_is_written_is_read_again(ledger: Ledger) -> None:
    assert from_text(to_text(ledger), "ledger.yml") == ledger


@given(LEDGERS)
def test_each_allocation_has_one_line(ledger: Ledger) -> None:
    body = to_text(ledger).split("addresses:", 1)[1]
    rows = [line for line in body.split("\n") if line.startswith("    ")]
    assert len(rows) == len(list(ledger.rows()))


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_an_odd_name_comes_back_as_it_was(name: str) -> None:
    ledger = Ledger(1, {name: {"192.0.2.1": name}})
    assert from_text(to_text(ledger), "ledger.yml") == ledger
    assert yaml.safe_load(to_text(ledger))["addresses"] == {name: {"192.0.2.1": name}}


@pytest.mark.parametrize("name", ["w1", "rack-2.w1", "vip/api", "W_1"])
def test_a_plain_name_stands_without_quotes(name: str) -> None:
    assert f"    192.0.2.1: {name}\n" in to_text(Ledger(1, {"lcm": {"192.0.2.1": name}}))


def test_networks_stand_by_name_and_addresses_by_number_ipv4_first() -> None:
    rows = {"fd21::10": "d", "192.0.2.10": "c", "fd21::9": "a", "192.0.2.9": "b"}
    assert to_text(Ledger(7, {"work": {"192.0.2.1": "a"}, "lcm": rows})).split("\n", 2)[2] == (
        "format: 1\n"
        "version: 7\n"
        "addresses:\n"
        "  lcm:\n"
        "    192.0.2.9: b\n"
        "    192.0.2.10: c\n"
        '    "fd21::9": a\n'
        '    "fd21::10": d\n'
        "  work:\n"
        "    192.0.2.1: a\n"
    )


def test_the_text_is_the_same_however_the_rows_came() -> None:
    rows = {"192.0.2.10": "c", "192.0.2.9": "b"}
    turned = dict(reversed(rows.items()))
    assert to_text(Ledger(1, {"lcm": rows})) == to_text(Ledger(1, {"lcm": turned}))


def test_an_empty_ledger_is_read_again() -> None:
    assert from_text(to_text(Ledger()), "ledger.yml") == Ledger()


def test_another_spelling_of_an_address_is_the_same_address() -> None:
    ledger = from_text(text('    "FD21:0:0::9": a\n'), "ledger.yml")
    assert ledger.addresses == {"lcm": {"fd21::9": "a"}}


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        ("", "not a ledger of format 1"),
        ("\n\n", "not a ledger of format 1"),
        ("[]", "not a ledger of format 1"),
        ("format: 2\nversion: 1\naddresses: {}\n", "format: 2"),
        ("format: 1\n", "version"),
        ("format: 1\nversion: 1\n", "addresses"),
        ("format: 1\nversion: many\naddresses: {}\n", "many"),
        ("format: 1\nversion: 1\naddresses: [a]\n", "list"),
        ("format: 1\nversion: 1\naddresses:\n", "NoneType"),
        (text("    192.0.2.1:\n"), "None is not a name"),
        (text("    192.0.2.1: no\n"), "False is not a name; quote it if it is one"),
        (text("    192.0.2.1: 7\n"), "7 is not a name"),
        (text("    192.0.2.1: [a]\n"), "is not a name"),
        (text("    192.0.2.256: a\n"), "192.0.2.256"),
        (text("    192.0.2.01: a\n"), "192.0.2.01"),
        (text("    a.b.c.d: a\n"), "a.b.c.d"),
        (text("    192.0.2: a\n"), "192.0.2"),
        (text("    10: a\n    192.0.2.1 a\n"), "could not find expected ':'"),
        (text("    192.0.2.1: a\n    192.0.2.1: b\n"), "192.0.2.1 is there twice"),
        (text('    "fd21::1": a\n    "fd21:0::1": b\n'), "fd21::1 is there twice"),
        ("format: 1\x00", "control characters"),
        ("format: 1\nversion: 1\naddresses: *all\n", "undefined alias"),
        ("format: 1\nversion: 1\naddresses: {? [a] : {}}\n", "unhashable"),
        ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
    ],
)
def test_a_damaged_text_is_refused_in_one_clear_line(damaged: str, why: str) -> None:
    with pytest.raises(LedgerError) as raised:
        from_text(damaged, "store/ledger.yml")
    message = str(raised.value)
    assert message.startswith("store/ledger.yml is ")
    assert why in message
    assert message.endswith("Restore it from version control.")
    assert "\n" not in message


def test_the_marks_of_a_merge_are_told_with_the_way_out() -> None:
    conflict = "<<<<<<< ours\n    192.0.2.1: a\n=======\n    192.0.2.1: b\n>>>>>>> theirs\n"
    with pytest.raises(LedgerError, match=r"marks of a merge conflict.*Keep both sides' lines"):
        from_text(text(conflict), "store/ledger.yml")


@given(st.integers(0, 400), st.data())
def test_a_text_that_is_cut_anywhere_is_refused_or_lacks_whole_rows_only(
    cut: int, data: st.DataObject
) -> None:
    ledger = data.draw(LEDGERS)
    try:
        found = from_text(to_text(ledger)[:-cut] if cut else to_text(ledger), "ledger.yml")
    except LedgerError:
        return
    # A row that is cut may name a shorter owner; git and the store's rename are there for that.
    assert len(list(found.rows())) <= len(list(ledger.rows()))


class TestVersions:
    def test_a_change_is_the_next_version(self) -> None:
        assert Ledger(4).with_addresses({"lcm": {"192.0.2.1": "a"}}).version == 5

    def test_no_change_is_the_same_ledger(self) -> None:
        ledger = Ledger(4, {"lcm": {"192.0.2.1": "a"}})
        assert ledger.with_addresses({"lcm": {"192.0.2.1": "a"}, "empty": {}}) is ledger

    def test_releasing_takes_all_of_an_owner_and_nothing_of_others(self) -> None:
        ledger = Ledger(
            1, {"lcm": {"192.0.2.1": "a", "192.0.2.2": "b"}, "work": {"192.0.2.3": "a"}}
        )
        assert ledger.without(["a"]) == Ledger(2, {"lcm": {"192.0.2.2": "b"}})

    def test_releasing_may_be_for_some_networks_only(self) -> None:
        ledger = Ledger(1, {"lcm": {"192.0.2.1": "a"}, "work": {"192.0.2.3": "a"}})
        assert ledger.without(["a"], ["work"]) == Ledger(2, {"lcm": {"192.0.2.1": "a"}})

    def test_releasing_whom_nobody_knows_changes_nothing(self) -> None:
        ledger = Ledger(1, {"lcm": {"192.0.2.1": "a"}})
        assert ledger.without(["z"]) is ledger
