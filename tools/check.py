# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check everything: lint, sanity, unit tests, lab tests; a table and a count at the end.

    python -m tools.check [lint] [sanity] [unit] [lab] [long] [molecule] [-- PYTEST-ARGUMENTS]

Without a name: all but long and molecule. A stage that fails does not stop the ones after it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import checkout, junit, machine, prepare, sanity, steps

REPORTS = checkout.BUILD / "junit"
LAB_COMMAND = checkout.ROOT / "tests" / "lab" / "lab"


@dataclass(frozen=True)
class Result:
    """One row of the table: a stage, whether it went well, its tests and its seconds."""

    stage: str
    ok: bool
    seconds: float
    tests: junit.Count | None = None


def lint() -> list[Result]:
    """Every linter on what it is for; each is a row of its own."""
    typed = [str(p) for p in _typed_paths() if p.exists()]
    commands = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy", *typed],
        "yamllint": ["yamllint", "--strict", "."],
        "ansible-lint": ["ansible-lint", "--offline", "--nocolor"],
    }
    return [
        _checked(name, [checkout.venv_program(argv[0]), *argv[1:]])
        for name, argv in commands.items()
    ]


def _typed_paths() -> list[Path]:
    """What mypy reads; plugins through the link, so that they have their collection's name."""
    here = checkout.ROOT
    return [checkout.COLLECTION / "plugins", here / "tools", here / "tests" / "lab"]


def sanity_tests() -> list[Result]:
    """ansible-test's sanity tests, counted from its JUnit files."""
    steps.say("==> sanity")
    begin = time.monotonic()
    done, reports = sanity.run()
    if not done.ok:
        for complaint in sanity.complaints(done.log):
            steps.say(f"    {complaint}")
    tests = junit.count(sorted(reports.glob("*.xml")))
    return [counted("sanity", ok=done.ok, seconds=time.monotonic() - begin, tests=tests)]


def unit(extra: Sequence[str] = ()) -> list[Result]:
    """Tests that need no virtual machine; they are independent, so two run at a time."""
    return [_pytest("unit", ["-n", "2", *extra])]


def lab(extra: Sequence[str] = ()) -> list[Result]:
    """Tests on the lab's virtual machines, but for those that take minutes each."""
    return _on_lab("lab", ["-m", "lab and not long", *extra])


def long(extra: Sequence[str] = ()) -> list[Result]:
    """Tests on the lab's virtual machines that take minutes each: run where their code changed."""
    return _on_lab("long", ["-m", "lab and long", *extra])


def _on_lab(name: str, arguments: Sequence[str]) -> list[Result]:
    """Run tests on virtual machines. A machine that cannot run them fails them."""
    if not LAB_COMMAND.exists():
        return [_refused(name, f"{LAB_COMMAND} is missing")]
    if lacking := machine.missing("lab"):
        return [_refused(name, f"these Debian packages are missing: {' '.join(lacking)}")]
    try:
        machine.check_room()
    except steps.StopError as stop:
        return [_refused(name, str(stop))]
    return [_pytest(name, arguments, show=True)]


def molecule() -> list[Result]:
    """Every Molecule scenario, from create to destroy."""
    return [_checked("molecule", [checkout.venv_program("molecule"), "test", "--all"], show=True)]


def _checked(name: str, argv: Sequence[str], *, show: bool = False) -> Result:
    steps.say(f"==> {name}")
    # ansible-lint and Molecule put the user's own ~/.ansible/collections first, where an older
    # copy of this collection may lie, and install there themselves.
    env = steps.environment({"ANSIBLE_HOME": str(checkout.BUILD / "ansible")})
    done = steps.run(name, argv, env=env, show=show)
    if not done.ok and not show:
        steps.tail(done)
    return Result(name, done.ok, done.seconds)


