# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrows of the design: who may import whom, and how large a file and a `main()` may be.

playbooks -> roles -> modules, action, filter, lookup -> plugin_utils or module_utils. The planning
is pure: it sees no file, no clock, no chance and no network. Managed hosts need Python alone.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from tools import checkout

OURS = "ansible_collections.underlay.cluster.plugins"
PLUGINS = checkout.ROOT / "plugins"
MAIN_LINES = 40
FILE_LINES = 500

# What a pure function has no use for: files, time, chance, other processes.
FILES = {"glob", "io", "mmap", "os", "pathlib", "shutil", "sqlite3", "tempfile"}
TIME_AND_CHANCE = {"datetime", "random", "secrets", "time", "uuid"}
THE_WORLD = {
    "asyncio",
    "ctypes",
    "http",
    "select",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "urllib",
}
OTHERS_AT_WORK = {"concurrent", "multiprocessing", "threading"}
IMPURE = frozenset(FILES | TIME_AND_CHANCE | THE_WORLD | OTHERS_AT_WORK)
IMPURE_CALLS = frozenset({"__import__", "eval", "exec", "input", "open", "print"})


@dataclass(frozen=True)
class Rule:
    """What the files below `folder` may import; the first rule that fits a file holds it."""

    folder: str
    ours: tuple[str, ...]
    """Modules of this collection, below `plugins`; each also stands for what lies in it."""
    others: tuple[str, ...] = ()
    """Top modules from elsewhere, or dotted ones that stand for what lies in them."""
    denied: frozenset[str] = frozenset()
    """Modules of the standard library that are out of bounds."""


PURE_SIBLINGS = (
    "firewall_model",
    "ip",
    "ledger",
    "model",
    "natural",
    "needs",
    "problems",
    "services_model",
    "shapes",
)
# Pure as well, and the hosts read ports by it too.
SHARED = "module_utils.ports"

RULES = (
    Rule(
        "plugin_utils/planning",
        ours=("plugin_utils.planning", *(f"plugin_utils.{name}" for name in PURE_SIBLINGS), SHARED),
        others=("jinja2", "jmespath", "netaddr"),
        denied=IMPURE,
    ),
    *(
        Rule(
            f"plugin_utils/{name}.py",
            ours=(*(f"plugin_utils.{sibling}" for sibling in PURE_SIBLINGS), SHARED),
            others=("jmespath", "netaddr", "yaml"),
            denied=IMPURE,
        )
        for name in PURE_SIBLINGS
    ),
    Rule("module_utils/ports.py", ours=(), denied=IMPURE),
    Rule(
        "plugin_utils",
        ours=("plugin_utils",),
        others=("ansible", "jinja2", "jmespath", "netaddr", "yaml"),
    ),
    Rule("module_utils", ours=("module_utils",), others=("ansible.module_utils",)),
    Rule("modules", ours=("module_utils",), others=("ansible.module_utils",)),
    *(
        Rule(kind, ours=("plugin_utils",), others=("ansible", "jinja2", "yaml"))
        for kind in ("action", "callback", "filter", "inventory", "lookup", "test", "vars")
    ),
    Rule("doc_fragments", ours=()),
)


