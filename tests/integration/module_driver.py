# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules of the collection, one after the other, with the host's own Python.

A JSON request a line on stdin (`name`, `args`, `check`), the module's result a line on stdout. Each
run is a process of its own, forked off this one: like a module that has just been started, without
the second that starting takes.
"""

import importlib
import json
import os
import sys
import tempfile
import traceback

from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.underlay.cluster.plugins.modules."


def answer(request: dict) -> str:
    """Run a module in a child and return what it printed, as one line."""
    with tempfile.TemporaryFile("w+") as out:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            run(request)
        os.waitpid(child, 0)
        out.seek(0)
        printed = out.read()
    try:
        return json.dumps(json.loads(printed))
    except ValueError:
        return json.dumps({"failed": True, "msg": "no result", "printed": printed})


def run(request: dict) -> None:
    """Run a module in this process, which ends with it."""
    args = {
        **request["args"],
        "_ansible_check_mode": request["check"],
        "_ansible_diff": True,
        "_ansible_remote_tmp": tempfile.gettempdir(),
    }
    try:
        with patch_module_args(args):
            importlib.import_module(MODULES + request["name"]).main()
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 - a traceback is a result to be seen, too
        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(MODULES + name)
    for line in sys.stdin:
        sys.stdout.write(answer(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
