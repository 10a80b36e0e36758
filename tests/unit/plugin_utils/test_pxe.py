# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network boot as planned (S4.1): whose address, what the server runs, what a host must lose."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.daemon_wish import read_wishes
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.fleet import Planned
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import describe
from tests.unit.plugin_utils.mutations import Intent, good_intent
from tests.unit.plugin_utils.planning import attempt, plan
from tests.unit.plugin_utils.pxe_fleet import DEBIAN, MACS, pxe_intent

ABSENT = [
    {"name": "underlay-pxe-dhcp", "state": "absent"},
    {"name": "underlay-pxe-http", "state": "absent"},
]


def daemon(planned: Planned, name: str, host: str = "cp1") -> dict[str, Any]:
    items = planned.hosts[host]["daemons"]["pxe_server"]
    return next(item for item in items if item["name"] == f"underlay-pxe-{name}")


def texts(planned: Planned, name: str, host: str = "cp1") -> dict[str, str]:
    return {file["name"]: file["content"] for file in daemon(planned, name, host)["files"]}


def settings(planned: Planned, host: str = "cp1") -> list[str]:
    """What dnsmasq is told, without the comments."""
    lines = texts(planned, "dhcp", host)["dnsmasq.conf"].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def host_lines(planned: Planned) -> list[str]:
    return [line for line in settings(planned) if line.startswith("dhcp-host=")]


def script(planned: Planned, host: str) -> str:
    return texts(planned, "http")[f"boot/{MACS[host].replace(':', '-')}.ipxe"]


def addresses(planned: Planned) -> dict[str, str]:
    return {item["host"]: item["address"] for item in planned.fleet["pxe"]["hosts"]}


class TestAddresses:
    def test_every_host_that_boots_has_one_in_its_rack_whatever_its_state(self) -> None:
        """S4.1."""
        planned = plan(pxe_intent())
        assert planned.fleet["pxe"]["servers"] == ["cp1"]
        racks = {name: text.rpartition(".")[0] for name, text in addresses(planned).items()}
        assert racks == {"st1": "10.25.2", "w1": "10.25.1", "w2": "10.25.2"}
        assert planned.fleet["pxe"]["hosts"][0] == {
            "host": "st1",
            "mac": MACS["st1"],
            "network": "pxe",
            "address": addresses(planned)["st1"],
            "state": "operational",
            "image": "debian",
        }

    def test_it_stays_when_the_state_changes(self) -> None:
        first = plan(pxe_intent())
        intent = pxe_intent()
        intent.hosts["w2"]["underlay_state"] = "operational"
        intent.hosts["st1"]["underlay_state"] = "provisioning"
        second = plan(intent, first.ledger)
        assert addresses(second) == addresses(first)
        assert second.ledger == first.ledger

    def test_it_is_on_no_host(self) -> None:
        """S4.1: PXE is never configured on a host; the server alone has an address there."""
        planned = plan(pxe_intent())
        on_pxe = {
            name: [item["address"] for item in part["addresses"] if item["kind"] == "pxe"]
            for name, part in planned.hosts.items()
        }
        assert on_pxe == {"cp1": ["10.25.1.2/24"], "w1": [], "w2": [], "st1": []}
        files = {
            name: [file["name"] for file in part["files"] if file["role"] == "pxe"]
            for name, part in planned.hosts.items()
        }
        assert files == {"cp1": ["66-underlay-pxe.yaml"], "w1": [], "w2": [], "st1": []}

    def test_a_server_that_boots_over_the_network_too_has_one_address(self) -> None:
        intent = pxe_intent()
        intent.hosts["cp1"]["underlay_boot"] = {"mac": "52:54:00:25:00:01", "image": "debian"}
        planned = plan(intent)
        assert addresses(planned)["cp1"] == "10.25.1.2"
        owners = list(planned.ledger.addresses["pxe"].values())
        assert sorted(owners) == ["cp1", "st1", "w1", "w2"]

    def test_without_pxe_nothing_of_it_is_planned(self) -> None:
        planned = plan(good_intent())
        assert "pxe" not in planned.fleet
        assert all("pxe_server" not in part.get("daemons", {}) for part in planned.hosts.values())
        assert {tuple(part["obsolete"]) for part in planned.hosts.values()} == {()}


