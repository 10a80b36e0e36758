# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual addresses by the real keepalived and bgpd, from the plan's own files (S4.6-7).

Three managers on a bridge. All the time somebody looks who has the address: at no look have two.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.address_watch import Watch
from tests.integration.daemon_hosts import DaemonHost, close, why_not
from tests.integration.private_firewalld import wait_until
from tests.unit.module_utils.netns import Namespace
from tests.unit.plugin_utils.vip_fleet import API, API6, Fleet, fleet, managers

pytestmark = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))

LINK = "bond0.101"
PORT = 6443
HELD, ANNOUNCED = "underlay-vip", "underlay-vip-bgp"
NAMES = ("m1", "m2", "m3")
ANY = {"name": "any", "network": "lcm", "mode": "bgp", "address": "10.9.9.9"}
ANY6 = {"name": "any6", "network": "lcm", "mode": "bgp", "address": "2001:db8:9::9"}
BGP = {"asn": 64512, "peers": [{"asn": 64600}]}


# --- three managers -------------------------------------------------------------------------------


@dataclass
class Managers:
    """Three hosts on one bridge, and a neighbour there who wants to reach the addresses."""

    planned: Fleet
    hosts: dict[str, DaemonHost]
    switch: Namespace
    client: Namespace

    def start(self) -> None:
        for name, host in self.hosts.items():
            host.install(self.planned.item(name))
        for name, host in self.hosts.items():
            host.start(self.planned.item(name))

    def watch(self, address: str) -> Watch:
        pids = {name: host.pid for name, host in self.hosts.items()}
        return Watch(address, pids, self.client.pid)

    def addresses(self, name: str) -> list[str]:
        """The host's own addresses on the link, as netplan would put them there."""
        four, six = self.planned.address(name), self.planned.address(name, 6)
        return [f"address add {four}/24 dev {LINK}", f"address add {six}/64 dev {LINK} nodad"]

    def logs(self) -> str:
        return "\n".join(f"{name}: {host.log(HELD)[-3000:]}" for name, host in self.hosts.items())


@contextlib.contextmanager
def cabled(planned: Fleet) -> Iterator[Managers]:
    with contextlib.ExitStack() as ending:
        switch, client = Namespace(), Namespace()
        ending.callback(switch.close)
        ending.callback(client.close)
        switch.ip("link add br0 type bridge", "link set br0 up")
        switch.ip(f"link add client type veth peer name eth0 netns {client.pid}")
        switch.ip("link set client master br0", "link set client up")
        client.ip("address add 10.21.1.250/24 dev eth0", "link set eth0 up")
        hosts = {name: ending.enter_context(DaemonHost(name)) for name in NAMES}
        found = Managers(planned, hosts, switch, client)
        for name, host in hosts.items():
            switch.ip(f"link add {name} type veth peer name {LINK} netns {host.pid}")
            switch.ip(f"link set {name} master br0", f"link set {name} up")
            host.ip(f"link set {LINK} up", *found.addresses(name))
        yield found


@pytest.fixture
def three() -> Iterator[Managers]:
    with cabled(fleet(managers(*NAMES, vips=[API, API6]))) as found:
        yield found


@contextlib.contextmanager
def watched(three: Managers) -> Iterator[tuple[Watch, Watch]]:
    """Look at both addresses to the end: never two holders, never two answers to one question."""
    with three.watch(API["address"]) as four, three.watch(API6["address"]) as six:
        yield four, six
    for watch in (four, six):
        assert watch.looks > 1000
        assert not watch.twice, f"{watch.history}\n{three.logs()}"
    assert all(len(macs) <= 1 for macs in four.answered), four.answered


def settled(three: Managers, watches: tuple[Watch, Watch], but: str = "") -> str:
    """Wait until one host, another than `but`, has both addresses; return its name."""

    def one() -> bool:
        held = {watch.holders for watch in watches}
        return len(held) == 1 and len(held.copy().pop()) == 1 and (but,) not in held

    wait_until(one, f"nobody but {but or 'nobody'} has both addresses", three.logs)
    return watches[0].holders[0]


