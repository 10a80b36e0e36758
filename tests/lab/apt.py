"""Read from the machine's own apt configuration where Debian packages come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

APT = Path("/etc/apt")


@dataclass(frozen=True)
class Source:
    """One archive and suite that the machine's apt knows."""

    uri: str
    suite: str
    components: tuple[str, ...]

    def line(self) -> str:
        """Return the source as a one-line entry of sources.list(5)."""
        return f"deb {self.uri} {self.suite} {' '.join(self.components)}"


def sources(folder: Path = APT) -> list[Source]:
    """Return every binary source of sources.list and sources.list.d, in both formats of
    sources.list(5).
    """
    found: list[Source] = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".sources":
            found += _deb822(text)
        elif path.suffix == ".list":
            found += _one_line(text)
    return found


def mirror_lines(suite: str, folder: Path = APT) -> list[str]:
    """Return sources.list lines for a Debian suite, its updates and its security archive.

    Exact matches of the machine's own sources are taken as they are. On another Debian release
    the same mirrors serve; where none is known the list is empty and the builder's own default
    holds.
    """
    known = sources(folder)
    wanted = (suite, f"{suite}-updates", f"{suite}-security")
    exact = [source for source in known if source.suite in wanted and "main" in source.components]
    if any(source.suite == suite for source in exact):
        return [Source(source.uri, source.suite, ("main",)).line() for source in exact]
    debian = [source.uri for source in known if source.uri.rstrip("/").endswith("/debian")]
    return [Source(uri, suite, ("main",)).line() for uri in debian[:1]]


def _one_line(text: str) -> list[Source]:
    found = []
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line.split("#")[0]).split()
        if len(words) >= 4 and words[0] == "deb":
            found.append(Source(words[1], words[2], tuple(words[3:])))
    return found


def _deb822(text: str) -> list[Source]:
    found = []
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            elif ":" in line:
                key, _unused, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            suites = fields.get("suites", "").split()
            found += [Source(uri, suite, components) for suite in suites]
    return found
