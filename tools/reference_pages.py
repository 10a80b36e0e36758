# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's pages, in Markdown: the inventory variables, the roles, the plugins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tools import checkout
from tools.reference_text import Plugin, argument_specs, markdown, plugin, sentences

Spec = Mapping[str, Any]

ROLES = checkout.ROOT / "roles"
PLUGINS = checkout.ROOT / "plugins"
NOTE = "<!-- Written by `make docs`; not to be edited. -->"
INTENT = "intent"


def pages() -> dict[str, str]:
    """Every page's text by its file's name."""
    found = {"variables.md": _variables(argument_specs(_specs_of("plan"))[INTENT])}
    titles = {"variables.md": "The inventory variables"}
    for file in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        role = file.parents[1].name
        main = argument_specs(file)["main"]
        found[f"role_{role}.md"] = _role(role, main)
        titles[f"role_{role}.md"] = main["short_description"]
    for kind, folder in (("module", "modules"), ("lookup", "lookup")):
        for file in sorted((PLUGINS / folder).glob("*.py")):
            read = plugin(file)
            found[f"{kind}_{file.stem}.md"] = _plugin(kind, file.stem, read)
            titles[f"{kind}_{file.stem}.md"] = read.documentation["short_description"]
    return {"README.md": _index(titles), **found}


def _specs_of(role: str) -> Path:
    return ROLES / role / "meta" / "argument_specs.yml"


def _index(titles: Mapping[str, str]) -> str:
    rows = [["page", "what it is about"]]
    rows += [[f"[{name.removesuffix('.md')}]({name})", title] for name, title in titles.items()]
    words = "Made from the collection's own argument specs and documentation."
    return _page("Reference", [words, _table(rows)])


def _variables(entry: Spec) -> str:
    parts = [
        "What a person writes into the inventory, for the hosts of the group `underlay`. Wherever "
        "a list of strings is wanted, a single string will do.",
        "An editor checks all this while you type: [how](../README.md#in-your-editor).",
    ]
    for name, spec in entry["options"].items():
        parts += [f"## {name}", _traits(spec), *_paragraphs(spec["description"])]
        parts += _nested(name, spec)
    return _page("The inventory variables", parts)


def _nested(path: str, spec: Spec) -> Iterator[str]:
    """A table of the keys at a path, then one for each key that has keys of its own."""
    if "options" not in spec:
        return
    items = f"{path}[]" if spec["type"] == "list" else path
    if "." in path:
        yield f"### {items}"
    yield _options(spec["options"])
    for name, inner in spec["options"].items():
        yield from _nested(f"{items}.{name}", inner)


def _role(role: str, entry: Spec) -> str:
    call = f"```yaml\nroles:\n  - role: underlay.cluster.{role}\n```"
    parts = [f"{entry['short_description']}.", *_paragraphs(entry["description"]), call]
    parts += ["## Variables", _options(entry.get("options", {}))]
    if role == "plan":
        parts.append("What it plans is read from [the inventory variables](variables.md).")
    return _page(f"Role underlay.cluster.{role}", parts)


def _plugin(kind: str, name: str, read: Plugin) -> str:
    told = read.documentation
    parts = [f"{told['short_description']}.", *_paragraphs(told["description"])]
    if needs := told.get("requirements"):
        parts.append(f"Needs on the controller: {', '.join(needs)}.")
    if options := told.get("options"):
        title = "Parameters" if kind == "module" else "Terms and options"
        parts += [f"## {title}", _options(options)]
        parts += _suboptions(options)
    if attributes := told.get("attributes"):
        rows = [["attribute", "support", "description"]]
        rows += [
            [_code(name), item["support"], _cell(item["description"])]
            for name, item in attributes.items()
        ]
        parts += ["## Attributes", _table(rows)]
    parts += ["## Examples", f"```yaml\n{read.examples}\n```"]
    if read.returned:
        parts += ["## Return values", _returned(read.returned), *_contained(read.returned)]
    return _page(f"{kind.capitalize()} underlay.cluster.{name}", parts)


def _suboptions(options: Mapping[str, Spec], above: str = "") -> Iterator[str]:
    for name, spec in options.items():
        if inner := spec.get("suboptions"):
            path = f"{above}{name}{'[]' if spec['type'] == 'list' else ''}"
            yield f"### {path}"
            yield _options(inner)
            yield from _suboptions(inner, f"{path}.")


def _options(options: Mapping[str, Spec]) -> str:
    if not options:
        return "None."
    rows = [["key", "type", "required or default", "description"]]
    for name, spec in options.items():
        rows.append([_code(name), _type(spec), _need(spec), _told(spec)])
    return _table(rows)


def _returned(values: Mapping[str, Spec]) -> str:
    rows = [["key", "type", "returned", "description"]]
    for name, spec in values.items():
        rows.append([_code(name), _type(spec), spec.get("returned", ""), _told(spec)])
    return _table(rows)


def _contained(values: Mapping[str, Spec], above: str = "") -> Iterator[str]:
    for name, spec in values.items():
        if inner := spec.get("contains"):
            path = f"{above}{name}{'[]' if spec['type'] == 'list' else ''}"
            rows = [["key", "type", "sample", "description"]]
            for key, item in inner.items():
                sample = _value(item["sample"]) if "sample" in item else ""
                rows.append([_code(key), _type(item), sample, _told(item)])
            yield f"### {path}"
            yield _table(rows)
            yield from _contained(inner, f"{path}.")


def _traits(spec: Spec) -> str:
    need = _need(spec)
    default = f"default {need}" if need and need != "required" else need
    return f"*{', '.join(part for part in (_type(spec), default) if part)}*"


def _type(spec: Spec) -> str:
    kind = str(spec.get("type", "str"))
    return f"{kind} of {spec['elements']}" if "elements" in spec else kind


def _need(spec: Spec) -> str:
    if spec.get("required"):
        return "required"
    return "" if spec.get("default") is None else _value(spec["default"])


def _told(spec: Spec) -> str:
    told = [_cell(spec["description"])]
    if choices := spec.get("choices"):
        told.append(f"One of {', '.join(map(_value, choices))}.")
    if names := [item["name"] for item in spec.get("vars", ())]:
        told.append(f"Also the variable {', '.join(map(_code, names))}.")
    return " ".join(told)


def _cell(description: str | list[str]) -> str:
    return " ".join(_paragraphs(description)).replace("|", r"\|")


def _paragraphs(description: str | list[str]) -> list[str]:
    return [markdown(text) for text in sentences(description)]


def _value(value: object) -> str:
    return _code(value if isinstance(value, str) and value else json.dumps(value)).replace(
        "|", r"\|"
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _table(rows: Iterable[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([NOTE, f"# {title}", *parts]) + "\n"
