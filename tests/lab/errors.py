"""What can go wrong in the lab, as errors that a person can act on."""

from __future__ import annotations


class LabError(Exception):
    """A failure with one line that says what happened and what to do."""


class TopologyError(LabError):
    """A topology that cannot be built; ``problems`` holds every fault found, one line each."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        super().__init__(f"{source}: {count}\n" + "\n".join(f"  {line}" for line in problems))
