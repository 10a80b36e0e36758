# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check variables against the roles' argument specs, naming every problem by its path.

Ansible's own validator stops at the first nested error and does not say which item of a list it is
about; a person who mends an inventory wants all of them, with the place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem

Spec = Mapping[str, Any]

# Words that YAML 1.1 and Ansible take for truth values.
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"false", "no", "off", "0", "n", "f"})
_NOUNS = {
    "bool": "true or false",
    "dict": "a dictionary",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "str": "a string",
}


class ShapeChecker:
    """Coerces values to their spec's types and collects what does not fit.

    templated: strings with Jinja2 in them pass for any type; they are checked once rendered.
    """

    def __init__(self, *, templated: bool = False) -> None:
        self.problems: list[Problem] = []
        self._templated = templated

    def check(self, spec: Spec, value: object, path: str) -> Any:
        """Return value as the spec wants it; problems are collected under path."""
        kind = spec.get("type", "str")
        if self._templated and isinstance(value, str) and ("{{" in value or "{%" in value):
            return value
        if kind == "list":
            return self._list(spec, value, path)
        if kind == "dict":
            return self._dict(spec, value, path)
        return self._scalar(spec, kind, value, path)

    def _list(self, spec: Spec, value: object, path: str) -> list[Any]:
        lone = isinstance(value, str | int | float) and not isinstance(value, bool)
        if lone and spec.get("elements") == "str":
            value = [value]
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            self._not_a("list", value, path)
            return []
        element = {**spec, "type": spec.get("elements", "raw"), "elements": None}
        checked = [
            self.check(element, item, f"{path}[{label(item, index)}]")
            for index, item in enumerate(value)
        ]
        self._unique_names(checked, path)
        return checked

    def _dict(self, spec: Spec, value: object, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            self._not_a("dict", value, path)
            return {}
        options: Mapping[str, Spec] | None = spec.get("options")
        if options is None:
            return dict(value)
        for key in value:
            if key not in options:
                self._unknown_key(str(key), options, path)
        return {key: self._option(key, options[key], value, path) for key in options}

    def _option(self, key: str, spec: Spec, value: Mapping[str, Any], path: str) -> Any:
        place = f"{path}.{key}"
        given = value.get(key)
        if given is not None:
            return self.check(spec, given, place)
        if spec.get("required"):
            self.problems.append(Problem(place, None, "is missing", f"Give {_noun(spec)}"))
        default = spec.get("default")
        if default is None:
            return [] if spec.get("type") == "list" else None
        # A default's own keys may have defaults too.
        return self.check(spec, default, place)

    def _scalar(self, spec: Spec, kind: str, value: object, path: str) -> Any:
        try:
            coerced = _coerce(kind, value)
        except (TypeError, ValueError):
            self._not_a(kind, value, path)
            return None
        choices = spec.get("choices")
        if choices and coerced not in choices:
            close = get_close_matches(str(coerced), choices, n=1)
            hint = f"Did you mean {close[0]}? It" if close else "It"
            right = f"{hint} is one of {', '.join(choices)}"
            self.problems.append(Problem(path, coerced, "is not known", right))
        return coerced

    def _not_a(self, kind: str, value: object, path: str) -> None:
        noun = _NOUNS.get(kind, kind)
        self.problems.append(Problem(path, value, f"is not {noun}", f"Give {noun}"))

    def _unknown_key(self, key: str, options: Mapping[str, Spec], path: str) -> None:
        close = get_close_matches(key, options, n=1)
        known = f"The keys here are {', '.join(sorted(options))}"
        right = f"Did you mean {close[0]}" if close else known
        self.problems.append(Problem(f"{path}.{key}", None, "is not a known key", right))

    def _unique_names(self, items: Sequence[object], path: str) -> None:
        seen: set[object] = set()
        for item in items:
            name = item.get("name") if isinstance(item, Mapping) else None
            if name is not None and name in seen:
                right = "Give each item a name of its own"
                self.problems.append(
                    Problem(f"{path}[{name}].name", name, "is there twice in this list", right)
                )
            seen.add(name)


def _coerce(kind: str, value: object) -> Any:
    if kind == "raw":
        return value
    if kind == "bool":
        return _bool(value)
    if kind == "int":
        if not isinstance(value, int | str) or isinstance(value, bool):
            raise TypeError
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError


def _bool(value: object) -> bool:
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def label(item: object, index: int) -> str:
    """Return what a list's item is called in paths: its name, or its network; else its index."""
    if isinstance(item, Mapping):
        for key in ("name", "network"):
            if isinstance(item.get(key), str):
                return str(item[key])
    return str(index)


def _noun(spec: Spec) -> str:
    choices = spec.get("choices")
    return f"one of {', '.join(choices)}" if choices else _NOUNS[spec.get("type", "str")]
