"""The commit: one apply, converging after any crash, back to the old files when it fails."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils import netplan_commit
from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.durable import locked
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_commit import (
    Done,
    Tools,
    commit,
    predict,
    write,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_files import (
    Places,
    read_live,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_staging import (
    Surroundings,
    stage,
    wish,
)
from ansible_collections.underlay.cluster.plugins.module_utils.nics import Nic
from tests.unit.module_utils.fakes import (
    FakeHost,
    fake_generator,
    lcm_file,
    links_file,
    planned,
    put_foreign,
    tree,
)

File = dict[str, str]
BOND = "{ethernets: {enp0s3: {}}, bonds: {bond0: {interfaces: [enp0s3], parameters: {mode: MODE}}}}"


def nic(name: str) -> Nic:
    return Nic(name, f"52:54:00:00:00:0{name[-1]}", "virtio_net", None, None, 0, None, None, True,
               1500, None, None, None)  # fmt: skip


class PowerCutError(BaseException):
    """The machine dies here: no clean-up code runs after this point in these tests."""


class Machine:
    """A host with its files, its links, and the two steps of a run."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        self.places.live.mkdir(parents=True)
        self.host = FakeHost(self.places)
        self.obsolete: list[str] = []
        self.tools = Tools(fake_generator, self.host, lambda: [nic("enp0s2"), nic("enp0s3")])

    def stage(self, role: str, files: list[File], others: list[File] | None = None) -> bool:
        wanted = wish(role, files, others or [], self.obsolete)
        return stage(wanted, self.places, Surroundings(fake_generator, list), True).changed

    def commit(self) -> Done:
        return commit(self.places, self.tools)

    def run(self, links: list[File], lcm: list[File]) -> Done:
        """A whole run of two roles; the handler is notified by a change alone."""
        changed = [self.stage("links", links, lcm), self.stage("lcm", lcm, links)]
        return self.commit() if any(changed) else Done()

    def live(self) -> dict[str, str]:
        return tree(self.places.live)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def content(*files: File) -> dict[str, str]:
    return {file["name"]: file["content"] for file in files}


