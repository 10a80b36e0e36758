# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the firewall module: what it writes, in which order, and when it reloads."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_apply import Means
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_door import (
    Direct,
    FirewalldError,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_reload import (
    Note,
    Snapshot,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_run import (
    bring_about,
    exclusive_run,
    information,
    ways_in,
)
from tests.unit.module_utils.firewalld_driving import Host
from tests.unit.module_utils.firewalld_fake import (
    FakeDoor,
    FakeKeeping,
    Machine,
    ipset,
    policy,
    service,
    zone,
)

WRITING = {"write_permanent", "remove_permanent", "set_runtime", "move", "reload", "set_direct"}


@pytest.fixture
def host() -> Host:
    return Host()


def writes(host: Host) -> list[tuple[Any, ...]]:
    return [call for call in host.machine.log if call[0] in WRITING]


def both(host: Host, kind: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return host.machine.disk[kind][name], host.machine.memory[kind][name]


def public(**keys: Any) -> dict[str, Any]:
    return {"zones": [{"name": "public", **keys}]}


def add_zone(host: Host, name: str, **keys: Any) -> None:
    host.machine.disk["zone"][name] = zone(**keys)
    host.machine.memory["zone"][name] = zone(**keys)


class TestItems:
    def test_ports_are_opened_permanently_and_at_runtime_without_a_reload(self, host: Host) -> None:
        result = host.run(public(ports=["80/tcp", "81/tcp"]))
        for settings in both(host, "zone", "public"):
            assert settings["ports"] == [("80-81", "tcp")]
            assert settings["services"] == ["ssh"]
        assert result["changed"]
        assert result["reloads"] == 0
        assert host.machine.reloads == 0

    def test_one_of_the_two_configurations_is_enough_to_be_brought_along(self, host: Host) -> None:
        host.machine.disk["zone"]["public"]["ports"] = [("80", "tcp")]
        host.run(public(ports=["80/tcp"]))
        assert writes(host) == [("set_runtime", "zone", "public", ("ports",))]

    def test_exclusive_takes_what_is_not_listed_and_leaves_bindings(self, host: Host) -> None:
        for settings in both(host, "zone", "public"):
            settings.update(ports=[("80", "tcp")], interfaces=["e0"], masquerade=True)
        host.run(public(exclusive=True, ports=["443/tcp"]))
        for settings in both(host, "zone", "public"):
            assert settings["ports"] == [("443", "tcp")]
            assert settings["services"] == []
            assert settings["interfaces"] == ["e0"]
            assert settings["masquerade"]

    def test_what_stays_is_sent_as_it_is_shown(self, host: Host) -> None:
        host.machine.memory["zone"]["public"]["ports"] = [("80", "tcp"), ("81", "tcp")]
        host.run(public(exclusive=True, services=["ssh"], ports=["80-82/tcp"]))
        assert host.zone("public")["ports"][:2] == [("80", "tcp"), ("81", "tcp")]

    def test_only_what_differs_is_written(self, host: Host) -> None:
        host.run(public(ports=["80/tcp"], services=["ssh"], target="default", forward=True))
        assert writes(host) == [
            ("write_permanent", "zone", "public", ("ports",)),
            ("set_runtime", "zone", "public", ("ports",)),
        ]

    def test_a_set_grows_without_a_reload(self, host: Host) -> None:
        host.machine.disk["ipset"]["cluster"] = ipset("10.0.0.0/24", options={"family": "inet"})
        host.machine.memory["ipset"]["cluster"] = ipset("10.0.0.0/24", options={"family": "inet"})
        result = host.run({"ipsets": [{"name": "cluster", "exclusive": False,
                                       "entries": ["10.0.1.0/24", "10.9.0.1"]}]})  # fmt: skip
        for settings in both(host, "ipset", "cluster"):
            assert settings["entries"] == ["10.0.0.0/24", "10.0.1.0/24", "10.9.0.1"]
        assert result["reloads"] == 0

    def test_an_option_at_its_default_is_no_change(self, host: Host) -> None:
        host.machine.disk["ipset"]["cluster"] = ipset("10.0.0.0/24")
        host.machine.memory["ipset"]["cluster"] = ipset("10.0.0.0/24")
        wish = {"name": "cluster", "entries": ["10.0.0.0/24"], "options": {"maxelem": 65536}}
        assert not host.run({"ipsets": [wish]})["changed"]


class TestBindings:
    def test_rules_come_before_what_they_are_for(self, host: Host) -> None:
        add_zone(host, "lcm")
        host.run({"zones": [{"name": "lcm", "ports": ["22/tcp"], "interfaces": ["e0"]}]})
        assert [call for call in writes(host) if call[0] != "write_permanent"] == [
            ("set_runtime", "zone", "lcm", ("ports",)),
            ("set_runtime", "zone", "lcm", ("interfaces",)),
        ]

    def test_an_interface_of_another_zone_is_moved_after_the_new_ones_rules(
        self, host: Host
    ) -> None:
        add_zone(host, "lcm")
        for settings in both(host, "zone", "public"):
            settings["interfaces"] = ["e0", "e1"]
        wish = {"name": "lcm", "ports": ["22/tcp"], "interfaces": ["e0"]}
        result = host.run({"zones": [wish, {"name": "public", "exclusive": True}]})
        assert writes(host) == [
            ("write_permanent", "zone", "public", ("interfaces",)),
            ("write_permanent", "zone", "lcm", ("interfaces", "ports")),
            ("write_permanent", "zone", "public", ("services",)),
            ("set_runtime", "zone", "lcm", ("ports",)),
            ("move", "interface", "e0", "lcm"),
            ("set_runtime", "zone", "public", ("services",)),
        ]
        assert host.zone("public")["interfaces"] == ["e1"]
        assert {change["name"] for change in result["changes"]} == {"lcm", "public"}

    def test_two_zones_may_swap_their_interfaces(self, host: Host) -> None:
        add_zone(host, "a", interfaces=["e0"], sources=["10.0.0.5/32"])
        add_zone(host, "b", interfaces=["e1"])
        wishes = [
            {"name": "a", "interfaces": ["e1"]},
            {"name": "b", "interfaces": ["e0"], "sources": ["10.0.0.5"]},
        ]
        host.run({"zones": wishes})
        assert host.machine.refusals == []
        for name, interfaces in (("a", ["e1"]), ("b", ["e0"])):
            for settings in both(host, "zone", name):
                assert settings["interfaces"] == interfaces
        assert host.zone("a")["sources"] == []
        assert host.zone("b")["sources"] == ["10.0.0.5/32"]

    def test_a_zone_that_is_not_asked_for_is_read_only_when_it_loses_something(
        self, host: Host
    ) -> None:
        add_zone(host, "lcm", interfaces=["e0"])
        host.run({"zones": [{"name": "lcm", "interfaces": ["e0"], "ports": ["22/tcp"]}]})
        assert {call[2] for call in host.machine.log if call[1:2] == ("zone",)} == {"lcm"}


class TestReload:
    def test_a_new_zone_that_is_bound_needs_one(self, host: Host) -> None:
        result = host.run({"zones": [{"name": "lcm", "interfaces": ["e0"]}]})
        assert (result["reloads"], host.machine.reloads) == (1, 1)
        assert result["reload_reasons"] == ["The zone lcm is new."]
        assert host.zone("lcm")["interfaces"] == ["e0"]

    def test_a_new_zone_that_nothing_is_bound_to_needs_none(self, host: Host) -> None:
        result = host.run({"zones": [{"name": "lcm", "ports": ["22/tcp"]}]})
        assert (result["changed"], result["reloads"]) == (True, 0)
        assert not host.run({"zones": [{"name": "lcm", "ports": ["22/tcp"]}]})["changed"]

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            (public(target="DROP"), "The zone public changes its target."),
            (
                {"services": [{"name": "api", "ports": ["6443/tcp"]}],
                 **public(services=["api"])},
                "The service api is new.",
            ),
            (
                {"ipsets": [{"name": "s", "entries": ["10.0.0.0/8"]}],
                 **public(sources=["ipset:s"])},
                "The ipset s is new.",
            ),
            (
                {"policies": [{"name": "in", "ingress_zones": ["ANY"], "egress_zones": ["HOST"]}]},
                "The policy in is new.",
            ),
            (
                {"services": [{"name": "ssh", "ports": ["2222/tcp"]}]},
                "The service ssh changes its ports.",
            ),
        ],
    )  # fmt: skip
    def test_what_only_a_reload_can_bring_is_said(
        self, host: Host, params: dict[str, Any], reason: str
    ) -> None:
        result = host.run(params)
        assert result["reload_reasons"] == [reason]
        assert host.machine.reloads == 1

    def test_several_reasons_make_one_reload(self, host: Host) -> None:
        result = host.run({
            "zones": [{"name": "lcm", "interfaces": ["e0"], "services": ["api"]},
                      {"name": "drop", "target": "DROP"}],
            "services": [{"name": "api", "ports": ["6443/tcp"]}],
        })  # fmt: skip
        assert len(result["reload_reasons"]) == 3
        assert host.machine.reloads == 1

    def test_something_of_others_that_is_only_on_disk_needs_one_when_it_is_used(
        self, host: Host
    ) -> None:
        host.machine.disk["service"]["theirs"] = service(("9", "tcp"))
        result = host.run(public(services=["theirs"]))
        assert result["reloads"] == 1
        assert "only in the permanent configuration" in result["reload_reasons"][0]

    def test_what_was_in_the_runtime_alone_is_put_back_and_told(self, host: Host) -> None:
        machine = host.machine
        machine.memory["zone"]["external"]["ports"] = [("8080", "tcp")]
        machine.memory["zone"]["public"]["ports"] = [("9090", "tcp")]
        machine.memory["zone"]["external"]["interfaces"] = ["docker0"]
        machine.direct = Direct(passthroughs=(("ipv4", ("-A", "FORWARD")),))
        machine.iptables = ["-A KUBE-SERVICES"]
        result = host.run(public(target="DROP"))
        assert host.zone("external")["ports"] == [("8080", "tcp")]
        assert host.zone("external")["interfaces"] == ["docker0"]
        assert host.zone("public")["ports"] == [("9090", "tcp")]
        assert machine.direct.passthroughs
        assert machine.iptables
        assert result["restored"] == {
            "firewalld": [
                "zone external: interfaces: +docker0",
                "zone external: ports: +8080/tcp",
                "zone public: ports: +9090/tcp",
            ],
            "iptables": 1,
        }

    def test_what_others_changed_on_disk_alone_does_not_come_alive(self, host: Host) -> None:
        host.machine.disk["zone"]["external"]["ports"] = [("8080", "tcp")]
        host.run(public(target="DROP"))
        assert host.zone("external")["ports"] == []

    def test_what_cannot_be_put_back_is_told(self, host: Host) -> None:
        del host.machine.disk["zone"]["external"]
        result = host.run(public(target="DROP"))
        assert result["notes"] == [
            "The zone external was in firewalld's runtime alone and is gone since the reload."
        ]

    def test_never_fails_before_anything_is_written(self, host: Host) -> None:
        with pytest.raises(HostError, match="reload: never") as raised:
            host.run(public(target="DROP"), reload="never")
        assert raised.value.problems == ("The zone public changes its target.",)
        assert writes(host) == []

    def test_never_is_no_matter_where_none_is_needed(self, host: Host) -> None:
        assert host.run(public(ports=["80/tcp"]), reload="never")["changed"]

    def test_careful_refuses_on_the_iptables_backend_and_any_does_not(self, host: Host) -> None:
        host.machine.backend = "iptables"
        with pytest.raises(HostError, match="iptables backend"):
            host.run(public(target="DROP"))
        assert writes(host) == []
        assert host.run(public(target="DROP"), reload="any")["reloads"] == 1

    def test_a_disk_that_would_not_load_stops_before_anything_is_written(self, host: Host) -> None:
        host.machine.broken_disk = "zones/home.xml: not well-formed"
        with pytest.raises(HostError, match="not well-formed"):
            host.run(public(target="DROP"))
        assert writes(host) == []

    def test_a_disk_that_would_not_load_is_no_matter_where_none_is_needed(self, host: Host) -> None:
        host.machine.broken_disk = "zones/home.xml: not well-formed"
        assert host.run(public(ports=["80/tcp"]))["changed"]


class TestRemoval:
    def test_a_zone_goes_without_a_reload_and_leaves_nothing_in_force(self, host: Host) -> None:
        add_zone(host, "old", interfaces=["e0"], ports=[("80", "tcp")])
        wish = {"zones": [{"name": "old", "state": "absent"}]}
        result = host.run(wish)
        assert (result["changed"], result["reloads"]) == (True, 0)
        assert result["changes"][0]["state"] == "removed"
        assert "old" not in host.machine.disk["zone"]
        assert (host.zone("old")["interfaces"], host.zone("old")["ports"]) == ([], [])
        assert writes(host)[1:] == [
            ("set_runtime", "zone", "old", ("interfaces",)),
            ("set_runtime", "zone", "old", ("ports",)),
        ]
        assert not host.run(wish)["changed"]

    def test_a_zone_that_comes_again_has_none_of_its_old_rules(self, host: Host) -> None:
        add_zone(host, "old", ports=[("80", "tcp")])
        del host.machine.disk["zone"]["old"]
        host.run({"zones": [{"name": "old", "interfaces": ["e0"], "services": ["ssh"]}]})
        assert host.zone("old")["ports"] == []
        assert host.zone("old")["services"] == ["ssh"]

    def test_an_interface_may_go_to_another_zone_in_the_same_call(self, host: Host) -> None:
        add_zone(host, "old", interfaces=["e0"])
        host.run({"zones": [{"name": "old", "state": "absent"},
                            {"name": "public", "interfaces": ["e0"]}]})  # fmt: skip
        for settings in both(host, "zone", "public"):
            assert settings["interfaces"] == ["e0"]

    @pytest.mark.parametrize(
        ("kind", "use"),
        [
            ("service", {"services": ["thing"]}),
            ("service", {"rich_rules": ['rule service name="thing" accept']}),
            ("ipset", {"sources": ["ipset:thing"]}),
            ("ipset", {"rich_rules": ['rule source ipset="thing" accept']}),
        ],
    )
    def test_what_others_still_use_stays(self, host: Host, kind: str, use: dict[str, Any]) -> None:
        host.machine.disk[kind]["thing"] = service() if kind == "service" else ipset()
        host.machine.disk["zone"]["external"].update(use)
        with pytest.raises(HostError) as raised:
            host.run({f"{kind}s": [{"name": "thing", "state": "absent"}]})
        (problem,) = raised.value.problems
        assert problem == f"{kind}s[0].state: 'absent': the zone external still uses it"
        assert writes(host) == []

    def test_the_default_zone_stays(self, host: Host) -> None:
        add_zone(host, "lcm")
        host.machine.default_zone = "lcm"
        with pytest.raises(HostError) as raised:
            host.run({"zones": [{"name": "lcm", "state": "absent"}]})
        assert raised.value.problems == ("zones[0].state: 'absent': lcm is the default zone",)

    def test_a_policy_goes_without_a_reload(self, host: Host) -> None:
        for state in (host.machine.disk, host.machine.memory):
            state["policy"]["in"] = policy(ingress_zones=["ANY"], egress_zones=["HOST"])
        result = host.run({"policies": [{"name": "in", "state": "absent"}]})
        assert result["reloads"] == 0
        assert host.machine.memory["policy"]["in"]["ingress_zones"] == []


class TestCalls:
    @staticmethod
    def wish(count: int) -> dict[str, Any]:
        entries = [f"10.{at // 256}.{at % 256}.2" for at in range(count)]
        ports = random.Random(1).sample([f"{2 * port}/tcp" for port in range(1, 20_000)], count)
        return {
            "zones": [
                {
                    "name": "public",
                    "exclusive": True,
                    "ports": ports,
                    "source_ports": ports,
                    "rich_rules": [f"rule port port={port[:-4]} accept" for port in ports],
                    "services": ["ssh"],
                }
            ],
            "ipsets": [{"name": "s", "entries": entries}],
        }

    def test_their_number_does_not_depend_on_how_many_items_there_are(self) -> None:
        first, second, checked = set(), set(), set()
        for count in (1, 100, 1000):
            host = Host()
            checked.add(host.run(self.wish(count), check=True)["dbus_calls"])
            first.add(host.run(self.wish(count))["dbus_calls"])
            second.add(host.run(self.wish(count))["dbus_calls"])
        assert [len(counts) for counts in (first, second, checked)] == [1, 1, 1]
        assert second == checked
        assert max(first) <= 12


class TestTrouble:
    def test_what_was_done_before_is_told(self, host: Host) -> None:
        calls = host.run(public(ports=["80/tcp"]), check=True)["dbus_calls"]
        with pytest.raises(FirewalldError, match="run again to continue") as raised:
            host.run(public(ports=["80/tcp"]), door=FakeDoor(host.machine, dies_at=calls + 2))
        assert raised.value.problems == ("done before: permanent: zone public: ports",)

    def test_a_failure_before_the_first_write_is_told_as_it_is(self, host: Host) -> None:
        with pytest.raises(FirewalldError) as raised:
            host.run(public(ports=["80/tcp"]), door=FakeDoor(host.machine, dies_at=1))
        assert raised.value.problems == ()

    def test_a_rerun_after_a_lost_reload_keeps_what_was_added_since(self, host: Host) -> None:
        machine = host.machine
        machine.memory["zone"]["external"]["ports"] = [("8080", "tcp")]
        other = Host(machine.copy())
        other.run(public(target="DROP"))
        reload_call = 1 + other.machine.log.index(("reload",))
        door = FakeDoor(machine, dies_at=reload_call, after=True)
        with pytest.raises(FirewalldError):
            host.run(public(target="DROP"), door=door)
        assert host.zone("external")["ports"] == []
        host.zone("external")["ports"] = [("9090", "tcp")]
        result = host.run(public(target="DROP"))
        assert sorted(host.zone("external")["ports"]) == [("8080", "tcp"), ("9090", "tcp")]
        assert result["restored"]["firewalld"] == ["zone external: ports: +8080/tcp"]
        assert result["changed"]

    def test_the_note_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        note = Note(tmp_path / "run/note.json")
        written = Snapshot(
            {
                "zone": {
                    "public": zone(ports=[("80", "tcp")], forward_ports=[("1", "tcp", "2", "")])
                }
            },
            Direct(rules=(("ipv4", "filter", "INPUT", 0, ("-j", "ACCEPT")),)),
            {"families": {}},
        )
        assert note.read() is None
        note.write(written)
        assert note.read() == written
        note.remove()
        assert note.read() is None

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": "another"}'])
    def test_a_note_that_says_nothing_is_passed_over(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "note").write_text(text)
        assert Note(tmp_path / "note").read() is None


class TestGuard:
    @staticmethod
    def run(host: Host, problems: list[str], **params: Any) -> dict[str, Any]:
        means = Means(FakeKeeping(host.machine), host.note, Path("/nowhere"))
        return bring_about(
            FakeDoor(host.machine), params, False, means, lambda _door, _work, _ways: problems
        )

    def test_a_change_that_cuts_off_a_way_in_is_refused_before_anything_is_written(
        self, host: Host
    ) -> None:
        with pytest.raises(HostError) as raised:
            self.run(host, ["SSH is cut."], **public(services=[], exclusive=True))
        assert raised.value.problems == ("SSH is cut.",)
        assert writes(host) == []

    def test_nothing_is_held_where_nothing_changes_or_the_user_says_so(self, host: Host) -> None:
        assert not self.run(host, ["SSH is cut."], **public(services=["ssh"]))["changed"]
        assert self.run(host, ["SSH is cut."], guard=False, **public(ports=["1/tcp"]))["changed"]

    def test_the_work_tells_what_will_be(self, host: Host) -> None:
        seen: list[Any] = []
        means = Means(FakeKeeping(host.machine), host.note, Path("/nowhere"))
        bring_about(
            FakeDoor(host.machine),
            {**public(services=[], exclusive=True), "way_in": [
                {"interface": "e0", "source": "10.0.0.0/8", "port": 22}]},
            True, means, lambda _door, work, ways: seen.append((work, ways)) or [],
        )  # fmt: skip
        ((work, ways),) = seen
        assert work.after_zones["public"]["services"] == []
        assert str(ways[0]) == "10.0.0.0/8 to 22/tcp on e0"

    def test_a_way_in_that_is_none_is_told(self) -> None:
        items = [{"interface": "e 0", "source": "10.0.0.1/8", "port": 0}]
        with pytest.raises(HostError) as raised:
            ways_in(items)
        assert [problem.split(": ")[0] for problem in raised.value.problems] == [
            "way_in[0].interface",
            "way_in[0].source",
            "way_in[0].port",
        ]


class TestTelling:
    def test_the_diff_shows_what_changes_and_nothing_else(self, host: Host) -> None:
        wishes = [
            {"name": "public", "ports": ["80/tcp", "81/tcp"]},
            {"name": "trusted", "target": "ACCEPT"},
        ]
        result = host.run({"zones": wishes}, check=True)
        assert "    ports:\n    - 80-81/tcp\n" in result["diff"]["after"]
        assert "ports" not in result["diff"]["before"]
        assert "trusted" not in result["diff"]["after"]
        assert result["changes"] == [
            {
                "kind": "zone",
                "name": "public",
                "state": "changed",
                "permanent": {"ports": {"added": ["80-81/tcp"], "removed": []}},
                "runtime": {"ports": {"added": ["80-81/tcp"], "removed": []}},
            }
        ]

    def test_offline_only_the_disk_is_told_of(self) -> None:
        machine = Machine()
        result = Host(machine).run(public(target="DROP"), door=FakeDoor(machine, live=False))
        assert (result["offline"], result["reloads"], result["changed"]) == (True, 0, True)
        assert "runtime" not in result["changes"][0]

    def test_information_names_where_the_two_configurations_differ(self, host: Host) -> None:
        host.machine.memory["zone"]["public"]["ports"] = [("8080", "tcp")]
        host.machine.disk["ipset"]["new"] = ipset("10.0.0.0/8")
        found = information(
            FakeDoor(host.machine), {"zones": None, "ipsets": None, "services": ["ssh", "none"]}
        )
        assert found["differences"] == [
            {
                "kind": "zone",
                "name": "public",
                "only_in": "",
                "keys": {"ports": {"only_runtime": ["8080/tcp"], "only_permanent": []}},
            },
            {"kind": "ipset", "name": "new", "only_in": "permanent", "keys": {}},
        ]
        assert set(found["permanent"]) == {"zones", "ipsets", "services"}
        assert set(found["permanent"]["services"]) == {"ssh"}
        assert (found["default_zone"], found["running"]) == ("public", True)

    def test_two_runs_at_once_wait_for_each_other_and_check_mode_writes_no_file(
        self, tmp_path: Path
    ) -> None:
        with exclusive_run(True, tmp_path / "lock"):
            assert list(tmp_path.iterdir()) == []
        with exclusive_run(False, tmp_path / "lock"):
            assert (tmp_path / "lock").exists()
