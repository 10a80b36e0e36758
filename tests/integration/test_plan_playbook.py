# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`playbooks/plan.yml` and `release.yml` as a person runs them. No host is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.integration.ansible_run import Run, finish, play, start, write_inventory
from tests.unit.plugin_utils.mutations import MUTATIONS, Intent, Mutation, good_intent


def ledger(inventory: Path) -> dict[str, dict[str, str]]:
    """Return the ledger's rows: network -> address -> owner."""
    found: dict[str, dict[str, str]] = yaml.safe_load(
        (inventory / ".underlay" / "ledger.yml").read_text("utf-8")
    )["addresses"]
    return found


def addresses_of(inventory: Path, owner: str) -> set[str]:
    rows = ledger(inventory)
    return {text for owners in rows.values() for text, who in owners.items() if who == owner}


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def in_no_order(run: Run) -> list[str]:
    return [line for line in run.output.splitlines() if line.startswith("ok: [")]


def shown(run: Run) -> list[str]:
    return [line for line in run.output.splitlines() if not line.startswith("ok: [")]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    return write_inventory(good_intent(), tmp_path / "inventory")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_inventory_is_refused_with_the_path_named_and_nothing_written(
    mutation: Mutation, tmp_path: Path
) -> None:
    inventory = write_inventory(mutation.broken(), tmp_path / "inventory")

    run = play("plan.yml", inventory)

    assert run.status == 2
    assert mutation.path in run.output
    assert "Traceback" not in run.output
    assert not (inventory / ".underlay").exists()


def test_check_mode_writes_nothing_and_predicts_the_very_plan(inventory: Path) -> None:
    before = files_below(inventory)
    preview = play("plan.yml", inventory, "--check", "--diff")
    assert preview.status == 0
    assert files_below(inventory) == before

    real = play("plan.yml", inventory, "--diff")

    assert real.status == 0
    # The headings, the summary and the diff are the same to the letter: addresses, files, hash. The
    # hosts' facts come in the order in which they are ready.
    assert sorted(in_no_order(real)) == sorted(in_no_order(preview))
    assert shown(real) == shown(preview)
    assert ledger(inventory)


def test_a_second_run_changes_nothing_not_even_a_file_s_time(inventory: Path) -> None:
    assert play("plan.yml", inventory).changed == 1
    stamp = (inventory / ".underlay" / "ledger.yml").stat().st_mtime_ns
    before = files_below(inventory)

    again = play("plan.yml", inventory)

    assert again.status == 0
    assert again.changed == 0
    assert files_below(inventory) == before
    assert (inventory / ".underlay" / "ledger.yml").stat().st_mtime_ns == stamp


def test_a_new_host_moves_nobody_though_it_sorts_first(inventory: Path) -> None:
    play("plan.yml", inventory)
    before = ledger(inventory)
    intent = good_intent()
    newcomer = json.loads(json.dumps(intent.hosts["w1"]))
    # A MAC address belongs to one NIC.
    for nic in newcomer["underlay_nics"]:
        nic.pop("mac", None)
    intent.hosts = {"a0": newcomer, **intent.hosts}
    write_inventory(intent, inventory)

    run = play("plan.yml", inventory)

    assert run.status == 0
    assert addresses_of(inventory, "a0")
    for network, owners in before.items():
        for address, owner in owners.items():
            assert ledger(inventory)[network][address] == owner


def test_a_missing_host_keeps_its_addresses_until_it_is_released_by_name(inventory: Path) -> None:
    play("plan.yml", inventory)
    held = addresses_of(inventory, "w2")
    intent = good_intent()
    del intent.hosts["w2"]
    write_inventory(intent, inventory)

    assert "claimed by nobody" in play("plan.yml", inventory).output
    assert addresses_of(inventory, "w2") == held

    preview = play("release.yml", inventory, "-e", "underlay_release=w2", "--check")
    assert preview.changed == 1
    assert addresses_of(inventory, "w2") == held

    assert play("release.yml", inventory, "-e", "underlay_release=w2").changed == 1
    assert not addresses_of(inventory, "w2")
    assert play("release.yml", inventory, "-e", "underlay_release=w2").changed == 0


def test_a_misspelt_release_is_refused_with_the_name_that_was_meant(inventory: Path) -> None:
    play("plan.yml", inventory)

    run = play("release.yml", inventory, "-e", "underlay_release=cp")

    assert run.status == 2
    assert "did you mean cp1" in run.output


def test_the_whole_fleet_is_planned_whatever_the_limit_says(inventory: Path) -> None:
    run = play("plan.yml", inventory, "--limit", "w1")

    assert run.status == 0
    assert addresses_of(inventory, "st1")


def test_sixteen_planners_at_once_on_one_store_lose_nothing_and_repeat_nothing(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    names = [f"h{number:02}" for number in range(16)]
    running = []
    for name in names:
        good = good_intent()
        alone = Intent(
            fleet=good.fleet, hosts={name: good.hosts["w1"]}, groups={"control_plane": [name]}
        )
        inventory = write_inventory(alone, tmp_path / name)
        running.append(start("plan.yml", inventory, "-e", f"underlay_store={store}"))
    runs = [finish(process) for process in running]

    assert [run.status for run in runs] == [0] * 16, runs
    rows = yaml.safe_load((store / "ledger.yml").read_text("utf-8"))
    for network in ("lcm", "workload", "storage_access"):
        owners = [owner for owner in rows["addresses"][network].values() if "/" not in owner]
        families = 2 if network == "lcm" else 1
        # Addresses are the keys, so none is there twice; each host must be there, once a family.
        assert sorted(owners) == sorted(names * families)


def test_a_controller_without_the_libraries_is_told_their_names(
    inventory: Path, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for library in ("netaddr", "jmespath"):
        (hidden / f"{library}.py").write_text("raise ImportError('not here')\n", "utf-8")

    run = play("plan.yml", inventory, environment={"PYTHONPATH": str(hidden)})

    assert run.status == 2
    assert "jmespath, netaddr" in run.output
    assert "Traceback" not in run.output


def test_a_damaged_ledger_stops_the_run_and_stays_as_it_is(inventory: Path) -> None:
    file = inventory / ".underlay" / "ledger.yml"
    file.parent.mkdir()
    file.write_text("format: 1\nversion: 3\n<<<<<<< HEAD\n", "utf-8")

    run = play("plan.yml", inventory)

    assert run.status == 2
    assert "ledger.yml" in run.output
    assert "Traceback" not in run.output
    assert file.read_text("utf-8") == "format: 1\nversion: 3\n<<<<<<< HEAD\n"