class TestOneRun:
    def test_the_files_of_all_roles_go_live_with_one_apply(self, machine: Machine) -> None:
        done = machine.run([links_file()], [lcm_file()])
        assert machine.live() == content(links_file(), lcm_file())
        assert machine.host.applies == 1
        assert [file["action"] for file in done.files] == ["create", "create"]

    def test_a_second_run_changes_nothing_and_applies_nothing(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        before = tree(machine.places.root)
        assert machine.run([links_file()], [lcm_file()]) == Done()
        assert machine.host.applies == 1
        assert tree(machine.places.root) == before

    def test_nothing_staged_is_nothing_done(self, machine: Machine) -> None:
        assert machine.commit() == Done()
        assert machine.host.applies == 0

    def test_live_files_are_for_root_alone(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        for path in machine.places.live.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_foreign_files_stay_byte_for_byte(self, machine: Machine) -> None:
        foreign = put_foreign(machine.places, "etc/netplan/50-x.yaml", "network: {version: 2}\n")
        before = (foreign.read_bytes(), foreign.stat())
        machine.run([links_file()], [lcm_file()])
        assert (foreign.read_bytes(), foreign.stat()) == before

    def test_a_role_that_did_not_stage_keeps_its_files(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        machine.stage("lcm", [lcm_file(vlan=102)], [links_file()])
        machine.commit()
        assert machine.live() == content(links_file(), lcm_file(vlan=102))

    def test_what_was_applied_is_recorded_and_the_staging_forgotten(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        record = json.loads(machine.places.applied.read_text())
        assert sorted(record["files"]) == ["60-underlay-links.yaml", "61-underlay-lcm.yaml"]
        assert record["links"]["lcm0"] == {
            "kind": "vlan",
            "parents": ["enp0s3"],
            "settings": ["VLAN.Id=101"],
            "members": [],
        }
        assert not machine.places.staged.exists()
        assert not machine.places.journal.exists()

    def test_a_planned_link_that_does_not_come_up_is_reported(self, machine: Machine) -> None:
        machine.host.never_up = frozenset({"lcm0"})
        assert machine.run([links_file()], [lcm_file()]).missing_links == ("lcm0",)

    def test_prediction_names_files_and_links_and_writes_nothing(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        machine.stage("lcm", [], [links_file()])
        before = tree(machine.places.root)
        predicted = predict(machine.places, fake_generator)
        assert predicted == machine_result(["61-underlay-lcm.yaml"], "delete", ["lcm0"])
        assert (tree(machine.places.root), machine.host.applies) == (before, 1)
        assert machine.commit() == predicted


def machine_result(names: list[str], action: str, deleted: list[str]) -> Done:
    return Done(True, [{"name": name, "action": action} for name in names], deleted, ())


class TestLinks:
    def test_the_links_of_a_removed_network_are_deleted(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        assert machine.run([links_file()], []).deleted_links == ["lcm0"]
        assert sorted(machine.host.kinds) == ["enp0s2", "enp0s3", "enp0s4"]

    def test_a_link_that_stays_as_it_is_is_not_deleted(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        machine.run([links_file()], [lcm_file(address="10.21.1.99/24")])
        assert machine.host.deleted == []

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (lcm_file(vlan=101), lcm_file(vlan=102)),
            (lcm_file(link="enp0s3"), lcm_file(link="enp0s4")),
            (
                lcm_file(),
                planned("61-underlay-lcm.yaml", "lcm", "network: {bridges: {lcm0: {}}}\n"),
            ),
        ],
        ids=["VLAN id", "parent", "kind"],
    )
    def test_a_link_that_cannot_be_changed_is_made_anew(
        self, machine: Machine, before: File, after: File
    ) -> None:
        links = links_file("{ethernets: {enp0s3: {}, enp0s4: {}}}")
        machine.run([links], [before])
        assert machine.run([links], [after]).deleted_links == ["lcm0"]
        assert machine.host.deleted == ["lcm0"]
        assert "lcm0" in machine.host.kinds

    def test_a_bond_with_another_mode_is_made_anew(self, machine: Machine) -> None:
        machine.run([links_file(BOND.replace("MODE", "802.3ad"))], [])
        done = machine.run([links_file(BOND.replace("MODE", "active-backup"))], [])
        assert done.deleted_links == ["bond0"]

    def test_a_member_that_is_no_longer_planned_leaves_the_bond(self, machine: Machine) -> None:
        both = (
            "{ethernets: {enp0s3: {}, enp0s4: {}}, bonds: {bond0: {interfaces: [enp0s3, enp0s4]}}}"
        )
        one = "{ethernets: {enp0s3: {}, enp0s4: {}}, bonds: {bond0: {interfaces: [enp0s3]}}}"
        machine.run([links_file(both)], [])
        assert machine.host.masters == {"enp0s3": "bond0", "enp0s4": "bond0"}
        assert machine.run([links_file(one)], []).deleted_links == []
        assert machine.host.masters == {"enp0s3": "bond0"}

    def test_networkd_forgets_a_vlan_that_gets_another_id(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file(vlan=101)])
        machine.run([links_file()], [lcm_file(vlan=102)])
        assert [manner.restart for manner in machine.host.manners] == [False, True]

    def test_links_whose_settings_stay_are_left_alone(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        assert machine.host.manners[0].gentle

    def test_another_mtu_makes_no_link_anew(self, machine: Machine) -> None:
        text = "{ethernets: {enp0s3: {}}, bonds: {bond0: {interfaces: [enp0s3], mtu: MTU}}}"
        machine.run([links_file(text.replace("MTU", "9000"))], [])
        assert machine.run([links_file(text.replace("MTU", "1500"))], []).deleted_links == []

    def test_a_link_that_is_there_with_another_kind_is_not_ours(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        machine.host.kinds["lcm0"] = "dummy"
        machine.run([links_file()], [])
        assert "lcm0" in machine.host.kinds

    def test_a_link_that_a_foreign_file_has_taken_over_is_not_deleted(
        self, machine: Machine
    ) -> None:
        machine.run([links_file()], [lcm_file()])
        put_foreign(
            machine.places,
            "etc/netplan/70-mine.yaml",
            "network: {ethernets: {enp0s2: {}}, vlans: {lcm0: {id: 7, link: enp0s2}}}\n",
        )
        machine.stage("lcm", [], [links_file()])
        assert machine.commit().deleted_links == []


class TestFailure:
    def test_nothing_is_written_when_netplan_refuses_the_staged_files(
        self, machine: Machine
    ) -> None:
        machine.stage("links", [links_file()])
        put_foreign(machine.places, "etc/netplan/70-mine.yaml", "network: [}\n")
        before = machine.live()
        with pytest.raises(HostError, match=r"nothing was changed.*\n.*70-mine"):
            machine.commit()
        assert (machine.live(), machine.host.applies) == (before, 0)

    def test_the_previous_files_come_back_when_the_apply_fails(self, machine: Machine) -> None:
        machine.run([links_file()], [lcm_file()])
        before = (machine.live(), dict(machine.host.kinds))
        machine.stage("lcm", [lcm_file(vlan=102)], [links_file()])
        machine.host.failures = ["'netplan apply' failed: no"]
        with pytest.raises(HostError, match=r"failed: no\nThe previous files were put back"):
            machine.commit()
        assert (machine.live(), machine.host.kinds) == before
        assert machine.host.applies == 3

    def test_links_of_the_failed_files_do_not_stay(self, machine: Machine) -> None:
        machine.run([links_file()], [])
        machine.stage("lcm", [lcm_file()], [links_file()])
        machine.host.kinds["lcm0"] = "vlan"  # made before the apply gave up
        machine.host.failures = ["no"]
        with pytest.raises(HostError):
            machine.commit()
        assert "lcm0" not in machine.host.kinds

    def test_the_run_after_a_failed_apply_tries_again(self, machine: Machine) -> None:
        machine.host.failures = ["no"]
        with pytest.raises(HostError):
            machine.run([links_file()], [lcm_file()])
        assert machine.run([links_file()], [lcm_file()]).changed
        assert machine.live() == content(links_file(), lcm_file())

    def test_both_failures_are_told_when_the_way_back_fails_too(self, machine: Machine) -> None:
        machine.host.failures = ["first", "second"]
        with pytest.raises(HostError, match=r"first\n.*second"):
            machine.run([links_file()], [lcm_file()])

    def test_two_runs_at_once_do_not_mix(self, machine: Machine) -> None:
        machine.stage("links", [links_file()])
        with (
            locked(machine.places.lock),
            pytest.raises(HostError, match="Another run is changing"),
            locked(machine.places.lock, timeout=0),
        ):
            pass


class TestCrash:
    """The machine dies between any two steps; the same run again brings the same end."""

    STEPS = ("write_file", "remove_file", "apply", "record", "remove_folder")

    @pytest.mark.parametrize("after_calls", range(4))
    @pytest.mark.parametrize("step", STEPS)
    def test_the_next_run_finishes(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, step: str, after_calls: int
    ) -> None:
        machine.run([links_file()], [lcm_file()])
        changed = [links_file("{ethernets: {enp0s3: {mtu: 1400}}}")], [lcm_file(vlan=102)]
        with monkeypatch.context() as patch:
            die_at(patch, step, after_calls)
            with contextlib.suppress(PowerCutError):
                machine.run(*changed)
        machine.run(*changed)
        assert machine.live() == content(*changed[0], *changed[1])
        assert machine.host.kinds["lcm0"] == "vlan"
        assert machine.run(*changed) == Done()
        record = json.loads(machine.places.applied.read_text())
        assert record["links"]["lcm0"]["settings"] == ["VLAN.Id=102"]

    def test_a_link_that_only_the_dead_run_knew_is_cleaned_up(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.run([links_file()], [])
        with monkeypatch.context() as patch:
            die_at(patch, "record", 0)
            with pytest.raises(PowerCutError):
                machine.run([links_file()], [lcm_file()])
        assert "lcm0" in machine.host.kinds
        machine.run([links_file()], [])
        assert "lcm0" not in machine.host.kinds

    def test_netplan_accepts_the_files_at_every_moment_of_a_write(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At boot netplan refuses all files, foreign ones too, when one lacks its links."""
        first = [links_file("{ethernets: {enp0s3: {}}}")], [lcm_file(link="enp0s3")]
        second = [links_file("{ethernets: {enp0s4: {}}}")], [lcm_file(link="enp0s4")]
        codes: list[Completed] = []

        def watch(name: str) -> None:
            original = getattr(netplan_commit, name)

            def watched(*args: object) -> None:
                original(*args)
                codes.append(boot(machine.places))

            monkeypatch.setattr(netplan_commit, name, watched)

        watch("write_file")
        watch("remove_file")
        for run in (first, second, ([first[0][0]], []), first):
            machine.run(*run)
        assert len(codes) > 10
        assert {completed.code for completed in codes} == {0}


def boot(places: Places) -> Completed:
    """What netplan would say at boot, in a copy of the host's files."""
    copy = places.root / "boot"
    for name, text in tree(places.live).items():
        (copy / "etc/netplan").mkdir(parents=True, exist_ok=True)
        (copy / "etc/netplan" / name).write_text(text)
    completed = fake_generator(copy) if copy.exists() else Completed(0)
    for path in sorted(copy.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    if copy.exists():
        copy.rmdir()
    return completed


def die_at(patch: pytest.MonkeyPatch, step: str, after_calls: int) -> None:
    """Let the power go right before the given call of a step."""
    original = getattr(netplan_commit, step)
    left = [after_calls]

    def mortal(*args: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCutError
        return original(*args)

    patch.setattr(netplan_commit, step, mortal)


def test_write_leaves_unchanged_files_alone(machine: Machine) -> None:
    machine.run([links_file()], [lcm_file()])
    own = dict(read_live(machine.places).own)
    kept = machine.places.live / "60-underlay-links.yaml"
    before = kept.stat()
    write(machine.places, own, {kept.name: own[kept.name]})
    assert kept.stat() == before
    assert not (machine.places.live / "61-underlay-lcm.yaml").exists()


class TestObsolete:
    """S4.1: an operational host keeps no file, link or address of its provisioning."""

    NAME = "90-installer.yaml"
    TEXT = (
        "network: {ethernets: {enp0s2: {dhcp4: true}},"
        " vlans: {boot0: {id: 7, link: enp0s2, dhcp4: true}}}\n"
    )

    @pytest.fixture
    def installed(self, machine: Machine) -> Machine:
        put_foreign(machine.places, f"etc/netplan/{self.NAME}", self.TEXT)
        machine.host.kinds["boot0"] = "vlan"
        machine.obsolete = [self.NAME]
        return machine

    def test_file_and_link_go_and_the_nic_is_cleared_with_the_same_apply(
        self, installed: Machine
    ) -> None:
        done = installed.run([links_file()], [lcm_file()])
        assert {"name": self.NAME, "action": "delete"} in done.files
        assert installed.live() == content(links_file(), lcm_file())
        assert (done.deleted_links, done.cleared_links) == (["boot0"], ("enp0s2",))
        assert installed.host.applies == 1
        assert installed.host.cleared == ["enp0s2"]
        assert installed.run([links_file()], [lcm_file()]) == Done()

    def test_a_nic_that_the_plan_uses_is_not_cleared(self, installed: Machine) -> None:
        links = links_file("{ethernets: {enp0s2: {mtu: 9000}}}")
        done = installed.run([links], [lcm_file(link="enp0s2")])
        assert done.cleared_links == ()

    def test_a_nic_that_others_configure_as_well_is_not_cleared(self, installed: Machine) -> None:
        put_foreign(
            installed.places, "etc/systemd/network/50-mine.network", "[Match]\nName=enp0s2\n"
        )
        assert installed.run([links_file()], [lcm_file()]).cleared_links == ()

    def test_a_nic_is_known_by_what_the_file_matches(self, machine: Machine) -> None:
        text = "network: {ethernets: {all: {match: {name: 'enp*'}, dhcp4: true}}}\n"
        put_foreign(machine.places, f"etc/netplan/{self.NAME}", text)
        machine.obsolete = [self.NAME]
        assert machine.run([links_file()], []).cleared_links == ("enp0s2",)

    def test_prediction_names_the_nic_and_writes_nothing(self, installed: Machine) -> None:
        installed.stage("links", [links_file()])
        before = tree(installed.places.root)
        predicted = predict(installed.places, fake_generator, installed.tools.nics)
        assert (predicted.cleared_links, tree(installed.places.root)) == (("enp0s2",), before)

    def test_it_comes_back_when_the_apply_fails(self, installed: Machine) -> None:
        installed.host.failures = ["no"]
        with pytest.raises(HostError, match="put back and applied"):
            installed.run([links_file()], [lcm_file()])
        assert installed.live() == {self.NAME: self.TEXT}
        assert installed.host.cleared == []

    def test_the_host_never_boots_without_any_configuration(
        self, installed: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[set[str]] = []
        for name in ("write_file", "remove_file"):
            original = getattr(netplan_commit, name)

            def watched(*args: object, original: Callable[..., None] = original) -> None:
                original(*args)
                seen.append(set(installed.live()))

            monkeypatch.setattr(netplan_commit, name, watched)
        installed.run([links_file()], [lcm_file()])
        assert all(seen)

    @pytest.mark.parametrize("after_calls", range(4))
    @pytest.mark.parametrize("step", [*TestCrash.STEPS, "clear"])
    @pytest.mark.parametrize("planned_before", [False, True])
    def test_the_run_after_a_power_cut_finishes(
        self,
        installed: Machine,
        monkeypatch: pytest.MonkeyPatch,
        step: str,
        after_calls: int,
        planned_before: bool,
    ) -> None:
        wanted = [links_file()], [lcm_file()]
        if planned_before:
            installed.obsolete = []
            installed.run(*wanted)
            installed.obsolete = [self.NAME]
        with monkeypatch.context() as patch:
            if step == "clear":
                patch.setattr(installed.host, "clear", cut_power)
            else:
                die_at(patch, step, after_calls)
            with contextlib.suppress(PowerCutError):
                installed.run(*wanted)
        installed.run(*wanted)
        assert installed.live() == content(*wanted[0], *wanted[1])
        assert "boot0" not in installed.host.kinds
        assert "enp0s2" in installed.host.cleared
        assert installed.run(*wanted) == Done()


def cut_power(_name: str) -> None:
    raise PowerCutError