class TestStates:
    def test_only_operational_hosts_lose_what_provisioning_left(self) -> None:
        """S4.1: every trace goes."""
        obsolete = {name: part["obsolete"] for name, part in plan(pxe_intent()).hosts.items()}
        gone = ["50-installer.yaml"]
        assert obsolete == {"cp1": gone, "st1": gone, "w1": [], "w2": []}

    def test_all_other_hosts_are_rid_of_the_daemons(self) -> None:
        planned = plan(pxe_intent())
        assert {
            name: part["daemons"]["pxe_server"]
            for name, part in planned.hosts.items()
            if name != "cp1"
        } == {"w1": ABSENT, "w2": ABSENT, "st1": ABSENT}

    def test_an_operational_host_gets_no_answer_and_has_no_script(self) -> None:
        """S4.1."""
        planned = plan(pxe_intent())
        assert host_lines(planned) == [
            f"dhcp-host={MACS['st1']},ignore",
            f"dhcp-host={MACS['w1']},{addresses(planned)['w1']},w1",
            f"dhcp-host={MACS['w2']},{addresses(planned)['w2']},w2",
        ]
        scripts = [name for name in texts(planned, "http") if name.startswith("boot/")]
        assert scripts == ["boot/52-54-00-25-00-11.ipxe", "boot/52-54-00-25-00-12.ipxe"]


def test_the_module_takes_the_daemons_as_they_are_planned() -> None:
    for part in plan(pxe_intent(unknown="menu")).hosts.values():
        wishes = read_wishes(part["daemons"]["pxe_server"])
        assert {wish.name: wish.present for wish in wishes} == {
            "underlay-pxe-dhcp": part["name"] == "cp1",
            "underlay-pxe-http": part["name"] == "cp1",
        }


class TestTheEndOfNetworkBoot:
    def test_no_servers_take_the_daemons_away_from_every_host(self) -> None:
        """S4.1: with the variable deleted at once, a server would serve for ever"""
        intent = pxe_intent(servers=[])
        attached = intent.template("cp1")["attach"]
        attached[:] = [item for item in attached if item["network"] != "pxe"]
        for variables in intent.hosts.values():
            variables.pop("underlay_state", None)
        planned = plan(intent)
        assert [part["daemons"]["pxe_server"] for part in planned.hosts.values()] == [ABSENT] * len(
            planned.hosts
        )

    def test_a_host_to_be_provisioned_still_needs_a_server(self) -> None:
        """S4.1"""
        intent = pxe_intent(servers=[])
        attached = intent.template("cp1")["attach"]
        attached[:] = [item for item in attached if item["network"] != "pxe"]
        intent.hosts["w1"]["underlay_state"] = "provisioning"
        paths = [problem.path for problem in attempt(intent).problems]
        assert paths == ["underlay_pxe.servers"]


