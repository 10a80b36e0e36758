#!/bin/sh
# Turns a tar archive on standard input into an ext4 file system on standard output (a regular file of the
# wished size). Runs where files can have any owner: as root, or as root of a user namespace.
set -eu
exec 3>&1 1>&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -x -C "$work" --numeric-owner --exclude='./dev/*' -f -
PATH=$PATH:/usr/sbin:/sbin
mke2fs -q -F -t ext4 -J size=16 -L lab -m 0 -E lazy_itable_init=1 \
    -d "$work" /proc/self/fd/3
