# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated documentation is current, and an editor's schema says what the planner says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.underlay.cluster.plugins.plugin_utils.intent import read_intent
from tools import checkout, reference, reference_pages, reference_schema, reference_text

DOCS = checkout.ROOT / "docs"
LAB = checkout.ROOT / "inventories" / "lab"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")

TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
TOLD_NOT_CHECKED = {"$schema", "title", "description", "default"}

Rule = Mapping[str, Any]


@cache
def schema() -> dict[str, Any]:
    return reference_schema.schema()


def accepts(rule: Rule | bool, value: Any) -> bool:
    """Judge as JSON Schema 2020-12 does; a keyword that is not known here is a KeyError."""
    if isinstance(rule, bool):
        return rule
    return all(KEYWORDS[key](rule, value) for key in rule if key not in TOLD_NOT_CHECKED)


def of_type(rule: Rule, value: Any) -> bool:
    names = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)


def keys(rule: Rule, value: Any) -> bool:
    """Judge a dictionary's keys: those named, those of a pattern, and all the rest."""
    if not isinstance(value, dict):
        return True
    named, patterns = rule.get("properties", {}), rule.get("patternProperties", {})
    for name, item in value.items():
        rules = [named[name]] if name in named else []
        rules += [patterns[pattern] for pattern in patterns if re.search(pattern, name)]
        if not all(accepts(one, item) for one in rules or [rule["additionalProperties"]]):
            return False
    return True


KEYWORDS: dict[str, Callable[[Rule, Any], bool]] = {
    "type": of_type,
    "enum": lambda rule, value: value in rule["enum"],
    "anyOf": lambda rule, value: any(accepts(option, value) for option in rule["anyOf"]),
    "pattern": lambda rule, value: (
        not isinstance(value, str) or re.search(rule["pattern"], value) is not None
    ),
    "items": lambda rule, value: (
        not isinstance(value, list) or all(accepts(rule["items"], item) for item in value)
    ),
    "required": lambda rule, value: (
        not isinstance(value, dict) or all(name in value for name in rule["required"])
    ),
    "properties": keys,
    "patternProperties": keys,
    "additionalProperties": keys,
}


def lab(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((LAB / "group_vars" / name).read_text())
    return found


def mutated(change: Mapping[str, Any]) -> dict[str, Any]:
    """The lab's intent with values put at paths such as underlay_networks.0.kind."""
    variables = lab("underlay.yml")
    for path, value in change.items():
        *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place: Any = variables
        for key in way:
            place = place[key]
        place[last] = value
    return variables


def planner_accepts_the_shape(variables: Mapping[str, Any]) -> bool:
    """Whether the planner reads these variables of a fleet of one host."""
    _model, problems = read_intent(variables, {"w1": {"underlay_rack": "r1", **variables}})
    return not problems


def test_every_generated_file_is_current() -> None:
    """After a change of an argument spec or of a plugin's documentation: make docs."""
    assert reference.outdated(reference.wanted()) == []


def test_a_page_of_something_that_is_no_more_is_outdated_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "PAGES", tmp_path)
    (tmp_path / "role_gone.md").write_text("old")
    files = {tmp_path / "role_new.md": "new"}
    assert reference.write(files) == [tmp_path / "role_gone.md", tmp_path / "role_new.md"]
    assert [file.name for file in tmp_path.iterdir()] == ["role_new.md"]
    assert reference.outdated(files) == []