def answering(three: Managers, watch: Watch) -> str:
    """Wait until a neighbour's question has just been answered; return the host that did."""
    macs = {
        json.loads(host.run("ip", "-j", "link", "show", LINK))[0]["address"]: name
        for name, host in three.hosts.items()
    }
    begin = len(watch.answered)
    wait_until(lambda: any(watch.answered[begin:]), "nobody answers by ARP", three.logs)
    said = set().union(*watch.answered[begin:])
    assert len(said) == 1
    return macs[said.pop()]


# --- by ARP: one holder at a time -----------------------------------------------------------------


def test_config_files_of_all_managers_are_accepted_and_a_broken_one_is_refused(
    three: Managers,
) -> None:
    for name, host in three.hosts.items():
        item = three.planned.item(name)
        host.install(item)
        done = host.checks(item)
        assert [check.returncode for check in done] == [0], [check.stdout for check in done]
    host, item = three.hosts["m1"], three.planned.item("m1")
    item["files"][0]["content"] = item["files"][0]["content"].replace("nopreempt", "nopreemt", 1)
    host.install(item)
    [refused] = host.checks(item)
    assert refused.returncode != 0
    assert "Unknown keyword 'nopreemt'" in refused.stdout


def test_the_file_of_a_single_holder_is_accepted_too(three: Managers) -> None:
    """keepalived has no unicast without a peer."""
    item = fleet(managers("cp1", vips=[API, API6])).item("cp1")
    three.hosts["m1"].install(item)
    assert [(done.returncode, done.stdout) for done in three.hosts["m1"].checks(item)] == [(0, "")]


def test_a_file_is_accepted_before_the_link_is_there(three: Managers) -> None:
    """A preview comes before the networks are applied."""
    host, item = three.hosts["m1"], three.planned.item("m1")
    host.ip(f"link delete {LINK}")
    host.install(item)
    assert [check.returncode for check in host.checks(item)] == [0]


def test_exactly_one_manager_holds_each_address_before_any_service_answers(
    three: Managers,
) -> None:
    """S4.7: one VLAN across all managers, one holder. Kubernetes is not installed yet."""
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        assert holder == "m1", "the first in natural order, where all start together"
        assert answering(three, watches[0]) == holder
    # the subnet has one route, the one of the host's own address
    routes = json.loads(three.hosts[holder].run("ip", "-j", "route", "show"))
    assert [route["dst"] for route in routes] == ["10.21.1.0/24"]


def test_a_reload_with_new_files_keeps_the_address_where_it_is(three: Managers) -> None:
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        host, item = three.hosts[holder], three.planned.item(holder)
        file = item["files"][0]
        file["content"] = file["content"].replace("garp_master_refresh 60", "garp_master_refresh 9")
        host.install(item)
        said = len(host.log(HELD))
        host.signal(HELD, signal.SIGHUP)
        wait_until(lambda: "Reload complete" in host.log(HELD)[said:], "no reload", three.logs)
        # five seconds, more than three adverts and the longest skew: another would have taken it
        begin = len(watches[0].answered)
        wait_until(lambda: len(watches[0].answered) > begin + 100, "the watch stopped")
        assert watches[0].history == watches[1].history == [(), (holder,)]


@pytest.mark.parametrize(
    "killed",
    ["keepalived.pid", "vrrp.pid", "keepalived.pid vrrp.pid"],
    ids=["main process", "process that holds", "both"],
)
def test_a_killed_daemon_is_never_a_second_holder(three: Managers, killed: str) -> None:
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        files = " ".join(f"/run/{HELD}/{name}" for name in killed.split())
        three.hosts[holder].run("sh", "-c", f"kill -9 $(cat {files})")
        successor = settled(three, watches, but=holder)
        assert answering(three, watches[0]) == successor


@pytest.mark.parametrize("where", ["switch", "host"])
def test_a_holder_that_loses_its_link_loses_the_address(three: Managers, where: str) -> None:
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        host = three.hosts[holder]
        side = three.switch.ip if where == "switch" else host.ip
        port = holder if where == "switch" else LINK
        side(f"link set {port} down")
        successor = settled(three, watches, but=holder)
        assert answering(three, watches[0]) == successor
        # back again, it waits, also for its own address: without, it could not hear the holder
        said = len(host.log(HELD))
        side(f"link set {port} up")
        if where == "host":
            host.ip(three.addresses(holder)[1])
        wait_until(
            lambda: host.log(HELD)[said:].count("Entering BACKUP STATE") == 2, "no way back",
            three.logs,
        )  # fmt: skip
        assert settled(three, watches) == successor


