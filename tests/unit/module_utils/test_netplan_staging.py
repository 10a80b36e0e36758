"""Staging: compared, checked as a whole, shown, put aside; and nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_files import (
    OwnFile,
    Places,
    applied_as_json,
    read_obsolete,
    role_of,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_staging import (
    Staged,
    Surroundings,
    as_diff,
    stage,
    wish,
)
from ansible_collections.underlay.cluster.plugins.module_utils.nics import Nic
from tests.unit.module_utils.fakes import (
    fake_generator,
    lcm_file,
    links_file,
    planned,
    put_foreign,
    tree,
)

File = dict[str, str]
PROVISIONING = "network: {ethernets: {enp0s2: {dhcp4: true}}}\n"


def nic(name: str) -> Nic:
    return Nic(name, "52:54:00:00:00:03", "virtio_net", None, None, 0, None, None, True, 1500,
               None, None, None)  # fmt: skip


HOST = Surroundings(fake_generator, lambda: [nic("enp0s2"), nic("enp0s3")])


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "etc/netplan").mkdir(parents=True)
    return Places(tmp_path)


def staging(
    places: Places,
    role: str,
    files: list[File],
    others: list[File] | None = None,
    write: bool = True,
    obsolete: tuple[str, ...] = (),
) -> Staged:
    return stage(wish(role, files, others or [], obsolete), places, HOST, write)


def make_live(places: Places, *files: File, applied: bool = True) -> None:
    """Files as a finished run leaves them."""
    for file in files:
        (places.live / file["name"]).write_text(file["content"])
    if applied:
        places.state.mkdir(parents=True, exist_ok=True)
        own = [OwnFile(f["name"], str(role_of(**f)), f["content"]) for f in files]
        places.applied.write_text(applied_as_json(own, []))


def staged_files(places: Places) -> dict[str, str]:
    return tree(places.staged)


class TestChanges:
    def test_a_new_file_is_created(self, places: Places) -> None:
        result = staging(places, "links", [links_file()])
        assert [(change.name, change.action) for change in result.changes] == [
            ("60-underlay-links.yaml", "create")
        ]
        assert staged_files(places) == {"links/60-underlay-links.yaml": links_file()["content"]}

    def test_live_files_stay_as_they_are(self, places: Places) -> None:
        put_foreign(places, "etc/netplan/50-cloud-init.yaml", PROVISIONING)
        before = tree(places.live)
        staging(places, "links", [links_file()])
        assert tree(places.live) == before

    def test_a_file_that_differs_is_changed(self, places: Places) -> None:
        make_live(places, links_file("{ethernets: {enp0s3: {mtu: 1500}}}"))
        result = staging(places, "links", [links_file()])
        assert [change.action for change in result.changes] == ["change"]

    def test_a_file_of_the_role_that_is_not_planned_is_deleted(self, places: Places) -> None:
        make_live(places, links_file(), lcm_file())
        result = staging(places, "lcm", [], [links_file()])
        assert [(change.name, change.action) for change in result.changes] == [
            ("61-underlay-lcm.yaml", "delete")
        ]
        assert (places.staged / "lcm").is_dir()
        assert staged_files(places) == {}

    def test_files_of_other_roles_are_not_deleted(self, places: Places) -> None:
        make_live(places, links_file(), lcm_file())
        assert not staging(places, "workload", [], [links_file(), lcm_file()]).changed

    def test_an_unchanged_role_stages_nothing(self, places: Places) -> None:
        make_live(places, links_file())
        before = tree(places.root)
        result = staging(places, "links", [links_file()])
        assert not result.changed
        assert tree(places.root) == before

    def test_an_unchanged_role_takes_an_earlier_staging_back(self, places: Places) -> None:
        make_live(places, links_file())
        staging(places, "links", [links_file("{ethernets: {enp0s3: {mtu: 1400}}}")])
        assert staged_files(places) != {}
        staging(places, "links", [links_file()])
        assert staged_files(places) == {}

    def test_files_that_were_written_and_never_applied_are_a_change(self, places: Places) -> None:
        make_live(places, links_file(), applied=False)
        result = staging(places, "links", [links_file()])
        assert (result.changed, result.changes, result.unapplied) == (True, (), True)
        assert (places.staged / "links/60-underlay-links.yaml").is_file()

    def test_a_deletion_that_was_never_applied_is_a_change(self, places: Places) -> None:
        make_live(places, links_file(), lcm_file())
        (places.live / "61-underlay-lcm.yaml").unlink()
        assert staging(places, "lcm", [], [links_file()]).unapplied

    def test_a_damaged_record_of_the_last_apply_counts_as_none(self, places: Places) -> None:
        make_live(places, links_file())
        places.applied.write_text('{"files": [')
        assert staging(places, "links", [links_file()]).unapplied

    def test_what_a_dead_run_staged_for_another_role_is_dropped(self, places: Places) -> None:
        staging(places, "lcm", [lcm_file(vlan=999)], [links_file()])
        staging(places, "links", [links_file()], [lcm_file(vlan=101)])
        assert list(staged_files(places)) == ["links/60-underlay-links.yaml"]

    def test_what_another_role_has_staged_in_this_run_is_kept(self, places: Places) -> None:
        staging(places, "lcm", [lcm_file()], [links_file()])
        staging(places, "links", [links_file()], [lcm_file()])
        assert list(staged_files(places)) == [
            "lcm/61-underlay-lcm.yaml",
            "links/60-underlay-links.yaml",
        ]

    def test_a_file_that_moves_to_another_role_is_not_deleted_by_the_first(
        self, places: Places
    ) -> None:
        make_live(places, links_file(), lcm_file())
        moved = planned("61-underlay-lcm.yaml", "workload", lcm_file()["content"])
        assert staging(places, "lcm", [], [links_file(), moved]).changes == ()


class TestPendingRoles:
    """Whoever stages first tells which other roles need a run of their own."""

    def test_a_role_whose_files_are_as_planned_is_not_among_them(self, places: Places) -> None:
        make_live(places, links_file(), lcm_file())
        assert staging(places, "links", [links_file()], [lcm_file()]).pending == ()

    def test_a_new_file_is_something_to_stage(self, places: Places) -> None:
        make_live(places, links_file())
        assert staging(places, "links", [links_file()], [lcm_file()]).pending == ("lcm",)

    def test_so_is_a_file_that_is_no_longer_planned(self, places: Places) -> None:
        make_live(places, links_file(), lcm_file())
        assert staging(places, "links", [links_file()]).pending == ("lcm",)

    def test_so_is_a_file_that_no_run_has_applied(self, places: Places) -> None:
        make_live(places, links_file(), lcm_file(), applied=False)
        assert staging(places, "links", [links_file()], [lcm_file()]).pending == ("lcm",)

    def test_so_is_what_a_dead_run_has_staged(self, places: Places) -> None:
        """Were it left there, the commit would bring what nobody plans any more."""
        make_live(places, links_file(), lcm_file())
        header = "# Written by underlay.cluster, role: workload. Changes here are overwritten."
        text = f"{header}\nnetwork: {{version: 2}}\n"
        file = {"name": "62-underlay-w.yaml", "content": text}
        staging(places, "workload", [file], [links_file(), lcm_file()])
        assert staging(places, "links", [links_file()], [lcm_file()], write=False).pending == (
            "workload",
        )

    def test_check_mode_tells_the_same(self, places: Places) -> None:
        make_live(places, links_file())
        preview = staging(places, "links", [links_file()], [lcm_file()], write=False)
        assert preview == staging(places, "links", [links_file()], [lcm_file()])


class TestModesAndCheckMode:
    def test_staged_files_are_for_root_alone(self, places: Places) -> None:
        staging(places, "links", [links_file()])
        for path in [places.state, *places.state.rglob("*")]:
            expected = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == expected, path

    def test_check_mode_gives_the_same_answer_and_writes_nothing(self, places: Places) -> None:
        before = tree(places.root)
        predicted = staging(places, "links", [links_file()], write=False)
        assert tree(places.root) == before
        assert predicted == staging(places, "links", [links_file()])

    def test_check_mode_finds_the_same_errors(self, places: Places) -> None:
        with pytest.raises(HostError, match="netplan refuses"):
            staging(places, "lcm", [lcm_file(link="bond7")], write=False)

    def test_diff_shows_the_text_before_and_after(self, places: Places) -> None:
        make_live(places, lcm_file())
        (diff,) = as_diff(staging(places, "lcm", []).changes)
        assert diff == {
            "before_header": "/etc/netplan/61-underlay-lcm.yaml",
            "after_header": "/etc/netplan/61-underlay-lcm.yaml",
            "before": lcm_file()["content"],
            "after": "",
        }


class TestValidation:
    def test_the_whole_plan_is_checked_not_the_role_alone(self, places: Places) -> None:
        assert staging(places, "lcm", [lcm_file()], [links_file()]).changed

    def test_netplans_words_are_shown_with_the_hosts_path(self, places: Places) -> None:
        with pytest.raises(HostError) as error:
            staging(places, "lcm", [lcm_file(link="bond7")])
        assert "/etc/netplan: lcm0: 'bond7' is not defined" in str(error.value)
        assert "underlay-netplan-" not in str(error.value)

    def test_nothing_is_staged_when_netplan_refuses(self, places: Places) -> None:
        with pytest.raises(HostError):
            staging(places, "lcm", [lcm_file(link="bond7")])
        assert not places.state.exists()

    def test_a_broken_foreign_file_is_named(self, places: Places) -> None:
        put_foreign(places, "etc/netplan/50-mine.yaml", "network: [}\n")
        with pytest.raises(HostError, match=r"/etc/netplan/50-mine\.yaml"):
            staging(places, "links", [links_file()])

    @pytest.mark.parametrize(
        "file",
        [
            {"name": "60-underlay-links.yaml", "content": "network: {}\n"},
            planned("links.yaml", "links", ""),
            planned("60-underlay-../x.yaml", "links", ""),
            planned("60-underlay-links.yaml", "lcm", ""),
        ],
        ids=["no header", "foreign name", "path in name", "other role"],
    )
    def test_a_file_that_would_not_be_known_as_the_roles_is_refused(
        self, places: Places, file: File
    ) -> None:
        with pytest.raises(HostError, match=file["name"]):
            staging(places, "links", [file])

    def test_a_role_name_cannot_leave_the_staging_folder(self, places: Places) -> None:
        with pytest.raises(HostError, match="cannot be a role's name"):
            staging(places, "../x", [])

    def test_a_foreign_file_under_a_planned_name_is_not_overwritten(self, places: Places) -> None:
        put_foreign(places, "etc/netplan/60-underlay-links.yaml", "network: {}\n")
        with pytest.raises(HostError, match=r"/etc/netplan/60-underlay-links\.yaml"):
            staging(places, "links", [links_file()])


class TestConflicts:
    @pytest.mark.parametrize("folder", ["etc/netplan", "run/netplan", "lib/netplan"])
    def test_an_interface_in_two_files_is_named_with_both(
        self, places: Places, folder: str
    ) -> None:
        put_foreign(
            places, f"{folder}/99-mine.yaml", "network: {ethernets: {enp0s3: {dhcp4: true}}}\n"
        )
        with pytest.raises(HostError) as error:
            staging(places, "links", [links_file()])
        assert error.value.problems == (
            f"'enp0s3' is defined or changed by /{folder}/99-mine.yaml and by the planned "
            "/etc/netplan/60-underlay-links.yaml: remove it from one side.",
        )

    def test_the_same_settings_on_both_sides_are_a_conflict_too(self, places: Places) -> None:
        put_foreign(
            places, "etc/netplan/50-mine.yaml", "network: {ethernets: {enp0s3: {mtu: 9000}}}\n"
        )
        with pytest.raises(HostError, match="enp0s3"):
            staging(places, "links", [links_file()])

    def test_an_empty_foreign_definition_is_no_conflict(self, places: Places) -> None:
        put_foreign(places, "etc/netplan/50-mine.yaml", "network: {ethernets: {enp0s3: {}}}\n")
        assert staging(places, "links", [links_file()]).changed

    def test_foreign_files_about_other_interfaces_are_no_conflict(self, places: Places) -> None:
        put_foreign(places, "etc/netplan/50-cloud-init.yaml", PROVISIONING)
        assert staging(places, "links", [links_file()]).changed

    def test_a_foreign_vlan_on_a_planned_link_is_no_conflict(self, places: Places) -> None:
        put_foreign(
            places, "etc/netplan/70-mine.yaml", "network: {vlans: {v9: {id: 9, link: bond0}}}\n"
        )
        bond = "{ethernets: {enp0s3: {}}, bonds: {bond0: {interfaces: [enp0s3]}}}"
        assert staging(places, "links", [links_file(bond)]).changed

    def test_a_foreign_bridge_over_a_planned_link_is_a_conflict(self, places: Places) -> None:
        put_foreign(
            places,
            "etc/netplan/70-mine.yaml",
            "network: {bridges: {br9: {interfaces: [enp0s3]}}}\n",
        )
        with pytest.raises(HostError, match=r"'enp0s3' is defined or changed by .*70-mine"):
            staging(places, "links", [links_file()])

    def test_a_planned_bond_over_a_foreign_interface_is_refused(self, places: Places) -> None:
        put_foreign(places, "etc/netplan/50-cloud-init.yaml", PROVISIONING)
        with pytest.raises(HostError, match="files that somebody else wrote"):
            staging(places, "links", [links_file("{bonds: {bond0: {interfaces: [enp0s2]}}}")])

    def test_a_foreign_pattern_that_networkd_takes_first_is_a_conflict(
        self, places: Places
    ) -> None:
        put_foreign(
            places,
            "etc/netplan/90-default.yaml",
            "network: {ethernets: {all-en: {match: {name: 'en*'}, dhcp4: true}}}\n",
        )
        with pytest.raises(HostError) as error:
            staging(places, "links", [links_file()])
        assert error.value.problems == (
            "'enp0s3' of the planned /etc/netplan/60-underlay-links.yaml would have no effect: "
            "'all-en' in /etc/netplan/90-default.yaml matches the same interface and comes first.",
        )

    def test_a_foreign_pattern_that_comes_later_is_no_conflict(self, places: Places) -> None:
        put_foreign(
            places,
            "etc/netplan/90-default.yaml",
            "network: {ethernets: {zz-rest: {match: {name: 'en*'}, dhcp4: true}}}\n",
        )
        assert staging(places, "links", [links_file()]).changed

    def test_an_own_networkd_file_that_comes_first_is_a_conflict(self, places: Places) -> None:
        put_foreign(places, "etc/systemd/network/05-all.network", "[Match]\nName=en*\n")
        with pytest.raises(HostError, match=r"/etc/systemd/network/05-all\.network matches"):
            staging(places, "links", [links_file()])

    def test_networkds_defaults_that_come_last_are_no_conflict(self, places: Places) -> None:
        put_foreign(places, "usr/lib/systemd/network/80-wired.network", "[Match]\nName=en*\n")
        assert staging(places, "links", [links_file()]).changed


class TestObsolete:
    """S4.1: what an installed system has of its provisioning goes as the plan's files come."""

    NAME = "50-installer.yaml"

    @pytest.fixture
    def installed(self, places: Places) -> Places:
        put_foreign(places, f"etc/netplan/{self.NAME}", PROVISIONING)
        return places

    def test_its_removal_is_staged_and_shown_with_the_links(self, installed: Places) -> None:
        result = staging(installed, "links", [links_file()], obsolete=(self.NAME,))
        assert [(change.name, change.action) for change in result.changes] == [
            (self.NAME, "delete"),
            ("60-underlay-links.yaml", "create"),
        ]
        assert as_diff(result.changes)[0]["before"] == PROVISIONING
        assert as_diff(result.changes)[0]["after"] == ""
        assert read_obsolete(installed) == {"links": [self.NAME]}
        assert (installed.live / self.NAME).read_text() == PROVISIONING

    def test_it_is_a_change_where_all_else_is_as_planned(self, installed: Places) -> None:
        make_live(installed, links_file())
        assert staging(installed, "links", [links_file()], obsolete=(self.NAME,)).changed

    def test_other_roles_neither_count_nor_show_it(self, installed: Places) -> None:
        make_live(installed, links_file(), lcm_file(link="enp0s2"))
        both = [links_file("{ethernets: {enp0s2: {mtu: 9000}}}")], [lcm_file(link="enp0s2")]
        with pytest.raises(HostError, match=self.NAME):
            staging(installed, "links", *both)
        for write in (False, True):
            result = staging(installed, "lcm", both[1], both[0], write, obsolete=(self.NAME,))
            assert not result.changed

    def test_check_mode_gives_the_same_answer_and_writes_nothing(self, installed: Places) -> None:
        before = tree(installed.root)
        wanted = "links", [links_file()], None
        predicted = staging(installed, *wanted, write=False, obsolete=(self.NAME,))
        assert tree(installed.root) == before
        assert predicted == staging(installed, *wanted, obsolete=(self.NAME,))

    def test_one_that_is_not_there_is_no_change(self, places: Places) -> None:
        make_live(places, links_file())
        before = tree(places.root)
        assert not staging(places, "links", [links_file()], obsolete=(self.NAME,)).changed
        assert tree(places.root) == before

    def test_a_removal_that_is_no_longer_wanted_is_taken_back(self, installed: Places) -> None:
        make_live(installed, links_file())
        staging(installed, "links", [links_file()], obsolete=(self.NAME,))
        staging(installed, "lcm", [], [links_file()])
        assert read_obsolete(installed) == {}

    def test_another_role_of_the_run_keeps_what_is_staged(self, installed: Places) -> None:
        staging(installed, "links", [links_file()], [lcm_file()], obsolete=(self.NAME,))
        staging(installed, "lcm", [lcm_file()], [links_file()], obsolete=(self.NAME,))
        assert read_obsolete(installed) == {"links": [self.NAME]}

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("../passwd.yaml", "the name alone"),
            ("/etc/netplan/50-installer.yaml", "the name alone"),
            ("50-installer.yaml.old", "the name alone"),
            ("60-underlay-links.yaml", "our own files"),
        ],
    )
    def test_what_is_no_name_of_somebody_elses_file_is_refused(self, name: str, words: str) -> None:
        with pytest.raises(HostError, match=words):
            wish("links", [], [], [name])
