# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a host's networks from the host itself, and compare them with the plan."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .probe_addresses import AddressVerdict, check_addresses
from .probe_dhcp import DhcpSeeker, Hearing, judge_hearings
from .probe_duplicates import DuplicateSeeker, Question
from .probe_forbidden import check_forbidden
from .probe_host import HostState, read_host
from .probe_links import LinkVerdict, check_links
from .probe_listeners import check_listeners
from .probe_loop import Loop
from .probe_ping import Outcome, Pinger
from .probe_plan import FAILED, REFUSED, Expectation, Finding, Probe, Silence, Tally
from .probe_refused import Refusal, RefusalSeeker, judge_refusals
from .probe_surroundings import Surroundings, read_surroundings

# Links, addresses and routes that are on their way up get this long, or a part of the whole time.
_SETTLE_SECONDS = 3.0
_SETTLE_PART = 0.3
_POLL_SECONDS = 0.4
# What may still come right by itself after a change of the links.
_TRANSIENT = {"link", "bond", "address", "route", "default_route"}
# More targets than this with the very same trouble are told in one finding.
_MANY = 8
_NAMED = 3


@dataclass(frozen=True)
class Report:
    """What the module returns.

    ``vips`` are the names of the virtual addresses that the host holds, ``seconds`` is the time
    that the measurement took.
    """

    findings: list[dict[str, object]]
    measured: list[dict[str, object]]
    vips: list[str]
    seconds: float


@dataclass(frozen=True)
class _Standing:
    """The host against the plan, without asking anybody else."""

    host: HostState
    tally: Tally
    links: LinkVerdict
    addresses: AddressVerdict


@dataclass(frozen=True)
class _Answers:
    """What came back, by what was asked."""

    outcomes: list[Outcome]
    questions: list[Question]
    hearings: list[Hearing]
    refusals: list[Refusal]


def measure(
    expect: Expectation,
    probes: Iterable[Probe],
    timeout: float,
    read: Callable[[], HostState] = read_host,
    look: Callable[[], Surroundings] = read_surroundings,
) -> Report:
    """Check what is on the host, then ask everybody at once, whoever must answer or must not.

    :param timeout: seconds for everything; what was not asked by then is reported as not measured.
    :raises HostError: nothing can be measured here (not root, no ``ip``).
    """
    begin = time.monotonic()
    standing = _settled(expect, begin + min(_SETTLE_SECONDS, timeout * _SETTLE_PART), read)
    if expect.forbidden or expect.listeners:
        around = look()
        check_forbidden(expect, standing.host, around, standing.tally)
        check_listeners(expect, around, standing.tally)
    asked, hidden = _split(probes, standing)
    answers = _ask(asked, expect, standing, begin + timeout)
    _judge_duplicates(answers.questions, standing)
    _judge_answers(answers.outcomes, standing)
    judge_hearings(answers.hearings, standing.tally)
    _tell(judge_refusals(answers.refusals, standing.tally), standing.tally)
    for probe in hidden:
        standing.tally.hidden(probe.network)
        standing.tally.hidden(probe.network)
    held = {seen.address.ip for seen in standing.host.addresses}
    return Report(
        findings=standing.tally.findings_as_json(),
        measured=standing.tally.measured(_round_trips(answers.outcomes)),
        vips=[vip.name for vip in expect.vips if vip.address in held],
        seconds=round(time.monotonic() - begin, 2),
    )


def _settled(expect: Expectation, deadline: float, read: Callable[[], HostState]) -> _Standing:
    """The host as it is once nothing is wrong that time could mend, or at the deadline."""
    while True:
        host, tally = read(), Tally()
        links = check_links(expect, host, tally)
        addresses = check_addresses(expect, host, links, tally)
        waits = any(finding.check in _TRANSIENT for finding in tally.findings)
        if not waits or time.monotonic() > deadline:
            return _Standing(host, tally, links, addresses)
        time.sleep(_POLL_SECONDS)


def _split(probes: Iterable[Probe], standing: _Standing) -> tuple[list[Probe], list[Probe]]:
    """The probes that can work, and those whose failure is explained already."""
    asked: list[Probe] = []
    hidden: list[Probe] = []
    for probe in probes:
        explained = (
            probe.link in standing.links.broken
            or probe.source in standing.addresses.addresses
            or standing.addresses.cut_off(probe.address, probe.link)
        )
        (hidden if explained else asked).append(probe)
    return asked, hidden


def _ask(
    probes: list[Probe], expect: Expectation, standing: _Standing, deadline: float
) -> _Answers:
    questions = [
        Question(address, standing.host.links[address.link])
        for address in expect.addresses
        if address.link in standing.host.links and address.link not in standing.links.broken
    ]
    loop = Loop()
    links = {name: (link.index, link.mtu) for name, link in standing.host.links.items()}
    pinger = Pinger(loop, links)
    seeker = DuplicateSeeker(loop, standing.host.macs)
    dhcp = DhcpSeeker(loop)
    refusing = RefusalSeeker(loop)
    askers = (pinger, seeker, dhcp, refusing)
    try:
        outcomes = pinger.start(probe for probe in probes if probe.target != REFUSED)
        seeker.start(questions)
        hearings = dhcp.start(_silences(expect, standing))
        refusals = refusing.start(probe for probe in probes if probe.target == REFUSED)
        loop.run(lambda: all(asker.done() for asker in askers), deadline)
    finally:
        for asker in askers:
            asker.close()
        loop.close()
    return _Answers(outcomes, questions, hearings, refusals)


