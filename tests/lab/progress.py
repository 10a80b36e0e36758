"""Progress for people: a line when a step begins and ends, and one every few seconds in between."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]
HEARTBEAT_SECONDS = 8.0


def say(line: str) -> None:
    """Write one line to standard error, at once."""
    print(f"lab: {line}", file=sys.stderr, flush=True)


def silent(line: str) -> None:
    """Swallow a line: for callers that want no progress."""


@contextmanager
def step(
    tell: Say, title: str, detail: Callable[[], str] | None = None, every: float = HEARTBEAT_SECONDS
) -> Iterator[None]:
    """Announce a step, repeat the title with the seconds gone (and ``detail()``), close with its
    time.
    """
    started = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(every):
            more = f", {detail()}" if detail else ""
            tell(f"{title}: {time.monotonic() - started:.0f} s{more}")

    tell(f"{title} ...")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    tell(f"{title}: done in {time.monotonic() - started:.1f} s")
