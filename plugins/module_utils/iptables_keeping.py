# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the iptables rules of others over a reload of firewalld.

With the iptables commands installed firewalld flushes all tables at each reload, also when its own
rules are in nftables (core/fw.py: ``flush`` goes over ``all_backends``): kube-proxy's and CNI's
rules are gone until they write them again, hostPort's for good. So they are saved before, and what
was lost is put back after, in its order; what is there already stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .commands import Runner, run
from .errors import HostError

_SECONDS = 60
_FAMILIES = ("iptables", "ip6tables")
_SBIN = "/usr/sbin:/sbin"

# Chains that firewalld makes (core/ipXtables.py, core/fw_policy.py): it makes them anew at a
# reload, by what is asked of it then.
_BASE = "PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING"
_FIREWALLDS = re.compile(
    rf"(?:(?:{_BASE})_(?:direct|POLICIES_pre|POLICIES_post|ZONES(?:_SOURCE)?|(?:IN|OUT)_ZONES.*)"
    r"|(?:PRE|IN|FWD|FWDI|FWDO|OUT|POST)_.+)"
)


@dataclass
class Table:
    """A table: chains with their policy ("-" for those that somebody made), rules by chain."""

    chains: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)


Tables = dict[str, Table]


@dataclass(frozen=True)
class Saved:
    """What iptables and ip6tables had, by the command's name; empty where it is not installed."""

    families: dict[str, Tables]


def save(runner: Runner = run) -> Saved:
    """Save what the iptables commands of this host show.

    :raises HostError: a command is there and fails; reloading now would lose what it could not
        tell.
    """
    return Saved({family: _read(family, runner) for family in _FAMILIES if _is_there(family)})


def put_back(saved: Saved, runner: Runner = run) -> int:
    """Put back the chains, rules and policies that are gone since; firewalld's own are left out.

    :return: how many rules were put back.
    :raises HostError: they could not be; ``problems`` holds the lines that are to be restored.
    """
    count = 0
    for family, before in saved.families.items():
        lines = missing_lines(before, _read(family, runner))
        if not lines:
            continue
        _restore(family, lines, runner)
        still = missing_lines(before, _read(family, runner))
        if still:
            raise _lost(family, "they are not there, though it said nothing", still)
        count += sum(line.startswith(("-A ", "-I ")) for line in lines)
    return count


def _is_there(family: str) -> bool:
    path = os.pathsep.join(filter(None, (os.environ.get("PATH"), _SBIN)))
    return all(shutil.which(f"{family}-{verb}", path=path) for verb in ("save", "restore"))


def _read(family: str, runner: Runner) -> Tables:
    command = f"{family}-save"
    try:
        done = runner([command], _SECONDS)
    except subprocess.TimeoutExpired as error:
        raise HostError(f"'{command}' did not end within {_SECONDS} s.") from error
    if done.code != 0:
        raise HostError(
            f"The rules that others have in {family} cannot be saved: '{command}' failed:"
            f" {done.words}. A reload of firewalld would lose them."
        )
    return parse(done.out)


def parse(text: str) -> Tables:
    """Read iptables-save's output; counters are left out."""
    tables: Tables = {}
    table = Table()
    for line in text.splitlines():
        if line.startswith("*"):
            table = tables.setdefault(line[1:].strip(), Table())
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            table.chains[chain] = policy
        elif line.startswith("-A "):
            table.rules.setdefault(line.split()[1], []).append(line)
    return tables


def missing_lines(before: Tables, after: Tables) -> list[str]:
    """What iptables-restore --noflush is to be given so that nothing of others is lost."""
    lines: list[str] = []
    for name, table in before.items():
        found = _missing_in_table(table, after.get(name, Table()))
        if found:
            lines += [f"*{name}", *found, "COMMIT"]
    return lines


def _missing_in_table(before: Table, after: Table) -> list[str]:
    chains = [
        # a chain that is there must not be named: that would empty it
        f":{chain} {policy} [0:0]"
        for chain, policy in before.chains.items()
        if not _FIREWALLDS.fullmatch(chain)
        and (chain not in after.chains or after.chains[chain] != policy)
    ]
    rules = [
        line
        for chain in before.chains
        if not _FIREWALLDS.fullmatch(chain)
        for line in _missing_in_chain(
            [rule for rule in before.rules.get(chain, []) if not _jumps_to_firewalld(rule)],
            after.rules.get(chain, []),
        )
    ]
    return chains + rules


def _missing_in_chain(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The lines that add what is gone, each at the place that it had among what stayed.

    A rule that stands in a chain twice is there twice again, and one that somebody has put back
    at another place in the meantime is not added.
    """
    stayed = _stayed(before, after)
    elsewhere = Counter(rule for place, rule in enumerate(after) if place not in stayed.values())
    lines: list[str] = []
    place = 0
    for index, rule in enumerate(before):
        if index in stayed:
            place = stayed[index] + len(lines) + 1
        elif elsewhere[rule]:
            elsewhere[rule] -= 1
        else:
            at_end = place == len(after) + len(lines)
            lines.append(rule if at_end else _inserted(rule, place + 1))
            place += 1
    return lines


def _stayed(before: Sequence[str], after: Sequence[str]) -> dict[int, int]:
    """Where the rules of ``before`` are in ``after``, by their places, in the order of both."""
    found: dict[int, int] = {}
    index = 0
    for place, rule in enumerate(after):
        if rule in before[index:]:
            index = before.index(rule, index) + 1
            found[index - 1] = place
    return found


def _inserted(rule: str, number: int) -> str:
    """``-A CHAIN words`` as the insertion that makes it the chain's rule of this number."""
    _append, chain, *words = rule.split(None, 2)
    return " ".join(["-I", chain, str(number), *words])


def _jumps_to_firewalld(rule: str) -> bool:
    target = re.search(r" -[jg] (\S+)", rule)
    return target is not None and _FIREWALLDS.fullmatch(target.group(1)) is not None


def _restore(family: str, lines: Sequence[str], runner: Runner) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="underlay-", suffix=".rules") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        # what follows --wait is taken for its seconds, whatever it is
        command = [f"{family}-restore", "--wait", "10", "--noflush", file.name]
        try:
            done = runner(command, _SECONDS)
        except subprocess.TimeoutExpired as error:
            raise _lost(family, f"it did not end within {_SECONDS} s", lines) from error
    if done.code != 0:
        raise _lost(family, done.words, lines)


def _lost(family: str, why: str, lines: Sequence[str]) -> HostError:
    return HostError(
        f"The reload of firewalld has taken rules of others from {family}, and '{family}-restore'"
        f" could not put them back: {why}. Give it these lines, or restart what wrote them:",
        list(lines),
    )