def imported(tree: ast.Module, package: str) -> list[tuple[int, str]]:
    """Every import in a file, wherever it stands, as (line, full dotted name).

    `package` is the file's own package below `plugins`, for relative imports. For
    `from a import b` the name is `a.b`: b may be a module.
    """
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = f"{OURS}.{package}".split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def rule_for(path: PurePosixPath) -> Rule | None:
    """The rule that holds a file, given its path below `plugins`."""
    return next((rule for rule in RULES if path.is_relative_to(rule.folder)), None)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of `allowed` or lies in one."""
    return any(name == top or name.startswith(f"{top}.") for top in allowed)


def broken_rules(path: PurePosixPath, text: str) -> list[str]:
    """What in a file goes against the design, a line each; `path` is relative to `plugins`."""
    rule = rule_for(path)
    if rule is None:
        return [f"{path}: no rule says what may be imported here"]
    tree = ast.parse(text)
    package = ".".join(path.parent.parts)
    wrong = [
        f"{path}:{line}: imports {name}"
        for line, name in imported(tree, package)
        if not _allowed(name, rule)
    ]
    if rule.denied:
        wrong += [f"{path}:{line}: calls {name}()" for line, name in _impure_calls(tree)]
    if len(text.splitlines()) > FILE_LINES:
        wrong.append(f"{path}: {len(text.splitlines())} lines, more than {FILE_LINES}")
    if rule.folder == "modules":
        wrong += [f"{path}: {complaint}" for complaint in _about_main(tree)]
    return wrong


def _allowed(name: str, rule: Rule) -> bool:
    if within(name, (OURS,)):
        return within(name.removeprefix(f"{OURS}."), rule.ours)
    top = name.split(".", maxsplit=1)[0]
    if top in sys.stdlib_module_names:
        return top not in rule.denied
    return within(name, rule.others)


def _impure_calls(tree: ast.Module) -> list[tuple[int, str]]:
    return [
        (node.lineno, node.func.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in IMPURE_CALLS
    ]


def _about_main(tree: ast.Module) -> list[str]:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    ]
    return [
        f"main() has {length} lines, {MAIN_LINES} or more"
        for length in lengths
        if length >= MAIN_LINES
    ]


def sources() -> list[PurePosixPath]:
    """Every Python file below `plugins`, relative to it."""
    return sorted(PurePosixPath(p.relative_to(PLUGINS)) for p in PLUGINS.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_plugin_file_keeps_to_the_arrows_and_sizes_of_the_design(path: PurePosixPath) -> None:
    assert broken_rules(path, (PLUGINS / path).read_text(encoding="utf-8")) == []


def test_there_are_files_to_check() -> None:
    assert {path.parts[0] for path in sources()} >= {"plugin_utils", "module_utils", "modules"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("plugin_utils/planning/x.py", "import os"),
        ("plugin_utils/planning/x.py", "from pathlib import Path"),
        ("plugin_utils/planning/x.py", "def f():\n    from time import monotonic"),
        ("plugin_utils/planning/x.py", "from ansible.errors import AnsibleError"),
        ("plugin_utils/planning/x.py", f"from {OURS}.plugin_utils import store"),
        ("plugin_utils/planning/x.py", "from ..store import Store"),
        ("plugin_utils/planning/x.py", f"import {OURS}.module_utils.nics"),
        ("plugin_utils/planning/x.py", f"from {OURS}.plugin_utils.modelling import x"),
        ("plugin_utils/planning/x.py", "def f(name):\n    return open(name)"),
        ("plugin_utils/planning/x.py", f"from {OURS}.module_utils.ports_of_others import x"),
        ("plugin_utils/model.py", "import random"),
        ("module_utils/ports.py", "import os"),
        ("plugin_utils/store.py", f"from {OURS}.module_utils import nics"),
        ("plugin_utils/store.py", f"from {OURS}.action import plan"),
        ("module_utils/x.py", "import netaddr"),
        ("module_utils/x.py", "from ansible.errors import AnsibleError"),
        ("module_utils/x.py", f"from {OURS}.plugin_utils.model import Model"),
        ("modules/x.py", "from ..plugin_utils import model"),
        ("modules/x.py", "import yaml"),
        ("lookup/x.py", f"from {OURS}.module_utils import nics"),
        ("elsewhere/x.py", ""),
        ("modules/x.py", "def main():\n" + "    pass\n" * 39),
        ("plugin_utils/store.py", "\n" * 501),
    ],
)
def test_what_goes_against_the_design_is_found(path: str, text: str) -> None:
    assert len(broken_rules(PurePosixPath(path), text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("plugin_utils/planning/x.py", "import json, netaddr, jmespath, jinja2, ipaddress"),
        ("plugin_utils/planning/x.py", f"from {OURS}.plugin_utils.model import Model"),
        ("plugin_utils/planning/x.py", "from ..problems import Problem\nfrom . import addresses"),
        ("plugin_utils/planning/x.py", f"from {OURS}.module_utils.ports import PortRange"),
        ("plugin_utils/store.py", f"import os\nfrom {OURS}.plugin_utils import planning"),
        ("module_utils/x.py", "import os\nfrom ansible.module_utils.basic import AnsibleModule"),
        ("modules/x.py", "from ..module_utils.nics import read\ndef main():\n" + "    pass\n" * 38),
        ("action/x.py", f"from ansible.errors import X\nfrom {OURS}.plugin_utils import store"),
    ],
)
def test_what_the_design_allows_is_let_through(path: str, text: str) -> None:
    assert broken_rules(PurePosixPath(path), text) == []
