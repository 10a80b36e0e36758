# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `firewalld` against a real firewalld: what it predicts, does, leaves and survives."""

from __future__ import annotations

import ipaddress
import random
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.underlay.cluster.plugins.module_utils.ports import (
    merged,
    parse_port_protocol,
)
from tests.integration.private_firewalld import PrivateFirewalld, why_not
from tests.integration.traffic import Ask, answers, asker, listener
from tests.unit.module_utils.test_firewalld_properties import Chance

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

Result = dict[str, Any]
PREDICTED = ("changed", "changes", "diff", "reloads", "reload_reasons")
# a zone that is there, so that no reload is needed
PUBLIC = {"name": "public", "exclusive": True, "services": ["ssh"], "ports": ["80/tcp"]}
OWN = {
    "name": "own",
    "exclusive": True,
    "ports": ["80/tcp", "90-99/udp"],
    "sources": ["10.9.0.0/16"],
}


@pytest.fixture
def firewalld() -> Iterator[PrivateFirewalld]:
    with PrivateFirewalld() as running:
        yield running


@pytest.fixture(scope="module")
def lasting() -> Iterator[PrivateFirewalld]:
    """One daemon through which many states pass; no test here asks how it was before."""
    with PrivateFirewalld() as running:
        yield running


def done(result: Result) -> Result:
    assert "failed" not in result, result.get("msg", result)
    return result


def differences(firewalld: PrivateFirewalld, *zones: str) -> list[Any]:
    """Where permanent and runtime settings of zones differ."""
    info = done(firewalld.module("firewalld_info", zones=list(zones)))
    return [item for item in info["differences"] if item["kind"] == "zone"]


def covered(ports: list[Any]) -> dict[str, Any]:
    """The ports of each protocol, however they are written."""
    found: dict[str, list[Any]] = {}
    for item in ports:
        span, protocol = parse_port_protocol(item if isinstance(item, str) else "/".join(item))
        found.setdefault(protocol, []).append(span)
    return {protocol: merged(spans) for protocol, spans in found.items()}


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_check_mode_predicts_and_a_second_run_finds_nothing_to_do(
    lasting: PrivateFirewalld, seed: int
) -> None:
    params = Chance(seed).wish()
    predicted = lasting.module("firewalld", check=True, **params)
    real = lasting.module("firewalld", **params)
    if "failed" in real:
        # a random wish may be none that can be; then check mode says the same
        assert real["msg"] == predicted["msg"]
        assert "nothing was changed" in real["msg"]
        return
    for key in PREDICTED:
        assert real[key] == done(predicted)[key], key
    again = done(lasting.module("firewalld", **params))
    assert (again["changed"], again["changes"], again["reloads"]) == (False, [], 0)
    info = done(lasting.module("firewalld_info"))
    for zone in params["zones"]:
        assert_as_asked(zone, info)


def assert_as_asked(zone: dict[str, Any], info: Result) -> None:
    """Permanent and runtime settings of a zone are what the wish says of it."""
    if zone.get("state") == "absent":
        assert zone["name"] not in info["permanent"]["zones"]
        return
    sides = ["permanent", "runtime"]
    if zone["name"] not in info["runtime"]["zones"]:
        # a new zone that nothing is bound to comes to the runtime with the next reload
        unused = info["permanent"]["zones"][zone["name"]]
        assert not unused["interfaces"] + unused["sources"]
        sides = ["permanent"]
    for side in sides:
        found = info[side]["zones"][zone["name"]]
        for key in ("interfaces", "sources", "services"):
            # bindings are exclusive when they are given, other lists also when they are not
            exact = zone["exclusive"] and (key == "services" or key in zone)
            wanted = set(zone.get(key, ()))
            assert set(found[key]) == wanted if exact else set(found[key]) >= wanted, (side, key)
        if zone["exclusive"]:
            assert covered(found["ports"]) == covered(zone.get("ports", [])), side
        for key in ("masquerade", "target"):
            assert found[key] == zone.get(key, found[key])


