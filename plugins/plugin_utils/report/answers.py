# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts answered: the probes' registered results, read without trusting their shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State

# A reason longer than this is a dump, and its beginning says what is wrong.
REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as planned. severity: FAILED or DEGRADED; network: None for links."""

    host: str
    network: str | None
    check: str
    severity: State
    subject: str
    expected: str
    seen: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many checks of a network were made, and how they went. rtt_ms: median of the peers."""

    network: str | None
    checks: int
    failed: int
    degraded: int
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one host came to. reason: why it was not measured; then there is nothing else.

    vips: names of the virtual addresses that it holds; None if it was not asked for them
    """

    counts: tuple[Count, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: float | None = None
    reason: str = ""
    vips: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Hosts:
    """The play's hosts, as Ansible counts them.

    everybody: all that the play's pattern and --limit leave; remaining: those that have not failed
    or become unreachable; batch: those of them whose turn it is (all, without `serial`)
    """

    everybody: Collection[str]
    remaining: Collection[str]
    batch: Collection[str]


def answers(hosts: Hosts, registered: Mapping[str, object]) -> dict[str, Answer]:
    """Return the answer of every host that was asked.

    registered: host -> the probe's result. A result of a host that has left the play since is an
    older one and does not count; hosts of earlier batches have theirs, those of later ones none.
    """
    remaining, batch = set(hosts.remaining), set(hosts.batch)
    found = {}
    for host in {*hosts.everybody, *registered}:
        if host in hosts.everybody and host not in remaining:
            found[host] = Answer(reason="it failed or was unreachable before it could be measured")
        elif host in registered:
            found[host] = read_answer(host, registered[host])
        elif host in batch:
            found[host] = Answer(reason="the probe did not run")
    return found


def read_answer(host: str, result: object) -> Answer:
    """Read one registered result. What is not as the probing module returns it is a reason."""
    if not isinstance(result, Mapping):
        return Answer(reason="the probe left no result")
    for key, words in (("unreachable", "unreachable"), ("failed", "the probe failed")):
        if result.get(key):
            return Answer(reason=_reason(words, result.get("msg")))
    if result.get("skipped"):
        return Answer(reason=_reason("the probe was skipped", result.get("skip_reason")))
    try:
        return Answer(
            counts=tuple(_count(item) for item in _list(result, "measured")),
            findings=tuple(_finding(host, item) for item in _list(result, "findings")),
            seconds=_number(result.get("seconds")),
            vips=tuple(map(str, _list(result, "vips"))) if "vips" in result else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Answer(reason=f"the probe's result cannot be read: {type(error).__name__}: {error}")


def _list(result: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = result[key]
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise TypeError(f"{key} is not a list")
    return value


def _count(item: Mapping[str, Any]) -> Count:
    return Count(
        network=_name(item.get("network")),
        checks=int(item["checks"]),
        failed=int(item["failed"]),
        degraded=int(item["degraded"]),
        rtt_ms=_number(item.get("rtt_ms")),
    )


def _finding(host: str, item: Mapping[str, Any]) -> Finding:
    # Only what says that it is no more than degraded is; all else has to be looked at.
    degraded = str(item["severity"]) == State.DEGRADED.value
    return Finding(
        host=host,
        network=_name(item.get("network")),
        check=str(item["check"]),
        severity=State.DEGRADED if degraded else State.FAILED,
        subject=str(item.get("subject") or ""),
        expected=str(item.get("expected") or ""),
        seen=str(item.get("seen") or ""),
    )


def _name(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _reason(words: str, message: object) -> str:
    told = " ".join(str(message or "").split()).removeprefix("Task failed: ")
    if len(told) > REASON_LENGTH:
        told = f"{told[:REASON_LENGTH]}..."
    return f"{words}: {told}" if told else words
