# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S4.1: a real dnsmasq on a network of the cluster is found, and keeps nothing of the question.

It runs as Debian's package has it, and so it looks for seconds whether an address is free before it
offers it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration import debian_packages
from tests.unit.module_utils.netns import _die_with_parent, why_not
from tests.unit.module_utils.test_probe_netns import Net
from tests.unit.module_utils.test_probe_networks_netns import net

__all__ = ["net"]

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

SECONDS = 30


@pytest.fixture(scope="module")
def dnsmasq() -> list[str]:
    """The command that runs dnsmasq: the machine's own, or one that is fetched."""
    try:
        folder = debian_packages.tree(("dnsmasq-base",))
    except debian_packages.Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    if folder is None:
        found = shutil.which("dnsmasq", path="/usr/sbin")
        assert found is not None
        return [found]
    libraries = ":".join(str(path) for path in (folder / "usr" / "lib").glob("*-linux-gnu*"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(folder / "usr" / "sbin" / "dnsmasq")]


@contextmanager
def serving(net: Net, dnsmasq: list[str], leases: Path, *more: str) -> Iterator[None]:
    """A dnsmasq on the router's link."""
    process = subprocess.Popen(
        [
            "nsenter", f"--net=/proc/{net.router.pid}/ns/net", *dnsmasq,
            "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root",
            "--port=0", "--interface=r0", "--bind-interfaces", "--pid-file=",
            f"--dhcp-leasefile={leases}", *more,
        ],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing else runs in the child
    )  # fmt: skip
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("sockets bound exclusively to interface r0" in line for line in lines)
        yield
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def test_a_server_that_looks_before_it_offers_is_heard_and_keeps_no_lease(
    net: Net, dnsmasq: list[str], tmp_path: Path
) -> None:
    net.expect["silent"] = [{"network": "lcm", "link": "lan"}]
    leases = tmp_path / "leases"
    with serving(net, dnsmasq, leases, "--dhcp-range=10.9.0.50,10.9.0.60"):
        ((check, subject, seen),) = net.findings()
    assert (check, subject) == ("pxe", "DHCP server 10.9.0.1")
    assert seen.startswith("offers 10.9.0.5")
    assert seen.endswith(" on lan")
    assert not leases.exists() or leases.read_text() == ""


def test_a_server_that_only_tells_machines_how_to_boot_is_heard(
    net: Net, dnsmasq: list[str], tmp_path: Path
) -> None:
    net.expect["silent"] = [{"network": "lcm", "link": "lan"}]
    proxy = ("--dhcp-range=10.9.0.0,proxy", "--pxe-service=X86-64_EFI,Boot,loader", "--enable-tftp")
    with serving(net, dnsmasq, tmp_path / "leases", *proxy, f"--tftp-root={tmp_path}"):
        found = net.findings()
    assert found == [("pxe", "DHCP server 10.9.0.1", "offers a way to boot on lan")]