def test_a_restart_of_firewalld_changes_nothing(firewalld: PrivateFirewalld) -> None:
    params = {
        "zones": [PUBLIC, {**OWN, "services": ["api"], "sources": ["ipset:peers"]}],
        "services": [{"name": "api", "ports": ["6443/tcp"]}],
        "ipsets": [{"name": "peers", "entries": ["10.0.0.0/24", "10.0.1.0/24"]}],
        "policies": [{"name": "own-policy", "ingress_zones": ["own"], "egress_zones": ["HOST"]}],
    }
    done(firewalld.module("firewalld", **params))
    before = firewalld.module("firewalld_info")
    firewalld.restart()
    after = firewalld.module("firewalld_info")
    assert after["runtime"] == before["runtime"]
    assert after["differences"] == before["differences"]
    assert not done(firewalld.module("firewalld", **params))["changed"]


def test_no_reload_where_an_object_is_live_already(firewalld: PrivateFirewalld) -> None:
    result = done(firewalld.module("firewalld", zones=[PUBLIC]))
    assert (result["changed"], result["reloads"], result["reload_reasons"]) == (True, 0, [])
    assert not differences(firewalld, "public")


class TestRealConnections:
    OPEN = ("80/tcp", "81/udp", "7000/tcp", "53/udp")
    CLOSED = ("79/tcp", "80/udp", "81/tcp", "6999/tcp", "9999/udp")

    def asked(self, firewalld: PrivateFirewalld, target: str) -> set[str]:
        """The ports that a peer finds open, over both families."""
        ports = (*self.OPEN, *self.CLOSED)
        ways = [
            Ask(source, address, int(port.partition("/")[0]), port.partition("/")[2])
            for source, address in (("10.0.0.2", "10.0.0.1"), ("fd00::2", "fd00::1"))
            for port in ports
        ]
        program = ["ip", "netns", "exec", "peer", "sh", "-c", asker(ways, 3)]
        found = answers(ways, firewalld.run(*program))
        opened = {source: set() for source in ("10.0.0.2", "fd00::2")}
        for way, is_open in found.items():
            if is_open:
                opened[way.source].add(f"{way.port}/{way.protocol}")
        assert opened["10.0.0.2"] == opened["fd00::2"]
        return opened["10.0.0.2"]

    @pytest.mark.parametrize("target", ["default", "DROP"])
    def test_come_in_where_asked_and_nowhere_else(
        self, firewalld: PrivateFirewalld, target: str
    ) -> None:
        firewalld.add_peer("peer", ["10.0.0.1/24", "fd00::1/64"], ["10.0.0.2/24", "fd00::2/64"])
        served = firewalld.popen("sh", "-c", listener([*self.OPEN, *self.CLOSED]))
        assert served.stdout is not None
        assert served.stdout.readline().strip() == "listening"
        zone = {
            "name": "own",
            "exclusive": True,
            "target": target,
            "interfaces": ["peer"],
            "ports": ["80/tcp", "81/udp", "7000-7001/tcp"],
            "services": ["dns"],
        }
        done(firewalld.module("firewalld", zones=[zone]))
        assert self.asked(firewalld, target) == set(self.OPEN)
        # one less, without a reload
        less = {**zone, "ports": ["81/udp", "7000-7001/tcp"]}
        assert done(firewalld.module("firewalld", zones=[less]))["reloads"] == 0
        assert self.asked(firewalld, target) == set(self.OPEN) - {"80/tcp"}
        firewalld.restart()
        assert self.asked(firewalld, target) == set(self.OPEN) - {"80/tcp"}


