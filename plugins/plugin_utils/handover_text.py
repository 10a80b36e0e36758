# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files for the next tools as texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.handover import (
    HandoverFile,
    handover,
)

_MADE = "Made from the plan by underlay.cluster; every plan makes it anew."
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def handover_texts(
    fleet: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return path below the hand-over's folder -> text. fleet, hosts: the plan's parts."""
    return {
        "/".join(map(_file_name, file.path)): "".join(_text(file))
        for file in handover(fleet, hosts)
    }


def _file_name(name: str) -> str:
    """Return a cluster's or a host's name as a file's, which must not lead out of the folder."""
    name = name.replace("%", "%25").replace("/", "%2F")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _text(file: HandoverFile) -> Iterator[str]:
    if file.about:
        mark = "!" if file.style == "frr" else "#"
        yield f"{mark} {file.about}.\n{mark} {_MADE}\n"
    yield from _STYLES[file.style](file.content)


def _json(content: Any) -> Iterator[str]:
    yield json.dumps(content, indent=1) + "\n"


def _yaml(documents: Any) -> Iterator[str]:
    for document in documents:
        yield "---\n"
        yield str(yaml.dump(document, Dumper=_Dumper, sort_keys=False))


def _ini(sections: Any) -> Iterator[str]:
    for section, options in sections.items():
        yield f"[{section}]\n"
        for key, value in options.items():
            yield f"{key} = {value}\n"


def _frr(content: Any) -> Iterator[str]:
    yield content


_STYLES: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "json": _json,
    "yaml": _yaml,
    "ini": _ini,
    "frr": _frr,
}