def test_every_role_module_and_lookup_has_a_page() -> None:
    pages = reference_pages.pages()
    roles = {f"role_{file.name}.md" for file in (checkout.ROOT / "roles").iterdir()}
    plugins = {
        f"{kind}_{file.stem}.md"
        for kind, folder in (("module", "modules"), ("lookup", "lookup"))
        for file in (checkout.ROOT / "plugins" / folder).glob("*.py")
    }
    assert set(pages) == roles | plugins | {"README.md", "variables.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_of_the_documentation_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            assert anchor[1:] in anchors(file), f"{page}: {target}{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(
    ("ansible", "markdown"),
    [
        ("C(a) and V(b)", "`a` and `b`"),
        ("O(probes[].source), RV(nics)", "`probes[].source`, `nics`"),
        (r"V(a\)b)", "`a)b`"),
        ("M(underlay.cluster.plan)", "[`underlay.cluster.plan`](module_plan.md)"),
        ("P(underlay.cluster.a#lookup)", "[`underlay.cluster.a`](lookup_a.md)"),
        ("M(ansible.builtin.debug)", "`ansible.builtin.debug`"),
        ("L(the page, https://example.org)", "[the page](https://example.org)"),
        ("MAC(x) is no markup", "MAC(x) is no markup"),
    ],
)
def test_ansible_markup_becomes_markdown(ansible: str, markdown: str) -> None:
    assert reference_text.markdown(ansible) == markdown


def test_the_schema_is_one_of_draft_2020_12() -> None:
    validators = pytest.importorskip("jsonschema").validators
    validators.Draft202012Validator.check_schema(schema())
    validator = validators.Draft202012Validator(schema())
    for file in (LAB / "group_vars").iterdir():
        assert list(validator.iter_errors(lab(file.name))) == []


@pytest.mark.parametrize("file", [file.name for file in sorted((LAB / "group_vars").iterdir())])
def test_the_schema_accepts_the_example(file: str) -> None:
    assert accepts(schema(), lab(file))


@pytest.mark.parametrize(
    "change",
    [
        {"underlay_netwroks": []},
        {"underlay_networks.0.segmets": []},
        {"underlay_networks.0.segments.0.gatway": "10.21.1.1"},
        {"underlay_vips.0.adress": "10.21.1.10"},
        {"underlay_l2_template.nics.0.cuont": 2},
        {"underlay_l2_template.attach.0.brigde": "br0"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_a_misspelt_key(change: dict[str, Any]) -> None:
    assert not accepts(schema(), mutated(change))


JINJA = "{{ something }}"


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({"underlay_networks.0.kind": "lcn"}, False),
        ({"underlay_networks.0.segments.0.vlan": "101"}, True),
        ({"underlay_networks.0.segments.0.vlan": "one"}, False),
        ({"underlay_networks.0.segments.0.vlan": None}, True),
        ({"underlay_networks.0.segments.0.name": None}, False),
        ({"underlay_networks.0.segments.0.cidr": ["10.21.1.0/24"]}, False),
        ({"underlay_networks.0.segments.0.ranges": "10.21.1.10-10.21.1.99"}, True),
        ({"underlay_networks.0.segments.0.rack": ["r1", 7]}, True),
        ({"underlay_networks.0.segments": {}}, False),
        ({"underlay_networks.0.api_endpoint": "yes"}, True),
        ({"underlay_networks.0.api_endpoint": "maybe"}, False),
        ({"underlay_l2_template.bonds.0.mode": "802.3ad"}, True),
        ({"underlay_l2_template.bonds.0.mode": "lacp"}, False),
        ({"underlay_l2_template.bonds.0.members": ["enp0s3", "enp0s4"]}, True),
        ({"underlay_l2_template.bonds.0.mode": JINJA}, True),
        ({"underlay_l2_template.bonds.0.mtu": JINJA}, True),
        ({"underlay_l2_template.bonds": JINJA}, True),
        ({"underlay_l2_template.netplan": JINJA}, True),
        ({"underlay_l2_template.attach.0.link": JINJA}, True),
        ({"underlay_l2_template.attach.0.address": JINJA}, False),
        ({"underlay_l2_template.nics.0.count": JINJA}, False),
        ({"underlay_l2_template.nics": JINJA}, False),
        ({"underlay_l2_template.attach.0": JINJA}, False),
        ({"underlay_l2_template": []}, False),
    ],
    ids=str,
)
def test_the_schema_and_the_planner_agree(change: dict[str, Any], right: bool) -> None:
    variables = mutated(change)
    assert accepts(schema(), variables) is right
    assert planner_accepts_the_shape(variables) is right


def test_the_schema_takes_a_templates_path_and_what_ansible_renders_first() -> None:
    assert accepts(schema(), {"underlay_l2_template": "templates/worker.yml"})
    assert accepts(schema(), {"underlay_networks": "{{ all_networks }}"})
    assert accepts(schema(), mutated({"underlay_networks.0.segments.0.vlan": "{{ base + 1 }}"}))


def test_the_schema_knows_the_roles_own_variables() -> None:
    assert accepts(schema(), {"underlay_store": "/srv/underlay"})
    assert not accepts(schema(), {"underlay_verify_fail_on": "sometimes"})
