"""Build the disk image, kernel and initramfs that all hosts share, once per recipe."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import apt
from .cpio import Entry, archive
from .errors import LabError
from .paths import cache_root
from .progress import Say, say, step

FORMAT = 1  # to be raised when this module makes something else of the same recipe
SUITE = "bookworm"
DISK_BYTES = 3 * 1024**3
RECIPE = Path(__file__).parent / "recipe"
# Drivers that the initramfs needs to find the disk; their dependencies are added. crc32c is what
# ext4 asks the kernel's crypto layer for by name, so no dependency shows it.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "crc32c-intel", "ext4", "virtio_net")
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Image:
    """A finished image in the cache; hosts put their own overlays and files on top."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The root file system, read only by convention."""
        return self.folder / "root.ext4"

    @property
    def kernel(self) -> Path:
        """The kernel to boot."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initramfs without any host's identity."""
        return self.folder / "initrd"


def recipe_hash() -> str:
    """Return a hash over everything that shapes the image, and nothing of this machine."""
    digest = hashlib.sha256(repr((FORMAT, SUITE, DISK_BYTES, BOOT_MODULES, EXCLUDED)).encode())
    for path in sorted(RECIPE.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def packages() -> list[str]:
    """Return the packages of the image beyond the minimal base."""
    lines = (RECIPE / "packages.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def ensure(tell: Say = say, cache: Path | None = None) -> Image:
    """Return the image of the present recipe, building it when the cache has none.

    Two builders at once do not clash: the second waits and takes the first one's result. An image
    appears in the cache complete or not at all.
    """
    images = (cache or cache_root()) / "images"
    images.mkdir(parents=True, exist_ok=True)
    name = recipe_hash()
    final = images / name
    if final.is_dir():
        return Image(final)
    with _locked(images / ".lock", tell):
        if not final.is_dir():
            for stale in images.glob(".building-*"):
                shutil.rmtree(stale)
            work = images / f".building-{name}"
            work.mkdir(mode=0o700)
            _build(work, tell)
            work.rename(final)
            _prune(images, final)
    return Image(final)


@contextmanager
def _locked(path: Path, tell: Say) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(tell, "another builder works on the image: waiting"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _prune(images: Path, newest: Path) -> None:
    """Remove older images that no lab stands on."""
    used = {newest.name}
    for state in images.parent.glob("labs/*/state.json"):
        with contextlib.suppress(ValueError, OSError, KeyError):
            used.add(json.loads(state.read_text(encoding="utf-8"))["built"]["image"])
    for image in images.iterdir():
        if image.is_dir() and image.name not in used:
            shutil.rmtree(image)


def _build(work: Path, tell: Say) -> None:
    prefix, mode = _privilege()
    tar, disk = work / "root.tar", work / "root.ext4"
    log = work / "build.log"
    with step(tell, f"building the image from Debian {SUITE} packages", lambda: _last_line(log)):
        _run([*prefix, *_bootstrap_command(mode)], log, stdout=tar)
    with step(tell, "writing the image's file system"):
        disk.touch()
        disk.chmod(0o666)  # opened again through its descriptor by root of a user namespace
        os.truncate(disk, DISK_BYTES)
        script = (RECIPE / "to-ext4.sh").read_text(encoding="utf-8")
        inside = ["mmdebstrap", "--unshare-helper"] if mode == "unshare" else prefix
        _run([*inside, "sh", "-c", script], log, stdin=tar, stdout=disk)
        disk.chmod(0o444)
        tar.unlink()
    _dump(disk, "/boot/vmlinuz", work / "vmlinuz")
    (work / "initrd").write_bytes(_initrd(disk, work))


def _privilege() -> tuple[list[str], str]:
    """Return how to make files of any owner: a command prefix and mmdebstrap's mode."""
    if not shutil.which("mmdebstrap"):
        raise LabError("mmdebstrap is missing: apt-get install mmdebstrap")
    if os.geteuid() == 0:
        return [], "root"
    probe = ["mmdebstrap", "--unshare-helper", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return [], "unshare"
    if shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], check=False).returncode:
        return ["sudo", "-n"], "root"
    raise LabError(
        "the image needs root, passwordless sudo or user namespaces with entries in /etc/subuid and"
        " /etc/subgid: run `sudo -v` first, or build it once as root"
    )


def _bootstrap_command(mode: str) -> list[str]:
    customize = (RECIPE / "customize.sh").read_text(encoding="utf-8")
    options = [f'--dpkgopt=path-exclude="{pattern}"' for pattern in EXCLUDED]
    proxy = subprocess.run(
        ["apt-config", "dump", '--format=%f "%v";%n', "Acquire::http::Proxy"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if proxy:
        options.append(f"--aptopt={proxy}")
    command = ["mmdebstrap", f"--mode={mode}", "--variant=minbase", "--format=tar", *options]
    command += [f"--include={','.join(packages())}", f"--customize-hook={customize}"]
    return [*command, SUITE, "-", *apt.mirror_lines(SUITE)]


def _run(command: list[str], log: Path, stdout: Path, stdin: Path | None = None) -> None:
    """Run a builder with its messages in ``log``; raise ``LabError`` with the log's end if it
    fails.
    """
    with (
        log.open("ab") as messages,
        stdout.open("r+b" if stdout.exists() else "wb") as out,
        (stdin or Path(os.devnull)).open("rb") as source,
    ):
        done = subprocess.run(command, stdin=source, stdout=out, stderr=messages, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"{command[0]} failed with {done.returncode}; the end of {log}:\n{tail}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return next((line.strip()[:70] for line in reversed(lines) if line.strip()), "starting")


def _dump(disk: Path, source: str, target: Path) -> bytes:
    """Copy a file out of the file system without mounting it; return its content."""
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    command = ["debugfs", "-R", f"dump {source} {target}", str(disk)]
    subprocess.run(command, capture_output=True, check=True, env=environment)
    if not target.exists() or not target.stat().st_size:
        raise LabError(f"the image lacks {source}: remove {disk.parent} and start again")
    return target.read_bytes()


def _initrd(disk: Path, work: Path) -> bytes:
    """Return the shared initramfs: busybox, the init script and the drivers in loading order."""
    scratch = work / "scratch"
    release = _dump(disk, "/boot/release", scratch).decode().strip()
    base = f"/usr/lib/modules/{release}"
    order = loading_order(_dump(disk, f"{base}/modules.dep", scratch).decode(), BOOT_MODULES)
    entries = [
        Entry("/init", (RECIPE / "init").read_bytes(), 0o755),
        Entry("/bin/busybox", _dump(disk, "/usr/bin/busybox", scratch), 0o755),
        Entry("/bin/sh", b"busybox", 0o777, link=True),
        Entry("/modules/order", "".join(f"{Path(path).name}\n" for path in order).encode()),
    ]
    entries += [
        Entry(f"/modules/{Path(path).name}", _dump(disk, f"{base}/{path}", scratch))
        for path in order
    ]
    scratch.unlink()
    return archive(entries)


def loading_order(dependencies: str, wanted: tuple[str, ...]) -> list[str]:
    """Return the files to load, in order, from a ``modules.dep`` text (depmod(8)); built-in ones
    are left out.
    """
    needs: dict[str, list[str]] = {}
    for line in dependencies.splitlines():
        path, _unused, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {_module_name(path): path for path in needs}
    order: list[str] = []
    for name in wanted:
        top = by_name.get(name.replace("-", "_"))
        for each in [*reversed(needs[top]), top] if top else []:
            if each not in order:
                order.append(each)
    return order


def _module_name(path: str) -> str:
    return Path(path).name.split(".ko")[0].replace("-", "_")
