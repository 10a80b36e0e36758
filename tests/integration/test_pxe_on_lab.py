# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An empty machine boots over the network, reports in, gets a system, and is made operational
(MOSK, S4.1): by its own ROM, from the planned server.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.ansible_run import ROOT, Run, play
from tests.lab import Lab, load, naming

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.long]

NAME = "pxe"
SERVER = "10.25.1.2"
LEASES = "/run/underlay-pxe-dhcp/leases"
LEFTOVER = "50-installer.yaml"
# The server's own system, as it is before the first play, is what the machine is given.
PACK = (
    "mkdir -p /srv/pxe && tar --one-file-system -C / -cf /srv/pxe/root.tar --exclude=./srv"
    " --exclude='./etc/netplan/*' --exclude=./var/lib/lab-identity . && chmod -R a+rX /srv/pxe"
)


@dataclass(frozen=True)
class Boot:
    """The lab, its inventory, and the empty machine's MAC address on the NIC that it boots by."""

    lab: Lab
    inventory: Path
    mac: str

    def play(self, playbook: str) -> Run:
        return play(playbook, self.inventory, "-e", f"lab_name={NAME}")

    def state(self, state: str) -> None:
        """Write what the inventory says of network boot, with the machine in this state."""
        guest = self.lab.guest("n1")
        words = f"{guest.kernel_words} lab.root=http://{SERVER}/images/root.tar"
        image = {"name": "lab", "kernel": "vmlinuz", "initrd": ["n1.initrd"], "arguments": words}
        pxe = {"servers": ["provisioning"], "images": [image], "leftovers": [LEFTOVER]}
        boot = {"mac": self.mac, "image": "lab", "arguments": f"lab.mac={self.mac}"}
        self._write("underlay_pxe.yml", "underlay", {"underlay_pxe": pxe})
        node = {"underlay_state": state, "underlay_boot": boot}
        self._write("n1.yml", "node", node)

    def _write(self, name: str, group: str, variables: dict[str, object]) -> None:
        folder = self.inventory / "group_vars" / group
        if not folder.is_dir():
            old = folder.with_suffix(".yml")
            folder.mkdir()
            if old.exists():
                old.rename(folder / "intent.yml")
        (folder / name).write_text(yaml.safe_dump(variables), "utf-8")

    def address(self) -> str:
        """The machine's address on the PXE network, as the plan has it."""
        plans = self.inventory / ".underlay" / "plans"
        fleet = json.loads(
            (plans / (plans / "current").read_text("utf-8").strip() / "plan.json").read_text()
        )
        (host,) = fleet["pxe"]["hosts"]
        return str(host["address"])

    def seen(self, host: str, command: str) -> str:
        return self.lab.ssh(host, command, check=False).stdout


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boot]:
    inventory = tmp_path_factory.mktemp("pxe") / "inventory"
    shutil.copytree(ROOT / "tests" / "integration" / "pxe_inventory", inventory)
    topology = load(ROOT / "tests" / "lab" / "topology" / "pxe.yml")
    with Lab(topology, name=NAME) as lab:
        found = Boot(lab, inventory, naming.mac(NAME, "n1", "enp0s3"))
        found.state("provisioning")
        lab.ssh("prov", PACK, timeout=300)
        lab.copy("prov", lab.guest("n1").image.kernel, lab.paths.initrd("n1"), to="/srv/pxe/")
        lab.ssh("prov", "chmod a+r /srv/pxe/*")
        yield found


def test_from_an_empty_disk_to_an_operational_host_without_a_trace(boot: Boot) -> None:
    """One way through, in its order: each step stands on the one before."""
    served = boot.play("site.yml")
    assert served.status == 0, served.output
    assert not boot.lab.status()["n1"], "nobody has switched it on"

    boot.lab.power_on("n1", wait=False)
    boot.lab.wait("n1")
    address = boot.address()
    assert " /ready/n1" in boot.seen("prov", "cat /run/underlay-pxe-http/ready.log")
    assert f"{boot.mac} {address} " in boot.seen("prov", f"cat {LEASES}")
    assert f" {address}/24 " in boot.seen("n1", "ip -o -4 address show dev enp0s3")

    boot.state("operational")
    operational = boot.play("site.yml")
    assert operational.status == 0, operational.output
    assert "Verdict: ok" in operational.output
    _without_a_trace(boot)
    again = boot.play("site.yml")
    assert (again.status, again.changed) == (0, 0), again.output

    _boots_by_nobody(boot)


def _without_a_trace(boot: Boot) -> None:
    """S4.1: address, lease, socket, route, file; on the host, and on the server what it knew."""
    for command in (
        "ip -o address show",
        "ip route show table all",
        "cat /run/systemd/netif/leases/* 2>/dev/null",
        "ss -Hlnup; ss -Hlntp",
        "cat /etc/netplan/*",
    ):
        assert "10.25.1." not in boot.seen("n1", command), command
    assert LEFTOVER not in boot.seen("n1", "ls /etc/netplan")
    assert "10.21.1." in boot.seen("n1", "ip -o address show dev enp0s3.101")
    assert boot.mac not in boot.seen("prov", f"cat {LEASES}")
    assert f"dhcp-host={boot.mac},ignore" in boot.seen("prov", "cat /etc/underlay/*/dnsmasq.conf")
    scripts = boot.seen("prov", "ls /etc/underlay/underlay-pxe-http/boot")
    assert boot.mac.replace(":", "-") not in scripts


def _boots_by_nobody(boot: Boot) -> None:
    """Its ROM asks again after a power cut, and the server keeps silent."""
    log = "/run/underlay-test-dhcp"
    watch = "tcpdump -l -n -e -i enp0s3.600 udp port 67 or udp port 68"
    boot.lab.ssh(
        "prov",
        f"systemd-run -q --collect --unit=underlay-test -p StandardOutput=file:{log} {watch}",
    )
    boot.lab.ssh("prov", "until grep -q . /proc/net/packet; do sleep 0.2; done; sleep 1")
    boot.lab.power_cut("n1")
    boot.lab.power_on("n1", wait=False)
    end = time.monotonic() + 120
    while boot.seen("prov", f"grep -c {boot.mac} {log}").strip() in ("", "0", "1"):
        assert time.monotonic() < end, "the machine does not ask"
        time.sleep(1)
    heard = boot.seen("prov", f"systemctl stop underlay-test; cat {log}")
    assert "BOOTP/DHCP, Request" in heard
    assert "BOOTP/DHCP, Reply" not in heard
