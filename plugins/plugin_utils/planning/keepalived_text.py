# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived's configuration of the virtual addresses that one host may hold, as text.

An address moves only when it has to: none is preempted (`nopreempt`), and a holder whose service is
dead gives up only while another holder's answers. A weight on the priority would not do: with
`nopreempt` it moves nothing, and without, the successor has the address before the old holder has
heard of it. A holder that gives up takes the address off first, and others wait for their skew time
(RFC 5798, 6.1), so nobody holds it twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_GLOBAL = """\
global_defs {
    # One format for both address families; IPv6 has no other (RFC 5798).
    vrrp_version 3
    # Only the other holders are listened to.
    vrrp_check_unicast_src
    # A link that is away for a while is waited for.
    dynamic_interfaces
    # Who runs already takes over before one that was just started, never at the same time: those
    # wait for at most four seconds (RFC 5798, 6.1), and it for three at least and these.
    vrrp_startup_delay 2
    script_user root
    enable_script_security
}
"""
# Adverts from beyond a router are not those of a neighbour (RFC 5798, 5.1.1.3).
_TTL = 255
# 255 would say that the address is the host's own, 0 that it is given up (RFC 5798, 5.2.4).
_HIGHEST = 200
# A backup that hears an address given up takes it after 1/256 s for each step that its priority is
# below 256 (RFC 5798, 6.1). From 200 down that is time enough for the old holder to take it off,
# and 50 between two for the second to hear of the first, also on hosts under load.
_STEP = 50

SCRIPT = "answers.py"
PYTHON = "/usr/bin/python3"
SCRIPT_TEXT = '''\
"""Ends with 0 if this host may hold a virtual address, and with 1 to leave it to another host.

Arguments: the host's own address, the service's port, this host's loopback address, the other
holders' addresses. Before the service is there at all nobody answers, and somebody holds the
address all the same. A host that has lost its own address would hear no other holder.
"""

import errno
import select
import socket
import sys
import time

SECONDS = 1.0


def answers(addresses, port):
    """Whether a TCP connection to one of the addresses is accepted in time."""
    waiting = {}
    poll = select.poll()
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        asking = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if asking.connect_ex((address, port)) in (0, errno.EINPROGRESS):
            waiting[asking.fileno()] = asking
            poll.register(asking, select.POLLOUT)
    deadline = time.monotonic() + SECONDS
    while waiting and time.monotonic() < deadline:
        for number, _event in poll.poll(1000 * max(deadline - time.monotonic(), 0)):
            poll.unregister(number)
            asking = waiting.pop(number)
            if asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                return True
            asking.close()
    return False


def is_here(address):
    """Whether an address is on one of this host's links."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trying:
        try:
            trying.bind((address, 0))
        except OSError:
            return False
    return True


def may_hold(source, port, own, others):
    """Whether this host is a good holder, or no worse than the others."""
    if not is_here(source):
        return False
    if answers([own], port):
        return True
    time.sleep(SECONDS)
    return answers([own], port) or not answers(others, port)


source, port, own, *others = sys.argv[1:]
sys.exit(0 if may_hold(source, int(port), own, others) else 1)
'''

START = "start.py"
# keepalived 2.2 that starts before an address of its host's own is there stays at fault for ever,
# and After=network.target promises no address.
START_TEXT = '''\
"""Runs a command in its own place, once all of the host's own addresses are there.

Arguments: the addresses, with commas; the command. After a minute it is run with what is there.
"""

import os
import socket
import sys
import time

SECONDS = 60.0


def is_here(address):
    """Whether an address is on one of this host's links, and no duplicate is looked for."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trying:
        try:
            trying.bind((address, 0))
        except OSError:
            return False
    return True


addresses, *command = sys.argv[1:]
deadline = time.monotonic() + SECONDS
missing = addresses.split(",")
while missing and time.monotonic() < deadline:
    missing = [address for address in missing if not is_here(address)]
    time.sleep(0.2 if missing else 0)
if missing:
    print("starting without", *missing, file=sys.stderr, flush=True)
os.execv(command[0], command)
'''


@dataclass(frozen=True, slots=True)
class Instance:
    """A virtual address on one of its holders.

    own: the host's address in the segment; others: those of the other holders there
    place: the host's place among the holders, from 0
    """

    name: str
    address: str
    port: int
    link: str
    router_id: int
    own: str
    others: Sequence[str]
    place: int

    @property
    def word(self) -> str:
        """The name that keepalived knows it by: one word, the same on all holders."""
        return re.sub(r"[^A-Za-z0-9_.-]", "-", self.name) + f"-{self.router_id}"

    @property
    def priority(self) -> int:
        """The VRRP priority, different on each holder."""
        return priority(self.place, len(self.others) + 1)


def priority(place: int, holders: int) -> int:
    """Return the priority of a holder by its place, far apart as long as there are few."""
    return _HIGHEST - place * max(1, min(_STEP, (_HIGHEST - 1) // holders))


def keepalived_conf(instances: Sequence[Instance], folder: str) -> str:
    """Return the whole keepalived.conf. folder: where the script lies on the host."""
    parts = [_GLOBAL]
    for instance in instances:
        parts += [_script(instance, folder), _instance(instance)]
    return "\n".join(parts)


def _script(instance: Instance, folder: str) -> str:
    loopback = "::1" if ":" in instance.address else "127.0.0.1"
    words = [PYTHON, "-IS", f"{folder}/{SCRIPT}", instance.own, str(instance.port), loopback]
    words += instance.others
    return f"""\
vrrp_script {instance.word} {{
    script "{" ".join(words)}"
    # A host that lost its own address must know before others take over, 2 s later (RFC 5798, 6.1).
    interval 1
    fall 1
    rise 2
    # Longer than the script itself waits, which asks twice: a slow host is not a dead service.
    timeout 10
}}
"""


def _instance(instance: Instance) -> str:
    length = 128 if ":" in instance.address else 32
    return f"""\
vrrp_instance {instance.word} {{
    interface {instance.link}
    virtual_router_id {instance.router_id}
    # Nobody begins as the holder: at its start a host first listens for three adverts.
    state BACKUP
    nopreempt
    priority {instance.priority}
    advert_int 1
{_unicast(instance)}\
    # Neighbours that missed the first announcement get another, and then one each minute.
    garp_master_delay 5
    garp_master_refresh 60
    virtual_ipaddress {{
        # The subnet's route is the host's own address'; a second one would go with the holder.
        {instance.address}/{length} dev {instance.link}
    }}
    track_script {{
        {instance.word}
    }}
}}
"""


def _unicast(instance: Instance) -> str:
    """Adverts go to the other holders alone; keepalived has no unicast without a peer."""
    if not instance.others:
        return ""
    peers = "".join(f"        {address} min_ttl {_TTL}\n" for address in instance.others)
    return f"""\
    unicast_src_ip {instance.own}
    unicast_ttl {_TTL}
    unicast_peer {{
{peers}    }}
"""
