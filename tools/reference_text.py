# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reference is made from: argument specs, plugins' documents, and Ansible's markup."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

OURS = "underlay.cluster."
# Ansible's markup; within O(), V(), E() and RV() a backslash keeps the next character as it is.
_MARK = re.compile(r"\b(C|B|I|M|P|U|L|O|V|E|RV)\(((?:\\.|[^)\\])*)\)")


@dataclass(frozen=True)
class Plugin:
    """A module or lookup: its DOCUMENTATION and RETURN as data, its EXAMPLES as text."""

    documentation: Mapping[str, Any]
    examples: str
    returned: Mapping[str, Any]


def argument_specs(file: Path) -> dict[str, Any]:
    """The entry points of a role's argument_specs.yml, by name."""
    specs: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]
    return specs


def plugin(file: Path) -> Plugin:
    """Read a plugin's three documents without importing it."""
    texts = {
        target.id: node.value.value
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    return Plugin(
        yaml.safe_load(texts["DOCUMENTATION"]),
        texts["EXAMPLES"].strip("\n"),
        yaml.safe_load(texts.get("RETURN", "")) or {},
    )


def sentences(description: str | list[str]) -> list[str]:
    """A description's paragraphs: it is a text or a list of texts."""
    texts = [description] if isinstance(description, str) else description
    return [" ".join(text.split()) for text in texts]


def markdown(text: str) -> str:
    """Ansible's markup as Markdown; our own modules become links to their pages."""
    return _marked(text, _as_markdown)


def plain(description: str | list[str]) -> str:
    """A description without markup, in one text."""
    return _marked(" ".join(sentences(description)), lambda mark, body: _parts(mark, body)[0])


def _marked(text: str, shown: Callable[[str, str], str]) -> str:
    return _MARK.sub(lambda found: shown(found[1], re.sub(r"\\(.)", r"\1", found[2])), text)


def _as_markdown(mark: str, body: str) -> str:
    text, address = _parts(mark, body)
    if mark in ("B", "I"):
        return f"**{text}**" if mark == "B" else f"*{text}*"
    if mark in ("M", "P") and body.startswith(OURS):
        name, _unused, kind = body.removeprefix(OURS).partition("#")
        return f"[`{text}`]({kind or 'module'}_{name}.md)"
    if mark in ("U", "L"):
        return f"[{text}]({address})"
    return f"`{text}`"


def _parts(mark: str, body: str) -> tuple[str, str]:
    """What a mark shows, and where it leads."""
    if mark == "L":
        text, _unused, address = body.rpartition(",")
        return text.strip(), address.strip()
    if mark == "P":
        return body.partition("#")[0], ""
    return body, body
