#!/bin/sh
# Runs at the end of mmdebstrap, with the new root folder as its only argument: kernel, services, speed.
set -eu
root=$1

# The cloud kernel is unpacked, not installed: no bootloader, no initramfs tools in the image.
cd "$root/tmp"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
export APT_CONFIG
kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
apt-get -q download "$kernel"
dpkg -x "$kernel"_*.deb kernel
cp kernel/boot/vmlinuz-* "$root/boot/vmlinuz"
mkdir -p "$root/usr/lib/modules"
cp -a kernel/lib/modules/. "$root/usr/lib/modules/"
rm -rf kernel "$kernel"_*.deb
release=$(ls "$root/usr/lib/modules")
# No graphics, sound or foreign file systems in a lab host.
rm -rf "$root/usr/lib/modules/$release/kernel/sound" "$root/usr/lib/modules/$release/kernel/drivers/gpu"
# Checking a module's signature costs an emulated processor more than loading it: they are cut off.
chroot "$root" python3 - "/usr/lib/modules/$release" <<'PYTHON'
import pathlib
import sys

MARK = b"~Module signature appended~\n"
for path in pathlib.Path(sys.argv[1]).rglob("*.ko"):
    data = path.read_bytes()
    if data.endswith(MARK):
        # The struct module_signature before the mark ends with the signature's length, big endian.
        length = int.from_bytes(data[-len(MARK) - 4 : -len(MARK)], "big")
        path.write_bytes(data[: -len(MARK) - 12 - length])
PYTHON
chroot "$root" depmod "$release"
echo "$release" > "$root/boot/release"

# Who a host is comes from outside at its first boot; bond MAC addresses derive from the machine id.
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root"/etc/ssh/ssh_host_*
: > "$root/etc/fstab"
mkdir -p "$root/etc/netplan" "$root/root/.ssh"
chmod 0700 "$root/root/.ssh"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$root/etc/hosts"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
chroot "$root" passwd -q -d root

# Installed, but started only by those who want them.
systemctl --root="$root" -q disable firewalld.service keepalived.service dnsmasq.service lldpd.service nginx.service

# What only costs time in a host that lives for minutes: each process is dear in an emulated machine.
systemctl --root="$root" -q mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-tmpfiles-clean.timer getty@tty1.service serial-getty@ttyS0.service \
    systemd-networkd-wait-online.service systemd-pstore.service systemd-timesyncd.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-journal-catalog-update.service \
    systemd-hwdb-update.service ldconfig.service systemd-machine-id-commit.service systemd-binfmt.service \
    systemd-random-seed.service systemd-sysusers.service systemd-remount-fs.service systemd-firstboot.service \
    systemd-repart.service systemd-logind.service systemd-journal-flush.service kmod-static-nodes.service \
    modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service \
    modprobe@fuse.service modprobe@loop.service dev-hugepages.mount dev-mqueue.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
    proc-sys-fs-binfmt_misc.automount systemd-ask-password-console.path systemd-ask-password-wall.path
mkdir -p "$root/etc/systemd/system-generators"
for generator in "$root"/usr/lib/systemd/system-generators/systemd-*; do
    ln -s /dev/null "$root/etc/systemd/system-generators/${generator##*/}"
done
# Sessions without logind: a login over ssh starts no user manager.
sed -i '/pam_systemd/d' "$root/etc/pam.d/common-session"
mkdir -p "$root/etc/systemd/system/ssh.service.d" "$root/etc/systemd/system/systemd-udev-trigger.service.d"
printf '[Service]\nExecStartPre=\n' > "$root/etc/systemd/system/ssh.service.d/lab.conf"
cat > "$root/etc/systemd/system/systemd-udev-trigger.service.d/lab.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=-udevadm trigger --action=add --subsystem-match=pci --subsystem-match=virtio --subsystem-match=net \
    --subsystem-match=block --subsystem-match=misc
UNIT
# The gateway alone has this file: it serves DHCP and DNS.
cat > "$root/etc/systemd/system/lab-dnsmasq.service" <<'UNIT'
[Unit]
Description=DHCP and DNS of the lab
ConditionPathExists=/etc/dnsmasq.d/lab.conf
After=systemd-networkd.service
Before=ssh.service

[Service]
ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/dnsmasq.d/lab.conf
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
UNIT
systemctl --root="$root" -q enable lab-dnsmasq.service
systemctl --root="$root" -q set-default multi-user.target
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system.conf.d" "$root/etc/ssh/sshd_config.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
printf '[Manager]\nDefaultTimeoutStopSec=15s\n' > "$root/etc/systemd/system.conf.d/lab.conf"
printf 'PermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 100\nMaxSessions 100\n' \
    > "$root/etc/ssh/sshd_config.d/lab.conf"
# sshd starts at once: it is the sign that a host is ready.
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nPrintMotd no\nPrintLastLog no\n' \
    >> "$root/etc/ssh/sshd_config.d/lab.conf"
sed -i '/pam_motd/d; /pam_mail/d; /pam_lastlog/d' "$root/etc/pam.d/sshd"

# Python starts quicker with its bytecode in place, which the package manager may have left out.
chroot "$root" python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11 /usr/share/netplan >/dev/null 2>&1 || true
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
