"""The modules as Ansible sees them: documented in full, small, and telling errors in words."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

NAMES = [
    "daemons",
    "firewalld",
    "firewalld_info",
    "netplan_commit",
    "netplan_stage",
    "network_probe",
    "nic_info",
]


def load(name: str) -> ModuleType:
    return importlib.import_module(f"ansible_collections.underlay.cluster.plugins.modules.{name}")


def run(
    name: str, capsys: pytest.CaptureFixture[str], check: bool = False, **arguments: Any
) -> dict[str, Any]:
    """Run a module in this process and return what it prints."""
    with (
        patch_module_args({**arguments, "_ansible_check_mode": check}),
        pytest.raises(SystemExit),
    ):
        load(name).main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return result


@pytest.mark.parametrize("name", NAMES)
class TestEveryModule:
    def test_documents_itself(self, name: str) -> None:
        documentation = yaml.safe_load(load(name).DOCUMENTATION)
        assert documentation["module"] == name
        assert documentation["author"] == "Underlay contributors (@underlay)"
        assert documentation["version_added"] == "0.1.0"
        assert {"check_mode", "diff_mode"} <= set(documentation["attributes"])
        assert yaml.safe_load(load(name).RETURN)

    def test_examples_are_tasks_of_the_module(self, name: str) -> None:
        examples = yaml.safe_load(load(name).EXAMPLES)
        assert any(f"underlay.cluster.{name}" in task for task in examples)

    def test_main_is_thin(self, name: str) -> None:
        tree = ast.parse(inspect.getsource(load(name)))
        (main,) = (
            node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"
        )
        assert main.end_lineno is not None
        assert main.end_lineno - main.lineno < 40

    def test_runs_in_check_mode(self, name: str) -> None:
        assert "supports_check_mode=True" in inspect.getsource(load(name))


def test_nics_are_facts_too(capsys: pytest.CaptureFixture[str]) -> None:
    result = run("nic_info", capsys)
    assert result["ansible_facts"] == {"underlay_nic_facts": result["nics"]}
    assert result["changed"] is False


def test_an_unknown_nic_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    result = run("nic_info", capsys, names=["nonesuch0"])
    assert result["failed"] is True
    assert result["msg"].startswith("This host has no physical NIC named nonesuch0")


def test_a_file_that_is_not_ours_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    files = [{"name": "60-underlay-links.yaml", "content": "network: {}\n"}]
    result = run("netplan_stage", capsys, check=True, role="links", files=files)
    assert result["failed"] is True
    assert "would not be known as ours" in result["msg"]


@pytest.mark.parametrize("assume", [True, False])
def test_a_commit_in_check_mode_takes_the_handlers_word(
    capsys: pytest.CaptureFixture[str], assume: bool
) -> None:
    result = run("netplan_commit", capsys, check=True, assume_staged=assume)
    assert result["changed"] is assume


def test_a_plan_that_makes_no_sense_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = run("network_probe", capsys, expect={"links": [{"name": "bond0"}]})
    assert result["msg"] == "The plan given in 'expect' cannot be read: 'type' is missing"


def test_daemons_that_cannot_be_are_told_in_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"name": "underlay-x", "program": "x", "check": [["a", "b"]], "needs": ["y"]}
    result = run("daemons", capsys, check=True, daemons=[wrong, {"name": "vip"}])
    assert [problem.partition(":")[0] for problem in result["problems"]] == [
        "daemons[0] (underlay-x).program",
        "daemons[0] (underlay-x).needs",
        "daemons[1].name",
        "daemons[1] (vip).program",
    ]


def test_daemons_that_are_away_and_stay_away_are_no_change(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = {"name": "underlay-nonesuch", "state": "absent"}
    result = run("daemons", capsys, check=True, daemons=[gone])
    assert result["changed"] is False
    assert result["daemons"] == [{"name": "underlay-nonesuch", "action": "none"}]


def test_modules_are_ansible_modules() -> None:
    assert all(load(name).AnsibleModule is basic.AnsibleModule for name in NAMES)