def _silences(expect: Expectation, standing: _Standing) -> list[Silence]:
    """The links that can be listened to; of one that is broken, the finding is there already."""
    working: list[Silence] = []
    for silence in expect.silent:
        if silence.link in standing.links.broken:
            standing.tally.hidden(silence.network)
        else:
            working.append(silence)
    return working


def _judge_duplicates(questions: Iterable[Question], standing: _Standing) -> None:
    for question in questions:
        address = question.address
        contested = address.address.ip in standing.addresses.contested
        if not question.claimed_by and not contested:
            standing.tally.passed(address.network)
            continue
        others = " and ".join(sorted(question.claimed_by)) or "another MAC address, now silent"
        standing.tally.found(
            Finding(
                network=address.network,
                check="duplicate",
                severity=FAILED,
                subject=str(address.address.ip),
                expected=f"held by {question.link.mac} on {question.link.name} alone",
                seen=f"also held by {others}",
            )
        )


def _judge_answers(outcomes: list[Outcome], standing: _Standing) -> None:
    dead_gateways = {
        (outcome.probe.network, outcome.probe.link, outcome.probe.address.version)
        for outcome in outcomes
        if outcome.probe.target == "gateway" and not outcome.reachable
    }
    findings: list[Finding] = []
    for outcome in outcomes:
        probe = outcome.probe
        if outcome.reachable:
            standing.tally.passed(probe.network)
            _judge_size(outcome, standing, findings)
            continue
        standing.tally.hidden(probe.network)
        gateway = (probe.network, probe.link, probe.address.version)
        if gateway in dead_gateways and not _is_on_link(probe, standing.host):
            standing.tally.hidden(probe.network)
        else:
            findings.append(_silence(outcome))
    _tell(findings, standing.tally)


def _judge_size(outcome: Outcome, standing: _Standing, findings: list[Finding]) -> None:
    probe = outcome.probe
    if outcome.full and not outcome.fragments:
        standing.tally.passed(probe.network)
    elif probe.link in standing.links.narrow:
        standing.tally.hidden(probe.network)
    else:
        findings.append(
            Finding(
                network=probe.network,
                check="path_mtu",
                severity=FAILED,
                subject=probe.subject,
                expected=f"{probe.mtu} bytes whole",
                seen=_size_seen(outcome),
            )
        )


def _size_seen(outcome: Outcome) -> str:
    if outcome.full:
        return f"pieces of {outcome.fragments} bytes on the way back"
    return f"{'' if outcome.settled else 'at least '}{outcome.passing} bytes"


def _silence(outcome: Outcome) -> Finding:
    probe = outcome.probe
    if not outcome.asked:
        seen = "not measured: the time ran out"
    else:
        seen = f"no answer ({outcome.reason})" if outcome.reason else "no answer"
    return Finding(
        network=probe.network,
        check=probe.target,
        severity=FAILED,
        subject=f"VIP {probe.subject}" if probe.target == "vip" else probe.subject,
        expected=f"answers over {probe.link}",
        seen=seen,
    )


def _is_on_link(probe: Probe, host: HostState) -> bool:
    return any(
        seen.link == probe.link and probe.address in seen.address.network
        for seen in host.addresses
        if seen.address.version == probe.address.version
    )


def _tell(findings: Iterable[Finding], tally: Tally) -> None:
    """Findings that differ in their subject alone are told as one when they are many."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.network, finding.check, finding.expected, finding.seen)
        groups.setdefault(key, []).append(finding)
    for group in groups.values():
        told = group if len(group) <= _MANY else [_together(group)]
        for finding in told:
            tally.found(finding)
        for finding in group[len(told) :]:
            tally.hidden(finding.network)


def _together(group: list[Finding]) -> Finding:
    named = ", ".join(finding.subject for finding in group[:_NAMED])
    first = group[0]
    return Finding(
        network=first.network,
        check=first.check,
        severity=first.severity,
        subject=f"{named} and {len(group) - _NAMED} more",
        expected=first.expected,
        seen=first.seen,
    )


def _round_trips(outcomes: Iterable[Outcome]) -> Mapping[str | None, float]:
    """The median round trip to the peers of each network in milliseconds."""
    seconds: dict[str | None, list[float]] = {}
    for outcome in outcomes:
        if outcome.probe.target == "peer" and outcome.seconds is not None:
            seconds.setdefault(outcome.probe.network, []).append(outcome.seconds)
    return {
        network: round(statistics.median(values) * 1000, 3) for network, values in seconds.items()
    }
