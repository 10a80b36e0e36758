# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure: run the programs in `tests/bench/`, each of which prints lines `NAME VALUE UNIT`.

    python -m tools.bench [--only plan]

A bench is a file `tests/bench/bench_TOPIC.py` that is run as a program; TOPIC is what `--only`
(`make bench ONLY=plan,pods`) names. Figures go to the screen and, all together, to
`.build/bench.txt`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tools import checkout, prepare, steps

BENCHES = checkout.ROOT / "tests" / "bench"
FIGURES = checkout.BUILD / "bench.txt"
# What a topic needs on the machine, other than the planner's Python packages.
PURPOSES = {"firewalld": "lab"}


def topics() -> dict[str, Path]:
    """Every bench there is, by topic."""
    return {p.stem.removeprefix("bench_"): p for p in sorted(BENCHES.glob("bench_*.py"))}


def figures(output: str) -> list[str]:
    """The lines of `output` that are figures: a name, a number, a unit."""
    return [line for line in output.splitlines() if _is_figure(line.split())]


def _is_figure(words: list[str]) -> bool:
    if len(words) != 3:
        return False
    try:
        float(words[1])
    except ValueError:
        return False
    return words[0].isidentifier()


def run(only: list[str]) -> None:
    """Run the benches named in `only` (all when empty), one after the other."""
    known = topics()
    if unknown := sorted(set(only) - set(known)):
        raise steps.StopError(
            f"no such bench: {', '.join(unknown)}; there are: {', '.join(known) or 'none'}"
        )
    path = os.pathsep.join([str(checkout.ROOT), str(checkout.ROOT / ".collections")])
    env = steps.environment({"PYTHONPATH": path})
    found: list[str] = []
    failed: list[str] = []
    for topic in only or known:
        argv = [checkout.venv_program("python"), str(known[topic])]
        done = steps.run(f"bench {topic}", argv, env=env, show=True)
        output = done.log.read_text(encoding="utf-8", errors="replace")
        if done.ok and (lines := figures(output)):
            found += lines
        else:
            failed.append(f"{topic} (status {done.status}, {done.log})")
    FIGURES.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
    if failed:
        raise steps.StopError(f"without a figure: {'; '.join(failed)}")
    if not found:
        raise steps.StopError(f"no bench in {BENCHES.relative_to(checkout.ROOT)}")


def main() -> None:
    """Run the benches named on the command line."""
    parser = argparse.ArgumentParser(description="Measure.")
    parser.add_argument("--only", default="", help="topics, separated by commas")
    only = [word for word in parser.parse_args().only.replace(",", " ").split() if word]
    with steps.stoppable():
        for purpose in {PURPOSES.get(topic, "plan") for topic in only or topics()}:
            prepare.everything(purpose)
        run(only)
    sys.exit(0)


if __name__ == "__main__":
    main()
