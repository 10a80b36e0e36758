"""Whatever a host refuses is told as a sentence, in one place."""

from __future__ import annotations

import subprocess
from typing import NoReturn

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError, told_plainly


class FailedError(Exception):
    pass


class Module:
    """Keeps what would be shown to the user."""

    msg = ""
    problems: object = None

    def fail_json(self, msg: str, **kwargs: object) -> NoReturn:
        self.msg = msg
        self.problems = kwargs["problems"]
        raise FailedError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (HostError("No carrier.", ["enp0s3"]), "No carrier.\n- enp0s3"),
        (
            subprocess.TimeoutExpired(["netplan", "apply"], 120),
            "'netplan apply' did not end within 120 s on this host.",
        ),
        (
            subprocess.CalledProcessError(2, ["ip", "link"], stderr="no such device\n"),
            "'ip link' failed with code 2: no such device",
        ),
        (
            PermissionError(1, "Operation not permitted", "/etc/netplan/60-a.yaml"),
            "The host refused an operation: /etc/netplan/60-a.yaml: Operation not permitted"
            " (this module needs root: run the task with become).",
        ),
        (
            OSError(28, "No space left on device"),
            "The host refused an operation: No space left on device.",
        ),
    ],
)
def test_failure_becomes_a_sentence(error: Exception, sentence: str) -> None:
    module = Module()
    with pytest.raises(FailedError), told_plainly(module):
        raise error
    assert module.msg == sentence


def test_a_programming_error_is_not_hidden() -> None:
    with pytest.raises(KeyError), told_plainly(Module()):
        raise KeyError("typo")
