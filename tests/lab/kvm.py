"""Find out whether KVM really works here: a device file alone promises nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .guest import ACCELERATED
from .image import Image
from .paths import cache_root
from .progress import Say, say, step

DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROBE_SECONDS = 10
PROBE_SIGN = b"LAB-PROBE-OK"


def works(image: Image, tell: Say = say) -> bool:
    """Whether a guest boots under KVM; tried once per boot of this machine, then remembered.

    There are machines whose ``/dev/kvm`` opens and whose guests then hang: only a kernel that
    reaches its first process within seconds is proof.
    """
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False
    memory = cache_root() / f"kvm-{BOOT_ID.read_text().strip()}"
    if not memory.exists():
        with step(tell, f"trying KVM, up to {PROBE_SECONDS} s"):
            answer = _boots(image)
        for stale in cache_root().glob("kvm-*"):
            stale.unlink(missing_ok=True)
        memory.write_text("yes" if answer else "no")
        tell("KVM works" if answer else "KVM does not work here: using software emulation")
    return memory.read_text() == "yes"


def _boots(image: Image) -> bool:
    command = ["qemu-system-x86_64", "-M", "q35", *ACCELERATED, "-m", "192", "-nodefaults"]
    command += ["-display", "none", "-serial", "stdio", "-no-reboot"]
    command += ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    command += ["-append", "console=ttyS0 quiet lab.probe"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return PROBE_SIGN in done.stdout
