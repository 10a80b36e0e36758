# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wishes of the module that runs daemons: read and checked, all findings at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .daemon_files import Places, Shape, planned_tree, planned_unit
from .daemon_unit import Command, unit_text
from .errors import HostError

# What stands for a daemon's folder in its arguments and checks.
_FOLDER = "{folder}"
_NAME = re.compile(r"underlay-[a-z0-9-]+")
# A leading dot is left to what is being written and is not whole yet.
_FILE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@=+-]*")
_PATH = re.compile(r"/[A-Za-z0-9._+/-]+")
# systemd.unit(5)
_UNIT = re.compile(r"[A-Za-z0-9:_.@-]+\.(service|socket|device|mount|target|path|timer|slice)")
_AS_GIVEN = (
    "description",
    "program",
    "package",
    "arguments",
    "needs",
    "after",
    "runtime_folder",
    "readable",
    "reload",
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Wish:
    """How one daemon should be. One that should not be there has no more than a name."""

    name: str
    present: bool = False
    description: str = ""
    program: str = ""
    package: str = ""
    arguments: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    check: Sequence[Sequence[str]] = ()
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    runtime_folder: bool = False
    readable: bool = False
    reload: bool = False

    def shape(self, places: Places) -> Shape:
        """How the daemon will stand on a host."""
        if not self.present:
            return Shape()
        command = Command(
            self.name,
            self.description or self.name,
            self.program,
            in_folder(self.arguments, str(places.folder(self.name))),
            self.after,
            self.runtime_folder,
            self.reload,
        )
        tree = planned_tree(self.files, self.readable)
        return Shape(tree, planned_unit(unit_text(command)), enabled=True, running=True)


def in_folder(words: Sequence[str], folder: str) -> list[str]:
    """Words of a command line, with the folder where they name it."""
    return [word.replace(_FOLDER, folder) for word in words]


def read_wishes(items: Sequence[Mapping[str, Any]]) -> list[Wish]:
    """The wishes that the module was given.

    :raises HostError: with all that is wrong with them.
    """
    problems = [problem for at, item in enumerate(items) for problem in _problems(at, item)]
    names = [item["name"] for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [f"'{name}' is there more than once; one entry says all of it" for name in twice]
    if problems:
        raise HostError("The daemons cannot be as told; nothing was changed.", problems)
    return [_wish(item) for item in items]


def _wish(item: Mapping[str, Any]) -> Wish:
    if item.get("state") == "absent":
        return Wish(item["name"])
    return Wish(
        item["name"],
        present=True,
        files={file["name"]: file["content"] for file in item.get("files") or ()},
        check=[[str(word) for word in argv] for argv in item.get("check") or ()],
        **{key: item[key] for key in _AS_GIVEN if item.get(key) is not None},
    )


def _problems(at: int, item: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one item, each finding with its place."""
    name = item["name"]
    if not _NAME.fullmatch(name):
        yield (
            f"daemons[{at}].name: '{name}' is no name of ours; right is underlay- and then small "
            "letters, digits and hyphens"
        )
    if item.get("state") == "absent":
        return
    place = f"daemons[{at}] ({name})"
    yield from _wrong_words(place, item)
    yield from _wrong_files(place, [file["name"] for file in item.get("files") or ()])
    if not all(item.get("check") or ()):
        yield f"{place}.check: a command without words; right is the program and its arguments"


def _wrong_words(place: str, item: Mapping[str, Any]) -> Iterator[str]:
    rules: dict[str, tuple[Callable[[str], object], str]] = {
        "description": (_is_line, "one line without a backslash at its end"),
        "program": (_PATH.fullmatch, "an absolute path such as /usr/sbin/keepalived"),
        "arguments": (lambda word: not _CONTROL.search(word), "words without line ends"),
        "needs": (lambda path: path.startswith("/"), "absolute paths"),
        "after": (_UNIT.fullmatch, "units such as network.target"),
    }
    for key, (fits, right) in rules.items():
        value = item.get(key)
        words = value if isinstance(value, list) else [value] if value is not None else []
        for word in words:
            if not fits(word):
                yield f"{place}.{key}: '{word}' cannot be; right is {right}"
    if not item.get("program"):
        yield f"{place}.program: is missing; right is {rules['program'][1]}"


def _is_line(text: str) -> bool:
    # systemd.syntax(7): a line that ends with a backslash goes on in the next one
    return not _CONTROL.search(text) and not text.endswith("\\")


def _wrong_files(place: str, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if not all(_FILE_PART.fullmatch(part) for part in name.split("/")):
            yield (
                f"{place}.files: '{name}' cannot be a file of the folder; right is a relative "
                "path such as boot/x.ipxe, no part of which begins with a dot"
            )
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{place}.files: '{name}' is there more than once"
    for name in sorted(set(names)):
        if any(other.startswith(f"{name}/") for other in names):
            yield f"{place}.files: '{name}' is a file and the folder of another one"