class TestOthers:
    def test_keep_their_rules_through_ten_runs(self, firewalld: PrivateFirewalld) -> None:
        rules = "table ip cni { chain hostport { tcp dport 8080 counter accept; }; }"
        firewalld.nft("-f", "-", stdin=rules)
        firewalld.cmd("--zone=dmz", "--add-port=4444/tcp")
        firewalld.cmd("--zone=dmz", "--add-source=10.7.0.0/16")
        before = firewalld.nft("list", "table", "ip", "cni")
        for number in range(10):
            zone = {"name": f"own{number}", "ports": [f"{8000 + number}/tcp"]}
            result = done(firewalld.module("firewalld", zones=[zone]))
            assert result["changed"]
        assert firewalld.nft("list", "table", "ip", "cni") == before
        dmz = firewalld.module("firewalld_info", zones=["dmz"])
        assert ["4444", "tcp"] in dmz["runtime"]["zones"]["dmz"]["ports"]
        assert dmz["runtime"]["zones"]["dmz"]["sources"] == ["10.7.0.0/16"]
        assert ["4444", "tcp"] not in dmz["permanent"]["zones"]["dmz"]["ports"]

    def test_keep_their_iptables_and_direct_rules_through_a_reload(self) -> None:
        direct = (
            "--direct",
            "--add-rule",
            "ipv4",
            "filter",
            "INPUT",
            "0",
            "-p",
            "gre",
            "-j",
            "DROP",
        )
        chain = ("--direct", "--add-chain", "ipv4", "filter", "own-direct")
        passed = (
            "--direct",
            "--add-passthrough",
            "ipv4",
            "-I",
            "OUTPUT",
            "-p",
            "gre",
            "-j",
            "DROP",
        )
        with PrivateFirewalld(iptables=True) as private:
            for words in (direct, chain, passed):
                private.cmd(*words)
            private.run("iptables", "-t", "nat", "-N", "CNI-HOSTPORT")
            private.run("iptables", "-t", "nat", "-A", "PREROUTING", "-j", "CNI-HOSTPORT")
            before = sorted(self.shown(private))
            result = done(private.module("firewalld", zones=[OWN]))
            assert (result["reloads"], result["restored"]["iptables"] > 0) == (1, True)
            assert sorted(self.shown(private)) == before
            assert private.cmd("--direct", "--get-all-rules") == " ".join(direct[2:])
            assert private.cmd("--direct", "--get-all-chains") == " ".join(chain[2:])
            assert private.cmd("--direct", "--get-all-passthroughs") == " ".join(passed[2:])

    @staticmethod
    def shown(private: PrivateFirewalld) -> list[str]:
        lines = private.run("iptables-save").splitlines()
        return [line.split(" [")[0] for line in lines if not line.startswith("#")]


