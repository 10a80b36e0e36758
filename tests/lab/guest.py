"""One virtual machine: its QEMU command line and its life."""

from __future__ import annotations

from dataclasses import dataclass

from . import naming, process, qmp
from .image import Image
from .layout import USER_SLOT, Host, Nic
from .paths import LabPaths
from .switch import PROVISIONING, UPLINK

DISK_SLOT, RANDOM_SLOT = 8, 9
EMPTY_DISK = "3G"
# The last word reaches systemd as an environment variable: compiling the system call filters of its
# services takes an emulated processor seconds at each boot.
KERNEL_WORDS = (
    "console=ttyS0 quiet loglevel=4 systemd.show_status=no rd.udev.log_level=3 mitigations=off"
    " audit=0 nowatchdog no_timer_check rcupdate.rcu_expedited=1 cryptomgr.notests"
    " random.trust_cpu=on nokaslr SYSTEMD_SECCOMP=0"
)
# An emulated processor is fast at reading its own clock and slow at asking the machine's. The
# kernel trusts the former only when told so: on a busy machine it would fall back.
EMULATED_WORDS = " clocksource=tsc tsc=reliable"
# No AVX: the C library then takes simpler string functions, which emulate quicker.
EMULATED = ("-accel", "tcg,thread=multi,tb-size=128", "-cpu", "Nehalem")
ACCELERATED = ("-accel", "kvm", "-cpu", "host")


@dataclass(frozen=True)
class Guest:
    """A host of a lab as a process."""

    lab: str
    host: Host
    paths: LabPaths
    image: Image
    kvm: bool

    @property
    def running(self) -> bool:
        """Whether the machine has power."""
        return process.running(self.paths.pid(self.host.name)) is not None

    @property
    def kernel_words(self) -> str:
        """The kernel's command line."""
        return KERNEL_WORDS + ("" if self.kvm else EMULATED_WORDS)

    def create_disk(self) -> None:
        """Make an overlay over the shared image, or an empty disk for an empty machine."""
        disk, base = str(self.paths.disk(self.host.name)), str(self.image.disk)
        command = ["qemu-img", "create", "-q", "-f", "qcow2"]
        command += [disk, EMPTY_DISK] if self.host.empty else ["-b", base, "-F", "raw", disk]
        process.run(command)

    def power_on(self) -> None:
        """Start the machine; it boots from its disk as it was left."""
        name = self.host.name
        self.paths.qmp(name).unlink(missing_ok=True)
        process.start(self.paths.pid(name), self.command(), self.paths.log(name))

    def power_cut(self) -> bool:
        """Take the power away, in the middle of whatever it does; return whether it was running."""
        was = process.kill(self.paths.pid(self.host.name))
        self.paths.qmp(self.host.name).unlink(missing_ok=True)
        return was

    def set_link(self, nic: str, up: bool) -> None:
        """Plug a cable in or out: the guest sees the carrier come or go."""
        qmp.execute(self.paths.qmp(self.host.name), "set_link", name=nic, up=up)

    def command(self) -> list[str]:
        """Return QEMU's command line."""
        name = self.host.name
        machine = ["-name", f"{self.lab}-{name}", "-M", "q35,hpet=off"]
        machine += ACCELERATED if self.kvm else EMULATED
        machine += ["-m", str(self.host.memory), "-smp", "1"]
        machine += ["-nodefaults", "-no-user-config", "-display", "none"]
        machine += ["-serial", f"file:{self.paths.console(name)}"]
        machine += ["-qmp", f"unix:{self.paths.qmp(name)},server=on,wait=off"]
        # The BIOS tries the network only on a machine with a display adapter: tried.
        boot = ["-boot", "order=n", "-vga", "std"]
        if not self.host.empty:
            boot = self._direct_boot()
        disk = ["-drive", f"if=none,id=disk,format=qcow2,file={self.paths.disk(name)}"]
        disk += ["-device", f"virtio-blk-pci,drive=disk,addr={DISK_SLOT:#x}"]
        disk += ["-device", f"virtio-rng-pci,addr={RANDOM_SLOT:#x}"]
        return ["qemu-system-x86_64", *machine, *boot, *disk, *self._network()]

    def _direct_boot(self) -> list[str]:
        name = self.host.name
        boot = ["-kernel", str(self.image.kernel), "-initrd", str(self.paths.initrd(name))]
        return [*boot, "-append", self.kernel_words]

    def _network(self) -> list[str]:
        words = self._nic(PROVISIONING, self.host.provisioning)
        for index, nic in enumerate(self.host.uplinks):
            words += self._nic(UPLINK, nic, boots=self.host.empty and index == 0)
        if self.host.gateway:
            forward = f"hostfwd=tcp:127.0.0.1:{naming.ssh_port(self.lab)}-:22"
            name = f"enp0s{USER_SLOT}"
            words += ["-netdev", f"user,id=net-{name},restrict=on,ipv6=off,{forward}"]
            words += ["-device", self._card(name, USER_SLOT)]
        return words

    def _nic(self, switch: str, nic: Nic, boots: bool = False) -> list[str]:
        socket = self.paths.switch(switch)
        netdev = f"vde,id=net-{nic.name},sock={socket},port={nic.port}"
        return ["-netdev", netdev, "-device", self._card(nic.name, nic.slot, boots)]

    def _card(self, name: str, slot: int, boots: bool = False) -> str:
        mac = naming.mac(self.lab, self.host.name, name)
        # The ROM that a card has by default is the one that boots over the network.
        rom = "bootindex=1" if boots else "romfile="
        return f"virtio-net-pci,id={name},netdev=net-{name},mac={mac},addr={slot:#x},{rom}"
