# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a door to firewalld from where its bindings are: with the host's own Python, beside it.

A pickled request a line on stdin, in base64: a method's name and its arguments. An answer a line on
stdout: ("value", what came back) or ("error", class, code, text). What is not plain Python would
not reach the other side, which has no D-Bus.
"""

import base64
import pickle
import sys

from ansible_collections.underlay.cluster.plugins.module_utils import iptables_keeping
from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_open import open_door

door = None
saved = None


def do(method: str, *arguments):  # type: ignore[no-untyped-def]
    """Do as asked."""
    global door, saved  # noqa: PLW0603 - one door a process
    if method == "open":
        door = open_door(*arguments)
        return type(door).__name__
    if method == "save":
        saved = iptables_keeping.save()
        return None
    if method == "put_back":
        return iptables_keeping.put_back(saved)
    asked = getattr(door, method)
    return asked(*arguments) if callable(asked) else asked


def main() -> None:
    for line in sys.stdin:
        try:
            answer = ("value", do(*pickle.loads(base64.b64decode(line))))
        except HostError as error:
            answer = ("error", type(error).__name__, getattr(error, "code", ""), str(error))
        sys.stdout.write(base64.b64encode(pickle.dumps(answer)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