def test_a_host_without_an_address_of_its_own_holds_nothing(three: Managers) -> None:
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        for address in (three.planned.address(holder), three.planned.address(holder, 6)):
            length = 64 if ":" in address else 24
            three.hosts[holder].ip(f"address delete {address}/{length} dev {LINK}")
        settled(three, watches, but=holder)


def test_a_host_that_starts_before_its_addresses_are_there_waits_for_them(
    three: Managers,
) -> None:
    """At boot a daemon may be started while networkd is still at work."""
    host = three.hosts["m1"]
    for address in three.addresses("m1"):
        host.ip(address.replace(" add ", " delete ").replace(" nodad", ""))
    with watched(three) as watches:
        three.start()
        settled(three, watches, but="m1")
        host.ip(*three.addresses("m1"))
        wait_until(lambda: host.log(HELD).count("Entering BACKUP STATE") == 2, "waits for ever")
        three.switch.ip("link set m2 down", "link set m3 down")
        wait_until(lambda: settled(three, watches) == "m1", "m1 is no holder", three.logs)


def test_a_dead_service_moves_the_address_to_a_live_one_and_it_does_not_move_back(
    three: Managers,
) -> None:
    with watched(three) as watches:
        three.start()
        first = settled(three, watches)
        services = {name: host.serve(PORT) for name, host in three.hosts.items()}
        close(services[first])
        second = settled(three, watches, but=first)
        said = len(three.hosts[first].log(HELD))
        services[first] = three.hosts[first].serve(PORT)
        log = three.hosts[first]
        wait_until(
            lambda: log.log(HELD)[said:].count("Entering BACKUP STATE") == 2, "still at fault",
            three.logs,
        )  # fmt: skip
        assert settled(three, watches) == second
        # with no service left anywhere, it stays
        for service in services.values():
            close(service)
        assert settled(three, watches) == second


def test_the_first_service_that_answers_gets_the_address(three: Managers) -> None:
    """Kubernetes is installed on one manager first, whichever holds the address by then."""
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        installed = next(name for name in NAMES if name != holder)
        three.hosts[installed].serve(PORT)
        assert settled(three, watches, but=holder) == installed


def test_an_address_that_somebody_takes_off_the_link_is_back_or_moved(three: Managers) -> None:
    """As networkd does when a link is configured anew."""
    with watched(three) as watches:
        three.start()
        holder = settled(three, watches)
        changes = len(watches[0].changes)
        three.hosts[holder].ip(f"address delete {API['address']}/32 dev {LINK}")
        wait_until(lambda: len(watches[0].changes) > changes, "nothing happened", three.logs)
        wait_until(lambda: len(watches[0].holders) == 1, "nobody holds it", three.logs)


# --- by BGP: announced by all ---------------------------------------------------------------------

_ROUTER = """\
router bgp 64600
 bgp router-id 10.21.1.1
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {four} remote-as 64512
 neighbor {six} remote-as 64512
 address-family ipv4 unicast
  network 192.0.2.0/24
  neighbor {four} activate
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:7::/64
  neighbor {six} activate
 exit-address-family
exit
"""


@pytest.fixture
def announcing() -> Iterator[tuple[Fleet, DaemonHost]]:
    """A manager with an LCM address of each family; its daemon is not started yet."""
    planned = fleet(managers("cp1", vips=[ANY, ANY6], bgp=BGP))
    with DaemonHost("cp1") as host:
        yield planned, host


