# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema (2020-12) of the inventory variables, for editors.

It takes what the planner takes: a number where text is wanted, a number in quotes where a number
is, one string for a list of strings, nothing for what is optional. Ansible renders the variables
before they are read, so Jinja2 may stand anywhere in them; but an L2 template is rendered by the
planner, and what its macros are made from must be plain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools import checkout, reference_text

Spec = Mapping[str, Any]
Schema = dict[str, Any]

JINJA = r"\{[{%]"
# Words of YAML 1.1; editors read YAML 1.2, in which they are text.
_TRUTH = r"^([Tt]rue|[Ff]alse|[Yy]es|[Nn]o|[Oo]n|[Oo]ff)$"
_WHOLE = r"^[+-]?[0-9]+$"
_TEMPLATE = "underlay_l2_template"
# What the planner reads of an L2 template before it renders its strings.
_PLAIN = frozenset(
    f"{_TEMPLATE}.{path}"
    for path in (
        "nics",
        "nics[]",
        "nics[].name",
        "nics[].match",
        "nics[].count",
        "attach",
        "attach[]",
        "attach[].network",
        "attach[].address",
    )
)


def text() -> str:
    """The schema's file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """The schema of a file of variables: every variable of ours, and any of others."""
    options = variables()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Inventory variables of underlay.cluster",
        "description": "For group_vars and host_vars. Written by `make docs`; not to be edited.",
        "type": ["object", "null"],
        "properties": {name: _described(name, spec) for name, spec in options.items()},
        # Names of others pass; a name that looks like ours and is not is a slip of the hand.
        "patternProperties": {"^(?!_*underlay_)": True},
        "additionalProperties": False,
    }


def variables() -> dict[str, Spec]:
    """Every variable that an inventory may set: the intent's, and the roles' own."""
    found: dict[str, Spec] = {}
    for file in sorted((checkout.ROOT / "roles").glob("*/meta/argument_specs.yml")):
        for entry in reference_text.argument_specs(file).values():
            found.update(entry["options"])
    return dict(sorted(found.items()))


def _described(path: str, spec: Spec) -> Schema:
    found: Schema = {"description": reference_text.plain(spec["description"])}
    if spec.get("default") is not None:
        found["default"] = spec["default"]
    return found | _shape(path, spec)


def _shape(path: str, spec: Spec) -> Schema:
    """What may stand at a path, `underlay_networks[].segments[].vlan` for instance."""
    kind = spec.get("type", "str")
    nothing = [] if spec.get("required") and "." in path else ["null"]
    if kind in ("list", "dict"):
        shape = _list(path, spec) if kind == "list" else _dict(path, spec)
        others = _text_instead(path, spec)
        return _either([shape, *others, *[{"type": "null"} for _unused in nothing]])
    if "choices" in spec:
        also = [{"type": "null"} for _unused in nothing]
        return _either([{"enum": spec["choices"]}, *_jinja(path), *also])
    types, pattern = {
        "int": (["integer", "string"], _WHOLE),
        "bool": (["boolean", "string"], _TRUTH),
    }.get(kind, (["string", "number"], ""))
    if path not in _PLAIN and pattern:
        pattern = f"{pattern}|{JINJA}"
    return {"type": types + nothing} | ({"pattern": pattern} if pattern else {})


def _list(path: str, spec: Spec) -> Schema:
    element = {**spec, "type": spec.get("elements", "str"), "required": True}
    return {"type": "array", "items": _shape(f"{path}[]", element)}


def _dict(path: str, spec: Spec) -> Schema:
    options: Mapping[str, Spec] | None = spec.get("options")
    if options is None:
        return {"type": "object"}
    shape: Schema = {
        "type": "object",
        "properties": {name: _described(f"{path}.{name}", item) for name, item in options.items()},
        "additionalProperties": False,
    }
    required = [name for name, item in options.items() if item.get("required")]
    return shape | ({"required": required} if required else {})


def _text_instead(path: str, spec: Spec) -> list[Schema]:
    """The strings that may stand for a list or a dictionary."""
    if path == _TEMPLATE or spec.get("elements") == "str":
        return [{"type": "string"}]
    return _jinja(path)


def _jinja(path: str) -> list[Schema]:
    return [] if path in _PLAIN else [{"type": "string", "pattern": JINJA}]


def _either(shapes: list[Schema]) -> Schema:
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
