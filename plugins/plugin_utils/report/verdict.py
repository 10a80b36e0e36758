# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: what the plan promised against what the hosts measured, host by network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_key
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.reach import grouped
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import (
    Answer,
    Count,
    Finding,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State, worst
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.vips import with_vips
from ansible_collections.underlay.cluster.plugins.plugin_utils.services_model import PROVISIONING

# The column of what belongs to no single network: NICs, bonds, leftovers. No network can have a
# name with a space.
LINKS = "host links"

# What is expected of a host that was asked, and why one that was asked cannot be judged.
MEASURED = "a measurement"
NOT_PLANNED = "the plan has no part for this host: plan again"


@dataclass(frozen=True, slots=True)
class Cell:
    """A host on one network. count: what was measured there, if anything was."""

    state: State
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A host. cells: network or LINKS -> cell; what is not there is ABSENT.

    vlans: network -> VLAN ids; reason: why the host was not measured
    kept_off: networks that the host must have no part in, and was measured to have none
    """

    name: str
    rack: str
    state: State
    cells: Mapping[str, Cell]
    vlans: Mapping[str, Sequence[int]]
    reason: str
    seconds: float | None
    kept_off: Set[str] = frozenset()

    def state_on(self, column: str) -> State:
        """Return the host's state on a network, or on LINKS."""
        cell = self.cells.get(column)
        return cell.state if cell else State.ABSENT


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that differ by host alone, more or less: one switch port, one dead gateway."""

    severity: State
    network: str | None
    check: str
    findings: Sequence[Finding]

    @property
    def hosts(self) -> list[str]:
        """The hosts, each once, in the findings' order."""
        return list(dict.fromkeys(item.host for item in self.findings))


@dataclass(frozen=True, slots=True)
class Reach:
    """Hosts on which the same may be reached by the same. rows: as the plan has them."""

    hosts: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification came to.

    plan: the plan's SHA-256; state: OK, DEGRADED or FAILED; columns: LINKS and the networks that
    hosts are on; rows: one a host, in natural order; findings: worst first, then by host
    reach: what the plan's firewalls let in, of the hosts that have one
    """

    plan: str
    state: State
    columns: Sequence[str]
    rows: Sequence[Row]
    findings: Sequence[Finding]
    hosts: Mapping[State, int] = field(default_factory=dict)
    reach: Sequence[Reach] = ()

    @property
    def measured(self) -> int:
        """How many hosts were measured."""
        return sum(self.hosts.get(state, 0) for state in (State.OK, State.DEGRADED, State.FAILED))

    def worst_first(self) -> list[Row]:
        """Return the rows with trouble on top."""
        return sorted(self.rows, key=lambda row: -row.state.rank)

    def found(self, severity: State) -> int:
        """Return how many findings are of this severity."""
        return sum(item.severity is severity for item in self.findings)

    def groups(self) -> list[Group]:
        """Return the findings by severity, network and check; the largest groups first."""
        grouped: dict[tuple[State, str | None, str], list[Finding]] = {}
        for item in self.findings:
            grouped.setdefault((item.severity, item.network, item.check), []).append(item)
        groups = [Group(*key, findings) for key, findings in grouped.items()]
        return sorted(groups, key=lambda group: (-group.severity.rank, -len(group.hosts)))


def judge(
    sha256: str,
    fleet: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]],
    answered: Mapping[str, Answer],
) -> Verdict:
    """Judge the fleet.

    fleet, parts: the plan's two sorts of parts; answered: host -> answer, of the hosts that were
    asked. A planned host without one is NOT_ASKED, one that is provisioned is PROVISIONING whatever
    it answered. If nobody else was asked, nothing is proven: FAILED.
    """
    waiting = {name for name, part in parts.items() if part.get("state") == PROVISIONING}
    answered = {name: answer for name, answer in answered.items() if name not in waiting}
    answered = with_vips(fleet.get("vips", ()), waiting, answered)
    rows = [_row(name, parts.get(name), answered.get(name)) for name in {*parts, *answered}]
    rows.sort(key=lambda row: (natural_key(row.name), row.name))
    order = [network["name"] for network in fleet["networks"]]
    used = {column for row in rows for column in row.cells}
    found = [item for row in rows for item in _findings(row, answered.get(row.name))]
    hosts = Counter(row.state for row in rows)
    return Verdict(
        plan=sha256,
        state=_overall(hosts),
        columns=[LINKS, *(name for name in order if name in used)],
        rows=rows,
        findings=sorted(found, key=_importance(order)),
        hosts=hosts,
        reach=[
            Reach(names, table)
            for names, table in grouped(
                {row.name: parts[row.name] for row in rows if row.name in parts}
            )
        ],
    )


def _overall(hosts: Mapping[State, int]) -> State:
    apart = (State.NOT_ASKED, State.PROVISIONING)
    state = worst(state for state, number in hosts.items() if number and state not in apart)
    return State.FAILED if state in (State.NOT_MEASURED, State.ABSENT) else state


def _row(name: str, part: Mapping[str, Any] | None, answer: Answer | None) -> Row:
    cells = _cells(part, answer)
    reason = answer.reason if answer else ""
    if answer and part is None:
        reason = NOT_PLANNED
    return Row(
        name=name,
        rack=str(part["rack"]) if part else "",
        state=worst(cell.state for cell in cells.values()),
        cells=cells,
        vlans=_vlans(part) if part else {},
        reason=reason,
        seconds=answer.seconds if answer else None,
        kept_off=frozenset(_kept_off(part)) if part else frozenset(),
    )


def _cells(part: Mapping[str, Any] | None, answer: Answer | None) -> dict[str, Cell]:
    if part is None:
        return {LINKS: Cell(State.NOT_MEASURED)}
    if part.get("state") == PROVISIONING:
        return {LINKS: Cell(State.PROVISIONING)}
    networks = _networks(part)
    if answer is None:
        return dict.fromkeys([LINKS, *networks], Cell(State.NOT_ASKED))
    if answer.reason:
        return dict.fromkeys([LINKS, *networks], Cell(State.NOT_MEASURED))
    counts: dict[str, Count] = {}
    for item in answer.counts:
        column = _column(item.network, networks)
        counts[column] = _sum(counts[column], item) if column in counts else item
    told: dict[str, list[State]] = {}
    for found in answer.findings:
        told.setdefault(_column(found.network, networks), []).append(found.severity)
    cells = {name: _cell(counts.get(name), told.get(name, [])) for name in networks}
    # A host can be planned without a link that is nobody's own; then there is nothing to measure.
    links = counts.get(LINKS, Count(None, 0, 0, 0, None))
    return {LINKS: _cell(links, told.get(LINKS, [])), **cells}


def _sum(one: Count, other: Count) -> Count:
    return Count(
        network=None,
        checks=one.checks + other.checks,
        failed=one.failed + other.failed,
        degraded=one.degraded + other.degraded,
        rtt_ms=one.rtt_ms,
    )


def _cell(count: Count | None, told: Sequence[State]) -> Cell:
    if count is None and not told:
        # The plan promised it and nobody looked: that must not pass for ok.
        return Cell(State.NOT_MEASURED)
    states = [State.OK, *told]
    if count and count.failed:
        states.append(State.FAILED)
    if count and count.degraded:
        states.append(State.DEGRADED)
    return Cell(worst(states), count)


def _column(network: str | None, networks: Iterable[str]) -> str:
    # What is left over of a network that the host is no longer on has no column of its own.
    return network if network is not None and network in networks else LINKS


def _networks(part: Mapping[str, Any]) -> list[str]:
    links = part["expect"].get("links", ())
    names = [item["network"] for item in (*part["addresses"], *links) if item["network"]]
    return list(dict.fromkeys([*names, *_kept_off(part)]))


def _kept_off(part: Mapping[str, Any]) -> Iterator[str]:
    """Yield the networks that are measured from a host because it must not be there."""
    return (item["network"] for item in part["expect"].get("forbidden", ()))


def _vlans(part: Mapping[str, Any]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for link in part["expect"].get("links", ()):
        if link["network"] and link.get("vlan") is not None:
            found.setdefault(link["network"], []).append(link["vlan"])
    return found


def _findings(row: Row, answer: Answer | None) -> Iterator[Finding]:
    if row.reason:
        yield Finding(row.name, None, "probe", State.FAILED, "", MEASURED, row.reason)
        return
    if answer is None:
        return
    yield from answer.findings
    for column, cell in row.cells.items():
        if cell.state is State.NOT_MEASURED:
            seen = "the probe made no check of this network"
            yield Finding(row.name, column, "probe", State.FAILED, column, MEASURED, seen)
        elif cell.state.trouble and cell.count and not answer.findings:
            yield _untold(row.name, column, cell.count)


def _untold(host: str, column: str, count: Count) -> Finding:
    """Return a finding for checks that failed without one. Nothing may fail in silence."""
    network = None if column == LINKS else column
    severity = State.FAILED if count.failed else State.DEGRADED
    seen = f"{count.failed} failed and {count.degraded} degraded"
    return Finding(host, network, "probe", severity, column, f"{count.checks} checks to pass", seen)


def _importance(order: Sequence[str]) -> Any:
    places: dict[str | None, int] = {name: place for place, name in enumerate(order)}

    def key(item: Finding) -> tuple[Any, ...]:
        host = natural_key(item.host), item.host
        return -item.severity.rank, *host, places.get(item.network, -1), item.check, item.subject

    return key