@contextlib.contextmanager
def router(planned: Fleet, host: DaemonHost) -> Iterator[DaemonHost]:
    """The gateway of the manager's segment, which speaks BGP."""
    text = _ROUTER.format(four=planned.address("cp1"), six=planned.address("cp1", 6))
    item = {
        "name": "router",
        "program": "/usr/lib/frr/bgpd",
        "arguments": ["-N", "router", "-f", "{folder}/bgpd.conf", "-Z", "-P", "0"],
        "files": [{"name": "bgpd.conf", "content": text}],
    }
    with DaemonHost("router") as peer:
        host.connect(LINK, peer, "lan")
        host.ip(f"address add {planned.address('cp1')}/24 dev {LINK}")
        host.ip(f"address add {planned.address('cp1', 6)}/64 dev {LINK} nodad")
        peer.ip("address add 10.21.1.1/24 dev lan")
        peer.ip("address add fd21:1::1/64 dev lan nodad")
        peer.install(item)
        peer.start(item)
        yield peer


def table(host: DaemonHost, daemon: str, family: str) -> dict[str, Any]:
    """What a bgpd knows: prefix -> its paths."""
    socket = f"/run/frr/{daemon}"
    said = host.attempt("vtysh", "--vty_socket", socket, "-c", f"show bgp {family} unicast json")
    try:
        routes: dict[str, Any] = json.loads(said.stdout)["routes"]
    except (ValueError, KeyError):
        return {}
    return routes


def hops(paths: list[dict[str, Any]]) -> set[str]:
    return {hop["ip"] for path in paths for hop in path["nexthops"] if hop.get("scope") != "link"}


def test_the_router_learns_exactly_the_vips_with_the_host_as_next_hop(
    announcing: tuple[Fleet, DaemonHost],
) -> None:
    """S4.7 by routing: the endpoint's address needs no VLAN across racks."""
    planned, host = announcing
    item = planned.item("cp1", ANNOUNCED)
    with router(planned, host) as peer:
        host.install(item)
        host.start(item)
        for family, vip, own, version in (
            ("ipv4", "10.9.9.9/32", "192.0.2.0/24", 4),
            ("ipv6", "2001:db8:9::9/128", "2001:db8:7::/64", 6),
        ):

            def learnt(family: str = family, vip: str = vip) -> bool:
                return vip in table(peer, "router", family)

            wait_until(learnt, f"{vip} is not there", lambda: host.log(ANNOUNCED))
            found = table(peer, "router", family)
            assert set(found) == {vip, own}
            assert hops(found[vip]) == {planned.address("cp1", version)}
            # the router's own network went to the host, and was not let in
            assert set(table(host, ANNOUNCED, family)) == {vip}


def test_a_host_that_stops_announcing_is_forgotten(
    announcing: tuple[Fleet, DaemonHost],
) -> None:
    planned, host = announcing
    item = planned.item("cp1", ANNOUNCED)
    with router(planned, host) as peer:
        host.install(item)
        host.start(item)
        wait_until(lambda: "10.9.9.9/32" in table(peer, "router", "ipv4"), "not announced")
        # as long as the cable is cut nobody says a word: the hold time ends it
        peer.ip("link set lan down")
        wait_until(lambda: "10.9.9.9/32" not in table(peer, "router", "ipv4"), "still there")


def test_bgpd_opens_no_port_on_the_host(announcing: tuple[Fleet, DaemonHost]) -> None:
    """Calico's BIRD listens on 179, and nobody else has business with this daemon."""
    planned, host = announcing
    item = planned.item("cp1", ANNOUNCED)
    host.install(item)
    host.start(item)
    wait_until(lambda: "10.9.9.9/32" in table(host, ANNOUNCED, "ipv4"), "did not start")
    assert host.run("ss", "-Htln") == ""
    owner = host.run("stat", "-c", "%U", f"/proc/{host.main(ANNOUNCED)}").strip()
    assert owner == "frr"


def test_a_broken_bgp_file_is_refused(announcing: tuple[Fleet, DaemonHost]) -> None:
    planned, host = announcing
    item = planned.item("cp1", ANNOUNCED)
    host.install(item)
    [accepted] = host.checks(item)
    assert accepted.returncode == 0, accepted.stdout
    item["files"][0]["content"] = item["files"][0]["content"].replace("activate", "actviate")
    host.install(item)
    [refused] = host.checks(item)
    assert refused.returncode != 0
    assert "actviate" in refused.stdout