class TestDhcp:
    def test_each_rack_has_its_range_and_router(self) -> None:
        """MOSK's table of kinds of nodes: PXE may be a VLAN of each rack; its routers relay."""
        lines = settings(plan(pxe_intent()))
        for number in (1, 2):
            net, tag = f"10.25.{number}", f"segment{number}"
            assert f"dhcp-range=set:{tag},{net}.0,static,255.255.255.0,3600s" in lines
            assert f"dhcp-option=tag:{tag},option:router,{net}.1" in lines
        conf = texts(plan(pxe_intent()), "dhcp")["dnsmasq.conf"]
        assert "# Segment r1 (rack r1), 10.25.1.0/24\ndhcp-range" in conf
        assert "relay DHCP to 10.25.1.2, from their address in 10.25.2.0/24" in conf

    def test_the_server_has_a_route_to_the_racks_that_relay(self) -> None:
        (file,) = (
            item for item in plan(pxe_intent()).hosts["cp1"]["files"] if item["role"] == "pxe"
        )
        (vlan,) = file["netplan"]["network"]["vlans"].values()
        assert vlan["routes"] == [{"to": "10.25.2.0/24", "via": "10.25.1.1"}]

    def test_it_is_about_the_pxe_network_alone_and_no_dns(self) -> None:
        lines = settings(plan(pxe_intent()))
        assert lines[:4] == ["port=0", "interface=bond0.251", "except-interface=lo", "bind-dynamic"]

    def test_leases_are_volatile(self) -> None:
        """A restart forgets an operational host's lease; others have their addresses anyway."""
        planned = plan(pxe_intent())
        assert "dhcp-leasefile=/run/underlay-pxe-dhcp/leases" in settings(planned)
        assert daemon(planned, "dhcp")["runtime_folder"] is True

    def test_a_segment_without_a_gateway_names_no_router(self) -> None:
        intent = pxe_intent()
        everywhere = {"name": "all", "cidr": "10.25.1.0/24", "nameservers": ["10.25.1.3"]}
        intent.network("pxe")["segments"] = [everywhere]
        intent.template("cp1")["attach"][-1]["link"] = "enp0s2"
        lines = settings(plan(intent))
        assert "dhcp-option=tag:segment1,option:router" in lines
        assert "dhcp-option=tag:segment1,option:dns-server,10.25.1.3" in lines

    def test_unknown_machines_are_ignored(self) -> None:
        lines = settings(plan(pxe_intent()))
        assert "dhcp-ignore=tag:!known" in lines
        assert not any("tag:!known,set" in line for line in lines)

    def test_unknown_machines_get_an_address_of_the_dhcp_ranges_where_that_is_wished(self) -> None:
        planned = plan(pxe_intent(unknown="menu"))
        lines = settings(planned)
        ends = "10.25.2.200,10.25.2.220,255.255.255.0,3600s"
        assert f"dhcp-range=tag:!known,set:segment2,{ends}" in lines
        assert "dhcp-ignore=tag:!known" not in lines
        assert "--default disk" in texts(planned, "http")["boot/unknown.ipxe"]

    def test_of_two_servers_one_answers_unknown_machines(self) -> None:
        """Both would give the same addresses away; known machines get the same from both."""
        intent = pxe_intent(unknown="menu", servers=["control_plane", "second"])
        intent.groups["second"] = ["w2"]
        intent.hosts["w2"].update(underlay_state="operational")
        intent.template("w2")["attach"].append({"network": "pxe", "link": "bond0"})
        planned = plan(intent)
        assert "dhcp-ignore=tag:!known" not in settings(planned, "cp1")
        assert "dhcp-ignore=tag:!known" in settings(planned, "w2")
        own = addresses(planned)["w2"]
        assert f"dhcp-boot=tag:!ipxe,tag:efi,snponly.efi,,{own}" in settings(planned, "w2")
        assert settings(planned, "w2")[-4:-1] == settings(planned, "cp1")[-3:]

    @pytest.mark.parametrize("name", ["5h", "12", "infinite", "ignore", "w_1"])
    def test_a_name_that_dnsmasq_would_misread_is_left_out(self, name: str) -> None:
        """In dhcp-host a lease time, a keyword and a name stand in the same place."""
        intent = pxe_intent()
        intent.hosts[name] = intent.hosts.pop("w1")
        planned = plan(intent)
        assert f"dhcp-host={MACS['w1']},{addresses(planned)[name]}" in host_lines(planned)

    def test_there_may_be_more_machines_than_dnsmasq_has_leases_for_by_itself(self) -> None:
        intent = pxe_intent()
        for segment in intent.network("pxe")["segments"]:
            segment.pop("dhcp_ranges")
            segment["cidr"] = segment["cidr"].replace("10.25.", "10.12").replace(".0/24", ".0.0/16")
            segment["gateway"] = segment["cidr"].replace(".0.0/16", ".0.1")
        for number in range(600):
            name = f"n{number}"
            intent.hosts[name] = {**intent.hosts["w1"], "underlay_boot": {
                "mac": f"52:54:01:00:{number // 256:02x}:{number % 256:02x}", "image": "debian"
            }}  # fmt: skip
        assert "dhcp-lease-max=1206" in settings(plan(_without_other_networks(intent)))