class TestTrouble:
    def test_a_stopped_firewalld_is_told_and_nothing_is_written(self) -> None:
        with PrivateFirewalld(started=False) as private:
            result = private.module("firewalld", zones=[OWN])
            assert result["failed"]
            assert "systemctl start firewalld" in result["msg"]
            assert not (private.etc / "zones").exists()

    def test_a_stopped_firewalld_is_configured_offline_where_that_may_be(self) -> None:
        with PrivateFirewalld(started=False) as private:
            params = {"zones": [OWN, PUBLIC], "offline": True}
            predicted = done(private.module("firewalld", check=True, **params))
            assert not (private.etc / "zones").exists()
            real = done(private.module("firewalld", **params))
            assert {key: real[key] for key in PREDICTED} == {
                key: predicted[key] for key in PREDICTED
            }
            assert (real["changed"], real["offline"]) == (True, True)
            assert not done(private.module("firewalld", **params))["changed"]
            private.start()
            again = done(private.module("firewalld", **params))
            assert (again["changed"], again["offline"]) == (False, False)

    def test_a_firewalld_that_hangs_is_told_and_a_rerun_converges(
        self, firewalld: PrivateFirewalld
    ) -> None:
        firewalld.hang()
        started = time.monotonic()
        result = firewalld.module("firewalld", zones=[OWN], timeout=1)
        assert "did not answer" in result["msg"]
        assert time.monotonic() - started < 30
        firewalld.go_on()
        done(firewalld.module("firewalld", zones=[OWN]))
        assert not differences(firewalld, "own")

    @pytest.mark.parametrize("seed", range(4))
    def test_a_firewalld_killed_at_any_time_is_told_and_a_rerun_converges(
        self, firewalld: PrivateFirewalld, seed: int
    ) -> None:
        params = {
            "zones": [{**OWN, "sources": ["ipset:peers"]}, PUBLIC],
            "ipsets": [{"name": "peers", "entries": ["10.0.0.0/24"]}],
        }
        firewalld.module("firewalld_info")
        wait = random.Random(seed).uniform(0.02, 0.6)
        killer = threading.Timer(wait, firewalld.kill)
        killer.start()
        result = firewalld.module("firewalld", **params)
        killer.join()
        if "failed" in result:
            assert "printed" not in result, result
            assert "run again" in result["msg"] or "systemctl start" in result["msg"]
        firewalld.start()
        done(firewalld.module("firewalld", **params))
        assert not done(firewalld.module("firewalld", **params))["changed"]
        assert not differences(firewalld, "own", "public")

    def test_a_configuration_broken_on_disk_is_told_before_anything_is_written(
        self, firewalld: PrivateFirewalld
    ) -> None:
        (firewalld.etc / "services").mkdir(exist_ok=True)
        (firewalld.etc / "services" / "bad.xml").write_text("nonsense", encoding="utf-8")
        result = firewalld.module("firewalld", zones=[OWN])
        assert "services/bad.xml" in result["msg"]
        assert not (firewalld.etc / "zones" / "own.xml").exists()

    def test_ten_thousand_entries_with_overlaps_are_one_set(
        self, firewalld: PrivateFirewalld
    ) -> None:
        # networks, and overlaps on top
        entries = [f"10.{number // 125}.{number % 125 * 2}.0/24" for number in range(9000)]
        entries += [f"10.{number % 70}.8.{number // 70}" for number in range(999)] + ["10.0.0.0/16"]
        # a set that nothing names is not made at runtime
        params = {
            "ipsets": [{"name": "peers", "entries": entries}],
            "zones": [{"name": "own", "sources": ["ipset:peers"]}],
        }
        done(firewalld.module("firewalld", **params))
        assert not done(firewalld.module("firewalld", **params))["changed"]
        listed = firewalld.module("firewalld_info", ipsets=["peers"])
        # 10.0.0.0/16 holds 125 of the networks, and the others hold all single addresses
        found = listed["runtime"]["ipsets"]["peers"]["entries"]
        assert len(found) == len(entries) - 999 - 125
        collapsed = ipaddress.collapse_addresses(map(ipaddress.IPv4Network, entries))
        assert set(found) == {str(network) for network in collapsed}
        assert "10.1.0.0" in firewalld.nft("list", "set", "inet", "firewalld", "peers")


class TestByAnsible:
    @pytest.mark.parametrize("python", ["/usr/bin/python3", sys.executable])
    def test_the_module_finds_the_python_that_has_the_bindings(
        self, firewalld: PrivateFirewalld, python: str
    ) -> None:
        arguments = {"zones": [PUBLIC]}
        assert done(firewalld.ansible("firewalld", arguments, "--check", python=python))["changed"]
        assert done(firewalld.ansible("firewalld", arguments, python=python))["changed"]
        assert not done(firewalld.ansible("firewalld", arguments, python=python))["changed"]

    def test_a_host_without_bindings_is_told_the_packages_name(
        self, firewalld: PrivateFirewalld
    ) -> None:
        where = "import firewall, os; print(os.path.dirname(firewall.__file__))"
        folder = firewalld.python(where).strip()
        firewalld.run("mount", "-t", "tmpfs", "tmpfs", folder)
        firewalld.run("sh", "-c", f"echo 'raise ImportError(1)' > {folder}/__init__.py")
        result = firewalld.ansible("firewalld", {"zones": [PUBLIC]})
        assert "python3-firewall" in result["msg"]
        assert "Traceback" not in str(result)
