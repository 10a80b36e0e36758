# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network boot with the real dnsmasq and nginx, configured by the plan alone (S4.1).

The server and the router of both racks are network namespaces. The router is the machines of rack
r1, too, as they are on the link that it has to the server; for rack r2 it relays.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.daemon_hosts import DaemonHost
from tests.integration.private_firewalld import wait_until
from tests.unit.module_utils import netns
from tests.unit.module_utils.netns import Namespace
from tests.unit.plugin_utils.mutations import Intent
from tests.unit.plugin_utils.planning import plan
from tests.unit.plugin_utils.pxe_fleet import MACS, pxe_intent

pytestmark = pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not()))

CLIENT = str(Path(__file__).parent / "pxe_client.py")
DHCP, HTTP = "underlay-pxe-dhcp", "underlay-pxe-http"
PACKAGES = ("dnsmasq-base", "nginx", "ipxe", "iproute2")
NEEDED = ("usr/sbin/dnsmasq", "usr/sbin/nginx", "usr/lib/ipxe/undionly.kpxe")
STRANGER = "52:54:00:99:99:99"
IMAGE = bytes(range(256)) * 4096
Answer = dict[str, Any]


class PxeServer(DaemonHost):
    """A host with the packages of the planned daemons."""

    wanted = PACKAGES
    needed = NEEDED


class Site:
    """The server as planned, and the router."""

    def __init__(self, server: DaemonHost, router: Namespace, files: Path) -> None:
        self.server = server
        self.router = router
        self.files = files
        self.items: dict[str, dict[str, Any]] = {}
        self.addresses: dict[str, str] = {}
        self.own = ""

    def plan(self, intent: Intent) -> dict[str, Any]:
        """Plan, and return the server's part."""
        planned = plan(intent)
        self.addresses = {item["host"]: item["address"] for item in planned.fleet["pxe"]["hosts"]}
        part = planned.hosts["cp1"]
        self.items = {item["name"]: item for item in part["daemons"]["pxe_server"]}
        (own,) = (item for item in part["addresses"] if item["kind"] == "pxe")
        self.own = own["address"].partition("/")[0]
        return part

    def bring(self, intent: Intent) -> None:
        """Bring the server to a plan as the role does: files, a restart and a reload."""
        self.plan(intent)
        for name, item in self.items.items():
            shutil.rmtree(self.server.scratch / "underlay" / name, ignore_errors=True)
            self.server.install(item)
        before = self.server.main(DHCP)
        self.server.signal(DHCP, signal.SIGTERM)
        wait_until(lambda: self.server.main(DHCP) not in (0, before), "dnsmasq did not come back")
        self.server.signal(HTTP, signal.SIGHUP)

    def dhcp(self, *asked: dict[str, Any]) -> list[Answer]:
        """Send DHCP messages; an answer to the last one comes, or the test fails."""
        words = [json.dumps(each) for each in asked]
        found = json.loads(self.router.run(sys.executable, CLIENT, "dhcp", "eth0", *words))
        heard: list[Answer] = sorted(found, key=lambda each: int(each["number"]))
        last = heard[-1]["number"] if heard else None
        assert last == len(asked) - 1, self.server.log(DHCP)
        return heard

    def fetch(self, path: str) -> tuple[int, bytes]:
        """Ask the server by HTTP, as a machine of rack r2."""
        target = self.files / "fetched"
        target.unlink(missing_ok=True)
        program = (
            "import sys, urllib.request, urllib.error, pathlib\n"
            "try:\n    got = urllib.request.urlopen(sys.argv[1], timeout=20)\n"
            "except urllib.error.HTTPError as error:\n    got = error\n"
            "pathlib.Path(sys.argv[2]).write_bytes(got.read())\nprint(got.status)"
        )
        url = f"http://{self.own}{path}"
        return int(self.router.run(sys.executable, "-c", program, url, str(target))), (
            target.read_bytes()
        )


def discover(mac: str, **more: Any) -> dict[str, Any]:
    return {"mac": mac, "arch": 0, **more}


