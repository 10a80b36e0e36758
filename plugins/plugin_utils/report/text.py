# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as text for a terminal: plain ASCII, no line over WIDTH columns, and the verdict
last, where the eye is when all has scrolled by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import Finding
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import (
    Group,
    Row,
    Verdict,
)

WIDTH = 100
# What a person takes in on a screen: with more hosts only those in trouble are shown, and of more
# findings one for each kind.
ROWS_SHOWN = 30
FINDINGS_SHOWN = 20
HOSTS_SHOWN = 4
# A longer name is cut, so that at least six networks stand beside it.
NAME_WIDTH = 28

_WORDS = {
    State.OK: "ok",
    State.DEGRADED: "degraded",
    State.FAILED: "FAILED",
    State.NOT_MEASURED: "?",
    State.NOT_ASKED: ".",
    State.PROVISIONING: "provisioning",
    State.ABSENT: "-",
}
_LEGEND = {
    State.NOT_MEASURED: "? not measured",
    State.NOT_ASKED: ". not asked",
    State.ABSENT: "- not on this network",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and the state that it tells, for whoever has colours; None for none."""

    text: str
    state: State | None = None


def terminal_lines(verdict: Verdict) -> list[Line]:
    """Return the verdict's lines."""
    lines = [Line(""), *_matrix(verdict), Line("")]
    if verdict.findings:
        lines += [*_findings(verdict), Line("")]
    return [*lines, *_headline(verdict)]


def terminal_text(verdict: Verdict) -> str:
    """Return the verdict's lines as one text."""
    return "\n".join(line.text for line in terminal_lines(verdict))


def host_counts(verdict: Verdict) -> str:
    """Return how many hosts are in which state: `4 hosts: 3 ok, 1 failed`."""
    total = len(verdict.rows)
    parts = [
        f"{verdict.hosts[state]} {state}" for state in reversed(State) if verdict.hosts.get(state)
    ]
    return f"{total} {plural('host', total)}: {', '.join(parts) or 'none'}"


def headline(verdict: Verdict) -> str:
    """Return the verdict in one sentence."""
    return f"The verdict is {verdict.state}. {host_counts(verdict)}."


def plain(text: str) -> str:
    """Return text in printable ASCII: what a host says must not steer the terminal."""
    escaped = text.encode("ascii", "backslashreplace").decode("ascii")
    shown = "".join(sign if sign.isprintable() else " " for sign in escaped)
    return " ".join(shown.split())


def plural(noun: str, number: int) -> str:
    """Return the noun for this many."""
    return noun if number == 1 else f"{noun}s"


def _headline(verdict: Verdict) -> Iterator[Line]:
    word = str(verdict.state)
    shown = word if verdict.state is State.OK else word.upper()
    yield Line(f"Verdict: {shown}", verdict.state)
    yield Line(f"  {host_counts(verdict)}")
    yield Line(f"  plan {verdict.plan[:12]}")


def _matrix(verdict: Verdict) -> Iterator[Line]:
    rows = list(verdict.rows)
    if len(rows) > ROWS_SHOWN:
        rows = [row for row in verdict.worst_first() if row.state.trouble]
    shown = rows[:ROWS_SHOWN]
    if shown:
        columns = [_Column("host", [row.name for row in shown])]
        columns += [
            _Column(name, [_WORDS[row.state_on(name)] for row in shown]) for name in verdict.columns
        ]
        states = [row.state if row.state.trouble else None for row in shown]
        for block in _blocks(columns):
            yield _line([column.cut(column.name) for column in block], block)
            for number, state in enumerate(states):
                yield _line([column.cut(column.words[number]) for column in block], block, state)
        yield from _legend(shown, verdict.columns)
    if len(rows) > len(shown):
        yield Line(f"and {len(rows) - len(shown)} more hosts in trouble")
    if len(verdict.rows) > ROWS_SHOWN:
        yield from _others(verdict)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table: its name, and a word for each row."""

    name: str
    words: Sequence[str]

    @property
    def width(self) -> int:
        longest = max(len(plain(word)) for word in (self.name, *self.words))
        return min(longest, NAME_WIDTH)

    def cut(self, word: str) -> str:
        shown, width = plain(word), self.width
        return shown if len(shown) <= width else f"{shown[: width - 2]}.."


def _blocks(columns: Sequence[_Column]) -> Iterator[list[_Column]]:
    """Yield the columns in groups that fit into WIDTH; the first one stands in each."""
    first, *others = columns
    block, used = [first], first.width
    for column in others:
        if len(block) > 1 and used + 2 + column.width > WIDTH:
            yield block
            block, used = [first], first.width
        block.append(column)
        used += 2 + column.width
    yield block


def _line(texts: Sequence[str], block: Sequence[_Column], state: State | None = None) -> Line:
    padded = (f"{text:<{column.width}}" for text, column in zip(texts, block, strict=True))
    return Line("  ".join(padded).rstrip(), state)


def _legend(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Line]:
    seen = {row.state_on(column) for row in rows for column in columns}
    words = [text for state, text in _LEGEND.items() if state in seen]
    if words:
        yield Line(f"({'; '.join(words)})")


def _others(verdict: Verdict) -> Iterator[Line]:
    for state in (State.OK, State.NOT_ASKED, State.PROVISIONING):
        number = verdict.hosts.get(state, 0)
        if number:
            yield Line(f"{number} {plural('host', number)} {state}, not shown")


def _findings(verdict: Verdict) -> Iterator[Line]:
    counts = [
        f"{number} {severity}"
        for severity in (State.FAILED, State.DEGRADED)
        if (number := verdict.found(severity))
    ]
    many = len(verdict.findings) > FINDINGS_SHOWN
    yield Line(f"Findings: {', '.join(counts)}{', by kind' if many else ''}")
    if not many:
        for item in verdict.findings:
            yield from _finding(item)
        return
    groups = verdict.groups()
    for group in groups[:FINDINGS_SHOWN]:
        yield from _group(group)
    if len(groups) > FINDINGS_SHOWN:
        yield Line(f"  and {len(groups) - FINDINGS_SHOWN} more kinds; all are in the report")


def _finding(item: Finding) -> Iterator[Line]:
    yield from _told(item, f"{item.host}: {_what(item)}")


def _group(group: Group) -> Iterator[Line]:
    first = group.findings[0]
    hosts = group.hosts
    if len(hosts) == 1:
        number = len(group.findings)
        more = f" and {number - 1} more" if number > 1 else ""
        yield from _told(first, f"{first.host}: {_what(first)}{more}")
        return
    names = ", ".join(hosts[:HOSTS_SHOWN])
    more = f" and {len(hosts) - HOSTS_SHOWN} more" if len(hosts) > HOSTS_SHOWN else ""
    about = f"; on {first.host}: {first.subject}" if first.subject else ""
    told = f"{len(hosts)} hosts: {_kind(first)}: {names}{more}{about}"
    yield from _told(first, told)


def _told(item: Finding, told: str) -> Iterator[Line]:
    mark = f"  {_WORDS[item.severity]:<8}  "
    deeper = " " * len(mark)
    lines = wrap(plain(told), WIDTH, initial_indent=mark, subsequent_indent=deeper)
    for text in lines:
        yield Line(text, item.severity)
    told = f"expected {item.expected}, seen {item.seen}"
    for text in wrap(plain(told), WIDTH, initial_indent=deeper, subsequent_indent=deeper):
        yield Line(text)


def _what(item: Finding) -> str:
    return f"{_kind(item)}: {item.subject}" if item.subject else _kind(item)


def _kind(item: Finding) -> str:
    return f"{item.network}: {item.check}" if item.network else item.check
