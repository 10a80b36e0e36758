"""One call brings a host's daemons to the desired state: checked, changed, watched, put back."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils import daemon_files
from ansible_collections.underlay.cluster.plugins.module_utils.commands import Completed
from ansible_collections.underlay.cluster.plugins.module_utils.daemon_systemd import (
    Status,
    Systemd,
    Tools,
)
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from tests.unit.module_utils.daemon_fake import PROGRAM, FakeHost, absent, daemon
from tests.unit.module_utils.fakes import tree

VIP = "underlay-vip"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def refused(host: FakeHost, *items: dict[str, Any], check: bool = False) -> HostError:
    with pytest.raises(HostError) as caught:
        host.bring(*items, check=check)
    return caught.value


def verbs(host: FakeHost) -> list[str]:
    """What was asked of systemd, the looks of the watch counted as one."""
    found = [argv[1] for argv in host.calls if argv[0] == "systemctl"]
    return [verb for at, verb in enumerate(found) if at == 0 or verb != found[at - 1]]


class TestBringing:
    def test_a_new_daemon_is_written_enabled_and_started(self, host: FakeHost) -> None:
        assert host.actions(daemon()) == {VIP: "started"}
        process = host.running(VIP)
        assert process is not None
        assert process.tree["daemon.conf"].text == "one\n"
        assert f"ExecStart={PROGRAM} --config {host.places.folder(VIP)}/daemon.conf" in process.unit
        assert host.places.link(VIP).exists()

    def test_a_second_run_changes_nothing_and_asks_once(self, host: FakeHost) -> None:
        host.bring(daemon(), daemon("underlay-b"), absent("underlay-c"))
        before = tree(host.root)
        done = host.bring(daemon(), daemon("underlay-b"), absent("underlay-c"))
        assert (done["changed"], done["diff"]) == (False, [])
        assert [argv[:2] for argv in host.calls] == [["systemctl", "show"]]
        assert tree(host.root) == before

    def test_what_is_away_and_stays_away_costs_no_process(self, host: FakeHost) -> None:
        assert host.bring(absent(), absent("underlay-b"))["changed"] is False
        assert host.calls == []

    def test_the_work_of_all_daemons_is_asked_for_together(self, host: FakeHost) -> None:
        host.bring(daemon("underlay-old"))
        host.bring(daemon(), daemon("underlay-b"), absent("underlay-old"))
        assert verbs(host) == ["show", "stop", "disable", "daemon-reload", "enable", "restart",
                               "show"]  # fmt: skip

    def test_what_was_stopped_by_hand_is_started(self, host: FakeHost) -> None:
        host.bring(daemon())
        host.stop_by_hand(VIP)
        assert host.actions(daemon()) == {VIP: "started"}
        assert host.running(VIP)
        assert "daemon-reload" not in verbs(host)

    def test_what_was_disabled_by_hand_is_enabled_and_goes_on(self, host: FakeHost) -> None:
        host.bring(daemon())
        process = host.running(VIP)
        host.places.link(VIP).unlink()
        assert host.actions(daemon()) == {VIP: "enabled"}
        assert host.places.link(VIP).exists()
        assert host.running(VIP) is process

    def test_new_files_are_a_restart(self, host: FakeHost) -> None:
        host.bring(daemon())
        assert host.actions(daemon(files={"daemon.conf": "two\n"})) == {VIP: "restarted"}
        assert "daemon-reload" not in verbs(host)

    def test_new_files_are_a_reload_for_a_daemon_that_can(self, host: FakeHost) -> None:
        host.bring(daemon(reload=True))
        process = host.running(VIP)
        changed = daemon(reload=True, files={"daemon.conf": "two\n"})
        assert host.actions(changed) == {VIP: "reloaded"}
        assert host.running(VIP) is process
        assert process is not None
        assert process.tree["daemon.conf"].text == "two\n"

    def test_a_new_unit_is_a_restart_even_so(self, host: FakeHost) -> None:
        host.bring(daemon(reload=True))
        changed = daemon(reload=True, files={"daemon.conf": "two\n"}, arguments=["--new"])
        assert host.actions(changed) == {VIP: "restarted"}
        process = host.running(VIP)
        assert process is not None
        assert "--new" in process.unit

    def test_a_file_that_is_no_longer_planned_goes(self, host: FakeHost) -> None:
        host.bring(daemon(files={"daemon.conf": "", "boot/x.ipxe": ""}))
        host.bring(daemon(files={"daemon.conf": ""}))
        assert list(tree(host.places.folder(VIP))) == ["daemon.conf"]
        assert not (host.places.folder(VIP) / "boot").exists()

    def test_modes_are_brought_back(self, host: FakeHost) -> None:
        host.bring(daemon())
        file = host.places.folder(VIP) / "daemon.conf"
        file.chmod(0o666)
        done = host.bring(daemon())
        assert file.stat().st_mode & 0o777 == 0o600
        assert [entry["after_header"] for entry in done["diff"]] == [f"{file} (mode 0600)"]

    def test_an_absent_daemon_leaves_nothing(self, host: FakeHost) -> None:
        before = set(host.root.rglob("*"))
        host.bring(daemon())
        assert host.actions(absent()) == {VIP: "stopped"}
        assert host.running(VIP) is None
        left = {path for path in set(host.root.rglob("*")) - before if not path.is_dir()}
        assert left == {host.places.lock}
        assert not host.places.folder(VIP).exists()

    @pytest.mark.parametrize("gone", ["unit", "folder", "unit and folder"])
    def test_an_absent_daemon_goes_though_part_of_it_was_deleted(
        self, host: FakeHost, gone: str
    ) -> None:
        host.bring(daemon())
        if "unit" in gone:
            host.places.unit(VIP).unlink()
        if "folder" in gone:
            daemon_files.make_tree(host.places.folder(VIP), {})
        assert host.actions(absent()) == {VIP: "stopped"}
        assert host.running(VIP) is None
        assert not host.places.link(VIP).is_symlink()
        assert not host.places.folder(VIP).exists()
        assert host.actions(absent()) == {VIP: "none"}

    def test_an_absent_daemon_that_does_not_run_is_removed(self, host: FakeHost) -> None:
        host.bring(daemon())
        host.stop_by_hand(VIP)
        assert host.actions(absent()) == {VIP: "removed"}

    def test_other_daemons_are_not_touched(self, host: FakeHost) -> None:
        host.bring(daemon("underlay-other"))
        process = host.running("underlay-other")
        host.bring(daemon(), absent("underlay-third"))
        assert host.running("underlay-other") is process


class TestRefusing:
    def test_everything_that_speaks_against_it_is_told_at_once(self, host: FakeHost) -> None:
        host.places.unit("underlay-b").write_text("[Service]\nExecStart=/bin/theirs\n")
        before = tree(host.root / "etc")
        error = refused(
            host,
            daemon(program="/usr/sbin/nonesuch", package="keepalived", needs=["/a", "/b"]),
            daemon("underlay-b"),
            daemon("underlay-c", files={"x": "bad"}, check=[["check-files", "{folder}"]]),
        )
        assert "nothing was changed" in error.message
        assert list(error.problems) == [
            "underlay-vip: the program /usr/sbin/nonesuch is not there; install the package "
            "keepalived",
            "underlay-vip: /a is not there, and the daemon needs it",
            "underlay-vip: /b is not there, and the daemon needs it",
            f"underlay-b: {host.places.unit('underlay-b')} was not written by us; move it away, or "
            "give the daemon another name",
            f"underlay-c: the check 'check-files {host.places.folder('underlay-c')}' refuses the "
            f"files: {host.places.folder('underlay-c')}/x: a bad word",
        ]
        assert tree(host.root / "etc") == before
        assert not host.processes

    @pytest.mark.parametrize("make", ["text", "mask", "folder"])
    @pytest.mark.parametrize("item", [daemon(), absent()], ids=["present", "absent"])
    def test_a_unit_of_somebody_else_is_refused_and_stays(
        self, host: FakeHost, make: str, item: dict[str, Any]
    ) -> None:
        unit = host.places.unit(VIP)
        if make == "text":
            unit.write_text("# Written by somebody else\n")
        elif make == "mask":
            unit.symlink_to("/dev/null")
        else:
            unit.mkdir()
        assert "was not written by us" in refused(host, item).problems[0]
        assert unit.is_symlink() or unit.exists()

    def test_a_unit_of_a_package_is_refused(self, host: FakeHost) -> None:
        """Ours would hide it, and removing ours would bring it to life."""
        (host.root / f"usr/lib/systemd/system/{VIP}.service").write_text("[Service]\n")
        assert "systemd knows a unit of this name from" in refused(host, daemon()).problems[0]

    def test_checks_read_the_new_files_in_another_folder(self, host: FakeHost) -> None:
        seen: list[Path] = []
        host.meanwhile = lambda: seen.extend(
            path for path in host.places.runtime.glob("underlay-daemon-*/*/daemon.conf")
        )
        host.bring(daemon(check=[["check-files", "{folder}"]]))
        assert {path.parent.name for path in seen} == {VIP}
        assert not list(host.places.runtime.glob("underlay-daemon-*"))

    def test_an_unchanged_daemon_is_not_checked_again(self, host: FakeHost) -> None:
        item = daemon(check=[["check-files", "{folder}"]])
        host.bring(item)
        host.bring(item)
        assert [argv[0] for argv in host.calls] == ["systemctl"]

    def test_a_missing_checker_names_the_package(self, host: FakeHost) -> None:
        error = refused(host, daemon(check=[["nonesuch", "-t"]]))
        assert error.problems == (
            "underlay-vip: the program 'nonesuch', which checks the files, is not there; install "
            "the package daemon-package",
        )

    def test_a_check_that_does_not_end_is_told(self, host: FakeHost) -> None:
        def runner(argv: Sequence[str], timeout: float) -> Completed:
            if argv[0] == "check-files":
                raise subprocess.TimeoutExpired(argv, timeout)
            return FakeHost.__call__(host, argv, timeout)

        host.__class__ = type("Hanging", (FakeHost,), {"__call__": staticmethod(runner)})
        (problem,) = refused(host, daemon(check=[["check-files", "x"]])).problems
        assert problem == "underlay-vip: the check 'check-files x' did not end within 60 s"

    def test_check_mode_refuses_the_same(self, host: FakeHost) -> None:
        items = (daemon(needs=["/a"]), daemon("underlay-b", program="/nonesuch"))
        assert refused(host, *items, check=True).problems == refused(host, *items).problems


class TestPuttingBack:
    @pytest.mark.parametrize("seconds", [0, 0.3, 1, 2.5])
    def test_a_daemon_that_soon_ends_is_noticed(self, host: FakeHost, seconds: float) -> None:
        error = refused(host, daemon(files={"daemon.conf": f"dies after {seconds}"}))
        assert "did not come up" in error.message
        (problem,) = error.problems
        assert problem.startswith("underlay-vip: it does not stay up: activating (auto-restart)")
        assert "line 3: what is this?" in problem
        assert "There was none before, so all of it was taken away again." in problem

    def test_a_new_daemon_that_falls_leaves_nothing(self, host: FakeHost) -> None:
        refused(host, daemon(files={"daemon.conf": "dies after 1"}))
        assert host.running(VIP) is None
        assert tree(host.root / "etc") == {}
        assert not host.places.journal(VIP).exists()
        assert host.actions(absent()) == {VIP: "none"}

    @pytest.mark.parametrize("reload", [True, False])
    def test_the_previous_daemon_runs_again(self, host: FakeHost, reload: bool) -> None:
        good = daemon(reload=reload)
        host.bring(good)
        before = tree(host.root / "etc")
        error = refused(host, daemon(reload=reload, files={"daemon.conf": "dies after 1", "b": ""}))
        assert "it runs with them again" in error.problems[0]
        assert tree(host.root / "etc") == before
        process = host.running(VIP)
        assert process is not None
        assert process.tree["daemon.conf"].text == "one\n"
        assert host.actions(good) == {VIP: "none"}

    def test_the_previous_unit_runs_again(self, host: FakeHost) -> None:
        host.bring(daemon())
        refused(host, daemon(arguments=["dies after 1"]))
        process = host.running(VIP)
        assert process is not None
        assert "dies" not in process.unit

    def test_a_daemon_that_was_stopped_stays_stopped(self, host: FakeHost) -> None:
        host.bring(daemon())
        host.stop_by_hand(VIP)
        host.places.link(VIP).unlink()
        error = refused(host, daemon(files={"daemon.conf": "dies after 1"}))
        assert "it was not running before" in error.problems[0]
        assert host.running(VIP) is None
        assert not host.places.link(VIP).exists()

    def test_when_the_previous_one_falls_too_that_is_told(self, host: FakeHost) -> None:
        host.bring(daemon(needs=[]))
        folder = host.places.folder(VIP)
        (folder / "daemon.conf").write_text("dies after 2")
        error = refused(host, daemon(files={"daemon.conf": "dies after 1"}))
        assert "but with these, too, it does not stay up" in error.problems[0]
        assert (folder / "daemon.conf").read_text() == "dies after 2"

    def test_other_daemons_of_the_call_stay_changed(self, host: FakeHost) -> None:
        host.bring(daemon("underlay-gone"))
        error = refused(
            host,
            daemon("underlay-bad", files={"a": "dies after 1"}),
            daemon("underlay-good"),
            absent("underlay-gone"),
        )
        assert [problem.partition(":")[0] for problem in error.problems] == ["underlay-bad"]
        assert host.running("underlay-good")
        assert not host.places.unit("underlay-gone").exists()
        assert not list(host.places.journal(VIP).parent.iterdir())

    def test_all_that_fall_are_told(self, host: FakeHost) -> None:
        bad = [daemon(f"underlay-{at}", files={"a": f"dies after {at}"}) for at in range(3)]
        assert len(refused(host, *bad).problems) == 3
        assert tree(host.root / "etc") == {}

    def test_a_planned_daemon_that_does_not_start_any_more_is_left_to_systemd(
        self, host: FakeHost
    ) -> None:
        host.bring(daemon())
        before = tree(host.root / "etc")
        host.stop_by_hand(VIP)
        host.sick.add(VIP)
        error = refused(host, daemon())
        assert "were left; systemd goes on starting it" in error.problems[0]
        assert tree(host.root / "etc") == before
        host.sick.clear()
        host.time += 10
        assert host.actions(daemon()) == {VIP: "none"}

    def test_a_systemd_that_refuses_has_everything_put_back(self, host: FakeHost) -> None:
        host.bring(daemon())
        before = tree(host.root / "etc")
        host.failing["enable"] = "Read-only file system"
        error = refused(host, daemon(files={"daemon.conf": "two"}), daemon("underlay-b"))
        assert "'systemctl enable underlay-b.service' failed: Read-only file system" in str(error)
        assert "What was there before was put back" in str(error)
        assert tree(host.root / "etc") == before
        process = host.running(VIP)
        assert process is not None
        assert process.tree["daemon.conf"].text == "one\n"

    def test_when_putting_back_fails_too_the_next_run_does_all_again(self, host: FakeHost) -> None:
        host.bring(daemon())
        host.failing["daemon-reload"] = "Connection refused"
        error = refused(host, daemon(arguments=["--new"]))
        assert "The next run tries again" in str(error)
        host.failing.clear()
        assert host.actions(daemon()) == {VIP: "restarted"}
        assert host.actions(daemon()) == {VIP: "none"}

    def test_a_full_disk_has_everything_put_back(self, host: FakeHost) -> None:
        host.bring(daemon(), daemon("underlay-b"))
        before = tree(host.root / "etc")
        full = OSError(28, "No space left on device")

        def fill() -> None:
            if "new" in (host.places.folder(VIP) / "daemon.conf").read_text():
                host.meanwhile = lambda: None
                raise full

        host.meanwhile = fill
        new = {"daemon.conf": "new"}
        error = refused(host, daemon(files=new), daemon("underlay-b", files=new))
        assert "No space left on device" in str(error)
        assert tree(host.root / "etc") == before
        assert host.actions(daemon(), daemon("underlay-b")) == {VIP: "none", "underlay-b": "none"}


class TestTelling:
    def test_each_file_and_the_unit_are_shown(self, host: FakeHost) -> None:
        host.bring(daemon(files={"a": "1\n", "b/c": "2\n"}))
        done = host.bring(daemon(files={"a": "3\n", "d": "4\n"}, description="New"))
        folder = host.places.folder(VIP)
        assert [
            (entry["after_header"], entry["before"], entry["after"]) for entry in done["diff"][:3]
        ] == [
            (f"{folder}/a", "1\n", "3\n"),
            (f"{folder}/b/c", "2\n", ""),
            (f"{folder}/d", "", "4\n"),
        ]
        assert done["diff"][3]["after_header"] == str(host.places.unit(VIP))
        assert "Description=New" in done["diff"][3]["after"]
        assert len(done["diff"]) == 4

    def test_what_is_no_text_is_shown_readably(self, host: FakeHost) -> None:
        host.bring(daemon())
        (host.places.folder(VIP) / "raw").write_bytes(b"\xff\n")
        (host.places.folder(VIP) / "link").symlink_to("/dev/null")
        done = host.bring(daemon(), check=True)
        assert [entry["before"] for entry in done["diff"]] == [
            "(neither a file nor a folder)\n",
            "\N{REPLACEMENT CHARACTER}\n",
        ]

    def test_check_mode_tells_the_same_and_leaves_the_host_alone(self, host: FakeHost) -> None:
        host.bring(daemon(), daemon("underlay-old"))
        items = (
            daemon(files={"x": "new"}, check=[["check-files", "{folder}"]]),
            daemon("underlay-b"),
            absent("underlay-old"),
        )
        before = tree(host.root), dict(host.processes)
        told = host.bring(*items, check=True)
        assert (tree(host.root), host.processes) == before
        assert told == host.bring(*items)


class TestWatching:
    """What systemd says of a daemon after its start, one look after the other."""

    @staticmethod
    def watch(*looks: str, restarts: int = 0) -> dict[str, str]:
        left = [dict(line.split("=") for line in look.split()) for look in looks]
        time = [0.0]

        def runner(argv: Sequence[str], timeout: float) -> Completed:
            said = left.pop(0) if len(left) > 1 else left[0]
            lines = [f"{key}={value}" for key, value in said.items()]
            return Completed(0, "\n".join([f"Id={VIP}.service", *lines]))

        def sleep(seconds: float) -> None:
            time[0] += seconds

        systemd = Systemd(Tools(runner, lambda: time[0], sleep))
        return systemd.fallen({VIP: Status(restarts=restarts)})

    UP = "ActiveState=active SubState=running MainPID=7 NRestarts=0"

    def test_one_that_stays_up_is_fine(self) -> None:
        assert self.watch(self.UP) == {}

    def test_one_that_takes_its_time_is_fine(self) -> None:
        assert self.watch(*["ActiveState=activating SubState=start"] * 20, self.UP) == {}

    def test_one_that_never_gets_ready_is_told(self) -> None:
        found = self.watch("ActiveState=activating SubState=start")
        assert found == {VIP: "it is not ready: activating (start)"}

    @pytest.mark.parametrize("sub", ["auto-restart", "auto-restart-queued"])
    def test_one_that_waits_for_its_next_start_has_fallen(self, sub: str) -> None:
        found = self.watch(self.UP, f"ActiveState=activating SubState={sub} Result=exit-code")
        assert found == {
            VIP: f"it does not stay up: activating ({sub}), result exit-code",
        }

    def test_one_that_was_started_again_between_two_looks_has_fallen(self) -> None:
        assert VIP in self.watch(self.UP, self.UP.replace("NRestarts=0", "NRestarts=1"))
        assert VIP in self.watch(self.UP, self.UP.replace("MainPID=7", "MainPID=8"))

    def test_falls_before_this_start_do_not_count(self) -> None:
        assert self.watch(self.UP.replace("NRestarts=0", "NRestarts=4"), restarts=4) == {}
        assert self.watch(self.UP, restarts=4) == {}

    @pytest.mark.parametrize("state", ["inactive", "failed"])
    def test_one_that_has_ended_for_good_has_fallen(self, state: str) -> None:
        assert VIP in self.watch(f"ActiveState={state} SubState=dead")


def test_a_host_without_systemd_is_told_in_a_sentence(host: FakeHost) -> None:
    host.failing["show"] = "System has not been booted with systemd as init system"
    assert str(refused(host, daemon())) == (
        "'systemctl show' failed: System has not been booted with systemd as init system"
    )