def relayed(mac: str, server: str, **more: Any) -> dict[str, Any]:
    """A message as the router of rack r2 forwards it."""
    return discover(mac, giaddr="10.25.2.1", server=server, **more)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server and the router as the plan has them, daemons running."""
    router = Namespace()
    try:
        with PxeServer("pxe") as server:
            site = Site(server, router, tmp_path_factory.mktemp("files"))
            _serve(site)
            yield site
    finally:
        router.close()


def _serve(site: Site) -> None:
    server, router = site.server, site.router
    part = site.plan(pxe_intent())
    (server.scratch / "srv" / "pxe" / "debian").mkdir(parents=True)
    (server.scratch / "srv" / "pxe" / "debian" / "vmlinuz").write_bytes(IMAGE)
    server.run("mount", "--bind", str(server.scratch / "srv"), "/srv")
    for item in site.items.values():
        server.install(item)
        # in a preview of the first run the server has no address yet
        for checked in server.checks(item):
            assert checked.returncode == 0, checked.stdout
    (file,) = (file for file in part["files"] if file["role"] == "pxe")
    ((link, settings),) = file["netplan"]["network"]["vlans"].items()
    router.ip(
        f"link add eth0 type veth peer name pxe0 netns {server.pid}",
        "link set eth0 up",
        "address add 10.25.1.1/24 dev eth0",
        "address add 10.25.2.1/24 dev lo",
    )
    # as the file says: no link-local address
    assert settings["link-local"] == []
    server.ip(
        f"link set pxe0 name {link} addrgenmode none",
        f"link set {link} up",
        f"address add {settings['addresses'][0]} dev {link}",
    )
    server.ip(*(f"route add {route['to']} via {route['via']}" for route in settings["routes"]))
    for item in site.items.values():
        server.start(item)
    ask = "import socket,sys; socket.create_connection((sys.argv[1], 80), 5)"

    def answers() -> bool:
        return server.attempt(sys.executable, "-c", ask, site.own).returncode == 0

    wait_until(answers, "nginx does not answer", lambda: server.log(HTTP))


class TestAddresses:
    def test_a_known_machine_gets_its_own_address_and_nobody_else_an_answer(
        self, site: Site
    ) -> None:
        """S4.1: of three that ask, one is being provisioned; an operational host is not served."""
        asked = [discover(STRANGER), discover(MACS["st1"]), discover(MACS["w1"])]
        (offer,) = site.dhcp(*asked)
        assert (offer["number"], offer["type"]) == (2, 2)
        assert offer["address"] == site.addresses["w1"]
        assert (offer["mask"], offer["router"]) == ("255.255.255.0", "10.25.1.1")

    def test_the_lease_is_that_address_for_the_planned_time(self, site: Site) -> None:
        (offer,) = site.dhcp(discover(MACS["w1"]))
        wish = {"type": 3, "address": offer["address"], "server_id": offer["server_id"]}
        (given,) = site.dhcp(discover(MACS["w1"], **wish))
        assert (given["type"], given["address"], given["lease"]) == (5, site.addresses["w1"], 3600)
        assert MACS["w1"] in leases(site)

    def test_a_machine_of_another_rack_gets_its_address_by_the_relay(self, site: Site) -> None:
        asked = [relayed(mac, site.own) for mac in (STRANGER, MACS["st1"], MACS["w2"])]
        (offer,) = site.dhcp(*asked)
        assert offer["address"] == site.addresses["w2"]
        assert (offer["mask"], offer["router"]) == ("255.255.255.0", "10.25.2.1")

    def test_a_machine_in_the_wrong_rack_gets_none(self, site: Site) -> None:
        """Its address would lead nowhere."""
        (offer,) = site.dhcp(discover(MACS["w2"]), discover(MACS["w1"]))
        assert offer["number"] == 1


class TestBoot:
    @pytest.mark.parametrize(
        ("arch", "file"), [(0, "undionly.kpxe"), (7, "snponly.efi"), (9, "snponly.efi")]
    )
    def test_a_rom_gets_ipxe_for_its_architecture(self, site: Site, arch: int, file: str) -> None:
        """RFC 4578: option 93."""
        (offer,) = site.dhcp(discover(MACS["w1"], arch=arch))
        assert (offer["file"], offer["next"]) == (file, site.own)
        (far,) = site.dhcp(relayed(MACS["w2"], site.own, arch=arch))
        assert (far["file"], far["next"]) == (file, site.own)

    @pytest.mark.parametrize("arch", [0, 7])
    def test_ipxe_itself_gets_the_script(self, site: Site, arch: int) -> None:
        (offer,) = site.dhcp(discover(MACS["w1"], arch=arch, user_class="iPXE"))
        assert offer["file"] == f"http://{site.own}/boot.ipxe"

    @pytest.mark.parametrize("file", ["undionly.kpxe", "snponly.efi"])
    def test_tftp_delivers_the_file_whole(self, site: Site, file: str, tmp_path: Path) -> None:
        got = tmp_path / file
        site.router.run(sys.executable, CLIENT, "tftp", site.own, file, str(got))
        whole = site.server.run("sha256sum", f"/usr/lib/ipxe/{file}").split()
        assert site.router.run("sha256sum", str(got)).split()[0] == whole[0]

    def test_http_serves_scripts_and_images_and_nothing_else(self, site: Site) -> None:
        status, text = site.fetch("/boot.ipxe")
        assert (status, text[:6]) == (200, b"#!ipxe")
        status, text = site.fetch(f"/boot/{MACS['w1'].replace(':', '-')}.ipxe")
        assert status == 200
        assert b"/images/debian/vmlinuz initrd=initrd1" in text
        assert site.fetch("/images/debian/vmlinuz") == (200, IMAGE)
        shut = ("/", "/images/", "/images/debian/", "/nginx.conf", "/boot/", "/boot/../nginx.conf")
        assert {path: site.fetch(path)[0] for path in shut} == {
            **dict.fromkeys(shut, 404),
            "/images/": 403,
            "/images/debian/": 403,
            "/boot/": 403,
        }

    def test_a_machine_that_reports_in_is_noted(self, site: Site) -> None:
        assert site.fetch("/ready/w2") == (204, b"")
        noted = site.server.run("cat", f"/run/{HTTP}/ready.log").splitlines()[-1].split()
        assert noted[1:] == ["10.25.1.1", "/ready/w2"]
        assert site.fetch("/ready/a/b")[0] == 404

    def test_they_listen_on_the_pxe_network_alone(self, site: Site) -> None:
        seen = [line.split() for line in site.server.run("ss", "-Hltun").splitlines()]
        assert seen
        for words in seen:
            local = words[4]
            assert local.startswith(f"{site.own}:") or local.endswith("%bond0.251:67"), words


class TestStates:
    """The configuration follows the plan; what a lease file remembered does not count."""

    def test_a_host_that_has_become_operational_is_forgotten(self, site: Site) -> None:
        """S4.1: no lease, no answer, no script."""
        (offer,) = site.dhcp(discover(MACS["w1"]))
        wish = {"type": 3, "address": offer["address"], "server_id": offer["server_id"]}
        site.dhcp(discover(MACS["w1"], **wish))
        assert MACS["w1"] in leases(site)
        script = f"/boot/{MACS['w1'].replace(':', '-')}.ipxe"
        assert site.fetch(script)[0] == 200

        intent = pxe_intent()
        intent.hosts["w1"]["underlay_state"] = "operational"
        site.bring(intent)
        heard = site.dhcp(
            relayed(MACS["w1"], site.own), relayed(MACS["w1"], site.own, **wish),
            relayed(MACS["w2"], site.own),
        )  # fmt: skip
        assert [answer["number"] for answer in heard] == [2]
        assert MACS["w1"] not in leases(site)
        assert site.fetch(script)[0] == 404
        site.bring(pxe_intent())

    def test_unknown_machines_get_the_menu_where_that_is_wished(self, site: Site) -> None:
        site.bring(pxe_intent(unknown="menu"))
        asked = discover(STRANGER), discover(MACS["st1"]), discover(MACS["w1"])
        heard = {answer["number"]: answer["address"] for answer in site.dhcp(*asked)}
        assert heard.keys() == {0, 2}
        assert 200 <= int(heard[0].rpartition(".")[2]) <= 220
        assert heard[2] == site.addresses["w1"]
        assert site.fetch("/boot/unknown.ipxe")[0] == 200
        site.bring(pxe_intent())


def leases(site: Site) -> str:
    return site.server.run("cat", f"/run/{DHCP}/leases")
