# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors to firewalld, against a real one: what is written is read back, trouble is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_door import (
    KINDS,
    SHAPES,
    Direct,
    FirewalldError,
    Gone,
    NoAnswer,
    NotRunning,
    Refused,
)
from ansible_collections.underlay.cluster.plugins.module_utils.iptables_keeping import (
    Tables,
    parse,
)
from tests.integration.private_firewalld import PrivateFirewalld, why_not
from tests.integration.remote_door import RemoteDoor

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

Settings = dict[str, Any]

# one of each kind, with every key that has no default of its own
WRITTEN: dict[str, Settings] = {
    "ipset": {
        "short": "Peers",
        "description": "All of them",
        "type": "hash:net",
        "options": {"family": "inet6"},
        "entries": ["fd00::/8", "2001:db8::1"],
    },
    "service": {
        "short": "Own",
        "description": "A service",
        "ports": [("80", "tcp"), ("1000-1010", "udp")],
        "source_ports": [("68", "udp")],
        "protocols": ["vrrp"],
        "destination": {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"},
        "modules": [],
        "includes": ["ssh"],
        "helpers": ["ftp"],
    },
    "zone": {
        "short": "Own",
        "description": "A zone",
        "target": "DROP",
        "interfaces": ["eth7"],
        "sources": ["10.0.0.0/8", "fd00::/8"],
        "services": ["ssh", "http"],
        "ports": [("80", "tcp"), ("30000-32767", "udp")],
        "source_ports": [("68", "udp")],
        "protocols": ["vrrp"],
        "icmp_blocks": ["redirect"],
        "icmp_block_inversion": True,
        "forward": False,
        "masquerade": True,
        "forward_ports": [("81", "tcp", "8081", "10.0.0.1"), ("82", "tcp", "8082", "")],
        "rich_rules": ['rule family="ipv4" source address="10.1.0.0/16" service name="ntp" accept'],
    },
    "policy": {
        "short": "Own",
        "description": "A policy",
        "target": "REJECT",
        "priority": -7,
        "ingress_zones": ["public"],
        "egress_zones": ["HOST"],
        "services": ["ssh"],
        "ports": [("80", "tcp")],
        "source_ports": [("68", "udp")],
        "protocols": ["vrrp"],
        "icmp_blocks": ["redirect"],
        "masquerade": False,
        "forward_ports": [("81", "tcp", "8081", "")],
        "rich_rules": ['rule service name="ntp" drop'],
    },
}
# what an object cannot be without
LEAST: dict[str, Settings] = {
    "ipset": {"type": "hash:net"},
    "service": {},
    "zone": {},
    "policy": {"ingress_zones": ["public"], "egress_zones": ["HOST"]},
}
# a policy cannot be called like a zone
OWN = {"ipset": "own", "service": "own", "zone": "own", "policy": "own-policy"}
BUILT_IN = {"service": "ssh", "zone": "public", "policy": "allow-host-ipv6"}


@pytest.fixture
def firewalld() -> Iterator[PrivateFirewalld]:
    with PrivateFirewalld() as running:
        yield running


@pytest.fixture(scope="module", params=["live", "offline"])
def door(request: pytest.FixtureRequest) -> Iterator[RemoteDoor]:
    """Both doors, for tests that leave nothing behind."""
    with PrivateFirewalld(started=request.param == "live") as private:
        yield RemoteDoor(private, offline=True)


@pytest.fixture(scope="module")
def live() -> Iterator[RemoteDoor]:
    """The door to a running daemon, for tests that leave nothing behind."""
    with PrivateFirewalld() as running:
        yield RemoteDoor(running)


@pytest.fixture(scope="module")
def shared() -> Iterator[PrivateFirewalld]:
    """A daemon beside the iptables commands, for tests that leave nothing behind."""
    with PrivateFirewalld(iptables=True) as running:
        yield running


@pytest.fixture
def made(door: RemoteDoor) -> Iterator[None]:
    """Take away what a test has made: all objects called OWN."""
    yield
    forget(door)


@pytest.fixture
def live_made(live: RemoteDoor) -> Iterator[None]:
    """Take away what a test has made, at runtime too."""
    yield
    forget(live)
    live.reload()


def forget(door: RemoteDoor) -> None:
    for kind in reversed(KINDS):
        door.remove_permanent(kind, OWN[kind])
        door.remove_permanent(kind, BUILT_IN.get(kind, OWN[kind]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("made")
class TestPermanent:
    def test_what_is_written_is_read_back(self, door: RemoteDoor, kind: str) -> None:
        door.write_permanent(kind, OWN[kind], WRITTEN[kind])
        assert door.permanent(kind, OWN[kind]) == WRITTEN[kind]
        door.check_permanent()

    def test_settings_have_every_key_of_their_kind(self, door: RemoteDoor, kind: str) -> None:
        door.write_permanent(kind, OWN[kind], LEAST[kind])
        made = {"forward": True} if kind == "zone" else {}
        assert door.permanent(kind, OWN[kind]) == {**SHAPES[kind], **LEAST[kind], **made}

    def test_keys_that_are_not_given_stay(self, door: RemoteDoor, kind: str) -> None:
        door.write_permanent(kind, OWN[kind], WRITTEN[kind])
        door.write_permanent(kind, OWN[kind], {"description": "Another"})
        assert door.permanent(kind, OWN[kind]) == {**WRITTEN[kind], "description": "Another"}

    def test_an_empty_list_empties(self, door: RemoteDoor, kind: str) -> None:
        key = {"ipset": "entries", "service": "includes"}.get(kind, "rich_rules")
        door.write_permanent(kind, OWN[kind], WRITTEN[kind])
        door.write_permanent(kind, OWN[kind], {key: []})
        assert door.permanent(kind, OWN[kind]) == {**WRITTEN[kind], key: []}

    def test_what_is_not_there_is_none(self, door: RemoteDoor, kind: str) -> None:
        assert door.permanent(kind, "nonesuch") is None

    def test_what_is_removed_is_gone(self, door: RemoteDoor, kind: str) -> None:
        door.write_permanent(kind, OWN[kind], WRITTEN[kind])
        assert OWN[kind] in door.names(kind, True)
        door.remove_permanent(kind, OWN[kind])
        assert door.permanent(kind, OWN[kind]) is None
        assert OWN[kind] not in door.names(kind, True)

    def test_removing_what_is_not_there_is_fine(self, door: RemoteDoor, kind: str) -> None:
        door.remove_permanent(kind, "nonesuch")

    def test_what_is_built_in_is_removed_to_what_it_was(self, door: RemoteDoor, kind: str) -> None:
        if kind not in BUILT_IN:
            pytest.skip("firewalld has no built-in ipset")
        before = door.permanent(kind, BUILT_IN[kind])
        door.remove_permanent(kind, BUILT_IN[kind])
        assert door.permanent(kind, BUILT_IN[kind]) == before
        door.write_permanent(kind, BUILT_IN[kind], {"description": "Another"})
        assert door.permanent(kind, BUILT_IN[kind]) != before
        door.remove_permanent(kind, BUILT_IN[kind])
        assert door.permanent(kind, BUILT_IN[kind]) == before

    def test_a_name_that_firewalld_refuses_is_told(self, door: RemoteDoor, kind: str) -> None:
        with pytest.raises(Refused, match=f"to write the {kind} a b: INVALID_NAME") as refused:
            door.write_permanent(kind, "a b", LEAST[kind])
        assert refused.value.code == "INVALID_NAME"


REFUSED = [
    ("zone", {"services": ["nonesuch"]}, "INVALID_SERVICE", "nonesuch"),
    ("zone", {"ports": [("0-70000", "tcp")]}, "INVALID_PORT", "70000"),
    ("zone", {"icmp_blocks": ["nonesuch"]}, "INVALID_ICMPTYPE", "nonesuch"),
    ("zone", {"rich_rules": ["rule nonesuch"]}, "INVALID_RULE", "nonesuch"),
    ("zone", {"target": "PERHAPS"}, "INVALID_TARGET", "PERHAPS"),
    ("ipset", {"type": "hash:nonesuch"}, "INVALID_TYPE", "nonesuch"),
    ("ipset", {"type": "hash:net", "entries": ["10.0.0.300"]}, "INVALID_ENTRY", "10.0.0.300"),
    ("policy", {"ingress_zones": ["nonesuch"]}, "INVALID_ZONE", "nonesuch"),
    ("service", {"protocols": ["nonesuch"]}, "INVALID_PROTOCOL", "nonesuch"),
]


class TestBothDoors:
    def test_say_the_same_of_the_whole(self, door: RemoteDoor) -> None:
        assert door.default_zone() == "public"
        assert door.backend() == "nftables"
        assert [int(part) for part in door.version().split(".")[:2]] >= [0, 9]
        assert {"redirect", "echo-request"} <= set(door.icmp_types())
        assert door.direct() == Direct()

    @pytest.mark.parametrize(("kind", "settings", "code", "word"), REFUSED)
    @pytest.mark.usefixtures("made")
    def test_refuse_what_firewalld_refuses(
        self, door: RemoteDoor, kind: str, settings: Settings, code: str, word: str
    ) -> None:
        with pytest.raises(Refused, match=word) as refused:
            door.write_permanent(kind, OWN[kind], settings)
        assert refused.value.code == code
        assert door.permanent(kind, OWN[kind]) is None

    @pytest.mark.usefixtures("made")
    def test_find_who_has_an_interface_or_a_source(self, door: RemoteDoor) -> None:
        door.write_permanent("zone", "own", {"interfaces": ["eth7"], "sources": ["10.0.0.0/8"]})
        assert door.permanent_zone_of("interface", "eth7") == "own"
        assert door.permanent_zone_of("source", "10.0.0.0/8") == "own"
        assert door.permanent_zone_of("interface", "eth8") is None

    @pytest.mark.parametrize(("key", "bound"), [("interfaces", "eth7"), ("sources", "10.0.0.0/8")])
    @pytest.mark.usefixtures("made")
    def test_bind_to_one_zone_alone(self, door: RemoteDoor, key: str, bound: str) -> None:
        door.write_permanent("zone", "own", {key: [bound]})
        with pytest.raises(Refused, match=bound) as refused:
            door.write_permanent("zone", "public", {key: [bound]})
        assert refused.value.code == "ZONE_CONFLICT"

    @pytest.mark.usefixtures("made")
    def test_take_a_removed_service_out_of_zones_and_policies(self, door: RemoteDoor) -> None:
        door.write_permanent("service", "own", {"ports": [("80", "tcp")]})
        door.write_permanent("zone", "own", {"services": ["ssh", "own"]})
        door.write_permanent("policy", OWN["policy"], {**LEAST["policy"], "services": ["own"]})
        door.remove_permanent("service", "own")
        assert door.permanent("zone", "own")["services"] == ["ssh"]
        assert door.permanent("policy", OWN["policy"])["services"] == []

    @pytest.mark.usefixtures("made")
    def test_leave_a_built_in_service_in_its_zones(self, door: RemoteDoor) -> None:
        before = door.permanent("zone", "public")
        door.write_permanent("service", "ssh", {"ports": [("2222", "tcp")]})
        door.remove_permanent("service", "ssh")
        assert door.permanent("service", "ssh")["ports"] == [("22", "tcp")]
        assert door.permanent("zone", "public") == before

    def test_write_rich_rules_as_firewalld_does(self, door: RemoteDoor) -> None:
        text = (
            "rule priority=-5 family=ipv4  source address=10.0.0.0/8"
            " port port=80 protocol=tcp log accept"
        )
        assert door.normal_rich_rule(text) == (
            'rule priority="-5" family="ipv4" source address="10.0.0.0/8"'
            ' port port="80" protocol="tcp" log accept'
        )

    @pytest.mark.parametrize(
        "text", ["", "rule", "rule nonesuch", 'rule family="ipv5" accept', "accept", 'rule port="'],
    )  # fmt: skip
    def test_refuse_what_is_no_rich_rule(self, door: RemoteDoor, text: str) -> None:
        with pytest.raises(Refused) as refused:
            door.normal_rich_rule(text)
        assert refused.value.code.startswith(("INVALID", "MISSING"))


@pytest.mark.usefixtures("live_made")
class TestRuntime:
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_permanent_is_there_after_a_reload(self, live: RemoteDoor, kind: str) -> None:
        live.write_permanent(kind, OWN[kind], WRITTEN[kind])
        assert live.runtime(kind, OWN[kind]) is None
        live.reload()
        assert live.runtime(kind, OWN[kind]) == WRITTEN[kind]
        assert OWN[kind] in live.names(kind, False)

    @pytest.mark.parametrize("name", ["nonesuch", ""])
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_not_there_is_none(self, live: RemoteDoor, kind: str, name: str) -> None:
        assert live.runtime(kind, name) is None

    @pytest.mark.parametrize(
        ("kind", "change"),
        [
            ("zone", {"ports": [("90", "udp")], "masquerade": False, "sources": []}),
            ("zone", {"rich_rules": ['rule service name="ssh" drop'], "interfaces": []}),
            ("policy", {"ports": [], "services": ["http"], "ingress_zones": ["dmz"]}),
            ("policy", {"rich_rules": []}),
            ("ipset", {"entries": ["2001:db8::/32"]}),
            ("ipset", {"entries": []}),
        ],
    )
    def test_a_change_is_at_runtime_alone(
        self, live: RemoteDoor, kind: str, change: Settings
    ) -> None:
        live.write_permanent(kind, OWN[kind], WRITTEN[kind])
        live.reload()
        live.set_runtime(kind, OWN[kind], change)
        assert live.runtime(kind, OWN[kind]) == {**WRITTEN[kind], **change}
        assert live.permanent(kind, OWN[kind]) == WRITTEN[kind]

    @pytest.mark.parametrize(
        ("what", "key", "name"),
        [("interface", "interfaces", "eth7"), ("source", "sources", "10.0.0.0/8")],
    )
    def test_an_interface_or_source_is_moved_from_wherever_it_is(
        self, live: RemoteDoor, what: str, key: str, name: str
    ) -> None:
        for zone in ("dmz", "public", "public"):
            live.move(what, name, zone)
            bound = {zone: {"interfaces": [], "sources": [], key: [name]}}
            assert live.bindings() == bound
        assert live.permanent_zone_of(what, name) is None

    def test_a_target_is_not_for_the_runtime(self, live: RemoteDoor) -> None:
        with pytest.raises(Refused, match="the zone public at runtime"):
            live.set_runtime("zone", "public", {"target": "DROP"})

    def test_overlapping_entries_are_refused_whole(self, live: RemoteDoor) -> None:
        live.write_permanent("ipset", "own", WRITTEN["ipset"])
        live.reload()
        with pytest.raises(Refused, match="overlap"):
            live.set_runtime("ipset", "own", {"entries": ["fd00::/8", "fd00::/16"]})
        assert live.runtime("ipset", "own") == WRITTEN["ipset"]


@pytest.mark.usefixtures("live_made")
def test_the_number_of_calls_is_the_same_for_any_number_of_ports(live: RemoteDoor) -> None:
    made = []
    for number in (1, 100, 1000):
        before = live.ask("calls")
        ports = [(str(port), "tcp") for port in range(1, 2 * number, 2)]
        live.write_permanent("zone", "own", {"ports": ports})
        live.set_runtime("zone", "public", {"ports": ports})
        assert live.permanent("zone", "own")["ports"] == ports
        # at runtime their order is firewalld's own
        assert set(live.runtime("zone", "public")["ports"]) == set(ports)
        live.remove_permanent("zone", "own")
        made.append(live.ask("calls") - before)
    assert len(set(made)) == 1
    assert made[0] <= 8


class TestTrouble:
    def test_a_stopped_daemon_is_told_with_what_to_do(self) -> None:
        with PrivateFirewalld(started=False) as private:
            with pytest.raises(NotRunning, match=r"systemctl start firewalld.*offline: true"):
                RemoteDoor(private)
            assert RemoteDoor(private, offline=True).kind == "OfflineDoor"
            assert not private.answers()

    def test_a_daemon_that_runs_is_asked_also_where_offline_is_allowed(
        self, firewalld: PrivateFirewalld
    ) -> None:
        assert RemoteDoor(firewalld, offline=True).kind == "BusDoor"

    def test_no_bus_is_no_daemon(self, firewalld: PrivateFirewalld) -> None:
        (firewalld.scratch / "bus").rename(firewalld.scratch / "elsewhere")
        with pytest.raises(NotRunning, match="D-Bus of this host cannot be reached"):
            RemoteDoor(firewalld)

    def test_a_daemon_that_hangs_is_told_within_the_timeout(
        self, firewalld: PrivateFirewalld
    ) -> None:
        door = RemoteDoor(firewalld, timeout=0.5)
        firewalld.hang()
        with pytest.raises(NoAnswer, match=r"'getZoneSettings2' within 0\.5 s"):
            door.runtime("zone", "public")
        firewalld.go_on()
        # its answers to the earlier questions are nobody's
        patient = RemoteDoor(firewalld)
        assert patient.runtime("zone", "public")["services"] == ["ssh", "dhcpv6-client"]

    def test_a_daemon_that_hangs_before_the_door_is_open_is_told(
        self, firewalld: PrivateFirewalld
    ) -> None:
        firewalld.hang()
        with pytest.raises(NoAnswer):
            RemoteDoor(firewalld, timeout=0.5)

    def test_a_daemon_killed_during_a_call_is_gone(self, firewalld: PrivateFirewalld) -> None:
        door = RemoteDoor(firewalld)
        firewalld.hang()
        door.begin("reload")
        firewalld.kill()
        with pytest.raises(Gone, match="run again"):
            door.end()

    def test_a_daemon_restarted_between_two_calls_is_gone(
        self, firewalld: PrivateFirewalld
    ) -> None:
        door = RemoteDoor(firewalld)
        firewalld.restart()
        with pytest.raises(Gone, match="restarted"):
            door.write_permanent("zone", "own", {})
        assert RemoteDoor(firewalld).permanent("zone", "own") is None

    def test_panic_mode_is_refused_in_words(self, firewalld: PrivateFirewalld) -> None:
        door = RemoteDoor(firewalld)
        firewalld.cmd("--panic-on")
        with pytest.raises(Refused) as refused:
            door.set_runtime("zone", "public", {"ports": [("80", "tcp")]})
        assert refused.value.code == "PANIC_MODE"

    def test_lockdown_is_refused_in_words(self, firewalld: PrivateFirewalld) -> None:
        door = RemoteDoor(firewalld)
        firewalld.cmd("--lockdown-on")
        with pytest.raises(Refused) as refused:
            door.write_permanent("zone", "own", {})
        assert refused.value.code == "ACCESS_DENIED"


BROKEN = {
    "zones/bad.xml": ("<zone><short>Bad</zone>", "zones/bad.xml"),
    "services/bad.xml": ('<service><port port="0-x"/></service>', "services/bad.xml"),
    "ipsets/bad.xml": ("nonsense", "ipsets/bad.xml"),
    "zones/lost.xml": (
        '<zone><service name="nonesuch"/></zone>',
        "zones/lost.xml.*nonesuch",
    ),
    "policies/bad.xml": ('<policy target="PERHAPS"/>', "policies/bad.xml.*PERHAPS"),
}


@pytest.mark.parametrize("name", BROKEN)
class TestABrokenConfiguration:
    def write(self, private: PrivateFirewalld, name: str) -> str:
        text, words = BROKEN[name]
        path = private.etc / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return words

    def test_is_told_with_its_file_before_anything_is_loaded(
        self, firewalld: PrivateFirewalld, name: str
    ) -> None:
        door = RemoteDoor(firewalld)
        door.set_runtime("zone", "public", {"ports": [("80", "tcp")]})
        words = self.write(firewalld, name)
        with pytest.raises(Refused, match=words):
            door.check_permanent()
        with pytest.raises(Refused, match=words):
            door.reload()
        assert door.runtime("zone", "public")["ports"] == [("80", "tcp")]

    def test_is_told_of_a_daemon_that_started_on_it(self, name: str) -> None:
        with PrivateFirewalld(started=False) as private:
            words = self.write(private, name)
            private.start()
            with pytest.raises(Refused, match=words):
                RemoteDoor(private)

    def test_is_told_offline(self, name: str) -> None:
        with PrivateFirewalld(started=False) as private:
            words = self.write(private, name)
            with pytest.raises(FirewalldError, match=words):
                RemoteDoor(private, offline=True).check_permanent()


def test_a_daemon_on_its_stock_configuration_is_to_be_reloaded_first() -> None:
    with PrivateFirewalld(started=False) as private:
        (private.etc / "zones").mkdir()
        (private.etc / "zones" / "bad.xml").write_text("nonsense", encoding="utf-8")
        private.start()
        (private.etc / "zones" / "bad.xml").unlink()
        with pytest.raises(Refused, match="firewall-cmd --reload"):
            RemoteDoor(private)
        private.cmd("--reload")
        assert RemoteDoor(private).kind == "BusDoor"


def test_the_offline_door_reads_what_firewalld_conf_says() -> None:
    with PrivateFirewalld(started=False, backend="iptables") as private:
        conf = private.etc / "firewalld.conf"
        conf.write_text("DefaultZone=dmz\nFirewallBackend=iptables\n", encoding="utf-8")
        door = RemoteDoor(private, offline=True)
        assert (door.default_zone(), door.backend()) == ("dmz", "iptables")
        conf.unlink()
        door = RemoteDoor(private, offline=True)
        assert (door.default_zone(), door.backend()) == ("public", "nftables")


def test_what_is_written_offline_is_there_when_firewalld_starts() -> None:
    with PrivateFirewalld(started=False) as private:
        door = RemoteDoor(private, offline=True)
        for kind in KINDS:
            door.write_permanent(kind, OWN[kind], WRITTEN[kind])
        private.start()
        running = RemoteDoor(private)
        assert {kind: running.runtime(kind, OWN[kind]) for kind in KINDS} == WRITTEN


class TestARuntimeOfOthers:
    """With the iptables commands installed, where firewalld flushes all of iptables."""

    def test_a_foreign_nftables_table_survives_a_reload(self, shared: PrivateFirewalld) -> None:
        rules = "table ip cni { chain hostport { tcp dport 8080 counter accept; }; }"
        shared.nft("-f", "-", stdin=rules)
        before = shared.nft("list", "table", "ip", "cni")
        RemoteDoor(shared).reload()
        assert shared.nft("list", "table", "ip", "cni") == before

    def test_direct_rules_of_the_runtime_are_put_back(self, shared: PrivateFirewalld) -> None:
        door = RemoteDoor(shared)
        wanted = Direct(
            (("ipv4", "filter", "own"),),
            (
                ("ipv4", "filter", "INPUT", 1, ("-p", "tcp", "--dport", "7", "-j", "own")),
                ("ipv4", "filter", "own", 0, ("-j", "RETURN")),
            ),
            (("ipv4", ("-t", "filter", "-I", "OUTPUT", "-p", "tcp", "-j", "ACCEPT")),),
        )
        door.set_direct(wanted)
        door.set_direct(wanted)
        assert door.direct() == wanted
        door.reload()
        assert not door.direct()
        door.set_direct(wanted)
        assert door.direct() == wanted

    def test_foreign_iptables_rules_are_lost_in_a_reload_and_put_back(self) -> None:
        with PrivateFirewalld(iptables=True) as private:
            for family in ("iptables", "ip6tables"):
                private.run(f"{family}-restore", "--noflush", stdin=FOREIGN)
            before = _rules(private)
            door = RemoteDoor(private)
            door.save()
            assert door.put_back() == 0
            door.reload()
            assert "KUBE-SERVICES" not in private.run("iptables-save")
            assert door.put_back() == 2 * FOREIGN.count("-A ")
            assert _rules(private) == before
            assert door.put_back() == 0

    def test_what_its_owner_has_put_back_itself_is_left_alone(self) -> None:
        with PrivateFirewalld(iptables=True) as private:
            private.run("iptables-restore", "--noflush", stdin=FOREIGN)
            before = _rules(private)
            door = RemoteDoor(private)
            door.save()
            door.reload()
            private.run("iptables", "-N", "KUBE-SERVICES")
            private.run("iptables", "-A", "KUBE-SERVICES", "-p", "tcp", "-j", "ACCEPT")
            private.run("iptables", "-A", "FORWARD", "-j", "KUBE-SERVICES")
            assert door.put_back() == FOREIGN.count("-A ") - 2
            assert _rules(private) == before

    def test_rules_are_put_back_among_firewallds_own_on_its_iptables_backend(self) -> None:
        with PrivateFirewalld(iptables=True, backend="iptables") as private:
            private.run("iptables", "-I", "INPUT", "1", "-s", "10.0.0.1", "-j", "ACCEPT")
            private.run("iptables", "-A", "INPUT", "-s", "10.0.0.2", "-j", "ACCEPT")
            private.run("iptables", "-I", "FORWARD", "3", "-s", "10.0.0.3", "-j", "ACCEPT")
            door = RemoteDoor(private)
            door.set_runtime("zone", "public", {"ports": [("80", "tcp")]})
            before = _rules(private)
            door.save()
            door.reload()
            door.put_back()
            # what firewalld has in its own chains is as it is asked of it now
            opened = before["iptables"]["filter"].rules["IN_public_allow"]
            left = _rules(private)["iptables"]["filter"].rules["IN_public_allow"]
            assert left == [line for line in opened if "--dport 80 " not in line]
            now = _rules(private)
            for family in ("iptables", "ip6tables"):
                now[family]["filter"].rules.pop("IN_public_allow", None)
                before[family]["filter"].rules.pop("IN_public_allow", None)
            assert now == before


FOREIGN = """\
*filter
:KUBE-SERVICES - [0:0]
:CNI-EMPTY - [0:0]
:FORWARD DROP [0:0]
-A INPUT -p tcp -m tcp --dport 10250 -m comment --comment "a \\"quoted\\" word" -j ACCEPT
-A FORWARD -j KUBE-SERVICES
-A FORWARD -p udp -j ACCEPT
-A KUBE-SERVICES -p tcp -j ACCEPT
-A KUBE-SERVICES -p tcp -j ACCEPT
COMMIT
*nat
:CNI-HOSTPORT - [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT
-A CNI-HOSTPORT -p tcp -j REDIRECT --to-ports 80
COMMIT
"""


def _rules(private: PrivateFirewalld) -> dict[str, Tables]:
    """What iptables and ip6tables show, whatever the order of tables and chains."""
    return {family: parse(private.run(f"{family}-save")) for family in ("iptables", "ip6tables")}