def _without_other_networks(intent: Intent) -> Intent:
    """The same with PXE and LCM alone, and LCM wide enough."""
    keep = [net for net in intent.fleet["underlay_networks"] if net["name"] in ("pxe", "lcm")]
    intent.fleet["underlay_networks"] = keep
    segments = intent.network("lcm")["segments"]
    intent.network("lcm")["segments"] = [item for item in segments if "v6" not in item["name"]]
    for rack, segment in enumerate(intent.network("lcm")["segments"], start=1):
        segment.update(cidr=f"10.{30 + rack}.0.0/16", gateway=f"10.{30 + rack}.0.1")
        segment.pop("ranges", None)
        segment.pop("nameservers", None)
    for host in intent.hosts.values():
        attach = host["underlay_l2_template"]["attach"]
        attach[:] = [item for item in attach if item["network"] in ("pxe", "lcm")]
    return intent


class TestHttp:
    def test_it_listens_on_the_servers_pxe_address_alone(self) -> None:
        files = texts(plan(pxe_intent()), "http")
        assert "        listen 10.25.1.2:80;\n" in files["nginx.conf"]
        assert files["nginx.conf"].count("listen") == 1

    def test_the_check_needs_no_address_and_touches_no_running_one(self) -> None:
        """nginx -t binds what it listens on, and writes below its prefix."""
        planned = plan(pxe_intent())
        files = texts(planned, "http")
        assert files["check.conf"] == files["nginx.conf"].replace("10.25.1.2", "127.0.0.1")
        (argv,) = daemon(planned, "http")["check"]
        assert argv[argv.index("-p") + 1] == "{folder}"
        paths = [line.split()[-1] for line in files["nginx.conf"].splitlines() if "_path" in line]
        assert len(paths) == 5
        assert not any(path.startswith("/") for path in paths)

    def test_it_asks_for_the_files_that_machines_are_about_to_boot(self) -> None:
        intent = pxe_intent(root="/srv/boot/")
        assert daemon(plan(intent), "http")["needs"] == [
            "/srv/boot/",
            "/srv/boot/debian/vmlinuz",
            "/srv/boot/debian/initrd.gz",
            "/srv/boot/extra/initrd.gz",
        ]
        for name in ("w1", "w2"):
            intent.hosts[name]["underlay_boot"]["image"] = "rescue"
        assert daemon(plan(intent), "http")["needs"] == ["/srv/boot/"]
        assert "alias /srv/boot/; }" in texts(plan(intent), "http")["site.conf"]


class TestScripts:
    def test_a_machine_finds_its_script_by_the_nic_that_got_the_lease(self) -> None:
        lines = texts(plan(pxe_intent()), "http")["boot.ipxe"].splitlines()
        assert lines[0] == "#!ipxe"
        url = "http://10.25.1.2/boot/${netX/mac:hexhyp}.ipxe"
        assert lines[2:4] == [f"chain --replace --autofree {url} ||", ":disk"]

    def test_a_hosts_own_image_is_taken_unless_somebody_chooses(self) -> None:
        intent = pxe_intent(menu_timeout=7)
        intent.hosts["w2"]["underlay_boot"]["image"] = "rescue"
        planned = plan(intent)
        choose = "choose --timeout 7000 --default {} target || goto disk"
        assert choose.format("image1") in script(planned, "w1")
        assert choose.format("image2") in script(planned, "w2")
        items = [line for line in script(planned, "w2").splitlines() if line.startswith("item")]
        assert items == [
            "item image2 rescue",
            "item image1 debian",
            "item disk Boot the local disk",
            "item shell iPXE shell",
        ]

    def test_the_kernel_is_told_what_image_and_host_say_and_where_to_report_in(self) -> None:
        intent = pxe_intent()
        intent.hosts["w1"]["underlay_boot"]["arguments"] = "install=auto"
        lines = script(plan(intent), "w1").splitlines()
        assert lines[lines.index(":image1") + 1 :][:5] == [
            "imgfree",
            "kernel http://10.25.1.2/images/debian/vmlinuz initrd=initrd1 initrd=initrd2 "
            "console=ttyS0 install=auto underlay.host=w1 "
            "underlay.ready=http://10.25.1.2/ready/w1 || goto failed",
            "initrd --name initrd1 http://10.25.1.2/images/debian/initrd.gz || goto failed",
            "initrd --name initrd2 http://10.25.1.2/images/extra/initrd.gz || goto failed",
            "boot || goto failed",
        ]

    def test_a_url_is_taken_as_it_is(self) -> None:
        text = script(plan(pxe_intent()), "w1")
        assert "kernel https://boot.example.org/rescue?x86=1 underlay.host=w1 " in text

    def test_every_jump_has_its_label(self) -> None:
        planned = plan(pxe_intent(unknown="menu"))
        scripts = {name: text for name, text in texts(planned, "http").items() if "ipxe" in name}
        assert len(scripts) == 4
        for name, text in scripts.items():
            jumps = set(re.findall(r"goto (\w+)|^item (\w+)", text, re.MULTILINE))
            labels = set(re.findall(r"^:(\w+)$", text, re.MULTILINE))
            assert {first or second for first, second in jumps} <= labels, name