def _pytest(name: str, arguments: Sequence[str], *, show: bool = False) -> Result:
    """Run pytest on all of `tests/`; which tests take part, the arguments say."""
    steps.say(f"==> {name} tests")
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    argv = [checkout.venv_program("pytest"), "--color=no", f"--junitxml={report}", *arguments]
    done = steps.run(f"{name} tests", argv, env=steps.environment({"CI": "true"}), show=show)
    if not done.ok and not show:
        steps.tail(done)
    tests = junit.count([report]) if report.exists() else junit.Count()
    return counted(name, ok=done.ok, seconds=done.seconds, tests=tests)


def counted(name: str, *, ok: bool, seconds: float, tests: junit.Count) -> Result:
    """A stage whose tests were counted; that none ran, or none passed, is a failure too."""
    if ok and not tests.passed:
        steps.say(f"    {name}: no test ran")
    return Result(name, ok and tests.passed > 0, seconds, tests)


def _refused(name: str, why: str) -> Result:
    steps.say(f"==> {name} tests\n    cannot run: {why}")
    return Result(name, ok=False, seconds=0.0, tests=junit.Count())


def _prepared() -> list[Result]:
    """Make ready; without Python packages nothing can be checked, without Debian's much can."""
    begin = time.monotonic()
    steps.say("==> prepare")
    prepare.python("test")
    try:
        prepare.packages("test")
    except steps.StopError as stop:
        steps.say(f"    {stop}")
        return [Result("prepare", ok=False, seconds=time.monotonic() - begin)]
    return [Result("prepare", ok=True, seconds=time.monotonic() - begin)]


def total(results: Sequence[Result]) -> junit.Count:
    """All tests of all stages. A stage that failed without a failed test counts as one failure."""
    silent = [r for r in results if not r.ok and not (r.tests and r.tests.failed)]
    counts = [r.tests for r in results if r.tests]
    return sum(counts, junit.Count(failed=len(silent)))


def table(results: Sequence[Result]) -> str:
    """The stages as lines: verdict, name, seconds, tests."""
    lines = ["", f"{'stage':<14} {'verdict':<8} {'seconds':>8}  tests"]
    for r in results:
        verdict = "ok" if r.ok else "FAILED"
        lines.append(f"{r.stage:<14} {verdict:<8} {r.seconds:>8.1f}  {r.tests or ''}".rstrip())
    lines.append(f"{'all':<14} {'':<8} {sum(r.seconds for r in results):>8.1f}")
    return "\n".join(lines)


STAGES: dict[str, Callable[[], list[Result]]] = {
    "lint": lint,
    "sanity": sanity_tests,
    "unit": unit,
    "lab": lab,
    "long": long,
    "molecule": molecule,
}
WITH_ARGUMENTS: dict[str, Callable[[Sequence[str]], list[Result]]] = {
    "unit": unit,
    "lab": lab,
    "long": long,
}
DEFAULT = ("lint", "sanity", "unit", "lab")


def main() -> None:
    """Run the stages named on the command line and end with the count of tests."""
    parser = argparse.ArgumentParser(description="Check this checkout.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of: {', '.join(STAGES)}")
    parser.add_argument("--args", default="", help="more arguments for pytest (unit, lab, long)")
    chosen = parser.parse_args()
    names = chosen.stages or DEFAULT
    if unknown := [name for name in names if name not in STAGES]:
        parser.error(f"no such stage: {', '.join(unknown)}; there are {', '.join(STAGES)}")
    with steps.stoppable():
        sys.exit(_run(names, chosen.args.split()))


def _run(names: Sequence[str], extra: Sequence[str]) -> int:
    results: list[Result] = []
    try:
        results += _prepared()
        for name in names:
            if name in WITH_ARGUMENTS and extra:
                results += WITH_ARGUMENTS[name](extra)
            else:
                results += STAGES[name]()
    except steps.StopError as stop:
        steps.say(f"\nStopped: {stop}")
        results.append(Result("stopped", ok=False, seconds=0.0))
    steps.say(table(results))
    steps.say(f"logs: {checkout.BUILD / 'log'}")
    count = total(results)
    steps.say(str(count))
    return 0 if all(r.ok for r in results) else 1


if __name__ == "__main__":
    main()