def _image(**values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.fleet["underlay_pxe"].update(images=[{**DEBIAN, **values}])


def _pxe(**values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.fleet["underlay_pxe"].update(values)


def _only_six(intent: Intent) -> None:
    segment = intent.segment("pxe", "r2")
    segment.update(cidr="fd25:2::/64", gateway="fd25:2::1", dhcp_ranges=[])


def _boot(**values: Any) -> Callable[[Intent], object]:
    return lambda intent: intent.hosts["w1"]["underlay_boot"].update(values)


def _renamed(intent: Intent) -> None:
    intent.hosts["w 1"] = intent.hosts.pop("w1")


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (_only_six, "underlay_networks[pxe].segments[r2].cidr", "machines boot by IPv4"),
        (_pxe(lease_time=60), "underlay_pxe.lease_time", "Give 120 seconds or more"),
        (_pxe(menu_timeout=0), "underlay_pxe.menu_timeout", "would wait for ever"),
        (_pxe(root="/"), "underlay_pxe.root", "Give a folder as /srv/pxe"),
        (_pxe(root="srv/pxe"), "underlay_pxe.root", "Give a folder as /srv/pxe"),
        (_pxe(root="/srv/pxe; }"), "underlay_pxe.root", "Give a folder as /srv/pxe"),
        (_pxe(root="/srv/../etc"), "underlay_pxe.root", "Give a folder as /srv/pxe"),
        (_pxe(leftovers=["../50-x.yaml"]), "underlay_pxe.leftovers[0]", "a file's name alone"),
        (_pxe(leftovers=["60-underlay-x.yaml"]), "underlay_pxe.leftovers[0]", "a file of ours"),
        (_image(kernel="../vmlinuz"), "underlay_pxe.images[debian].kernel", "cannot be fetched"),
        (_image(kernel="/srv/vmlinuz"), "underlay_pxe.images[debian].kernel", "a path below"),
        (_image(kernel="a b"), "underlay_pxe.images[debian].kernel", "cannot be fetched"),
        (_image(kernel="http://x/${a}"), "underlay_pxe.images[debian].kernel", "a URL"),
        (_image(initrd=["a", "b c"]), "underlay_pxe.images[debian].initrd[1]", "a URL"),
        (_image(arguments="a || b"), "underlay_pxe.images[debian].arguments", "to iPXE"),
        (_image(arguments="a\nb"), "underlay_pxe.images[debian].arguments", "one line"),
        (_boot(arguments="x=${uuid}"), "underlay_boot.arguments", "to iPXE"),
        (_renamed, "inventory_hostname", "cannot stand in a URL"),
    ],
)
def test_what_would_mean_something_else_in_a_file_is_refused(
    change: Callable[[Intent], object], path: str, words: str
) -> None:
    intent = pxe_intent()
    change(intent)
    problems = attempt(intent).problems
    assert {problem.path for problem in problems} == {path}, describe(problems)
    assert words in describe(problems)
