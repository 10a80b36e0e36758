# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to firewalld with a D-Bus of our own making: whom they go to, and what failures become."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils import (
    firewalld_bindings,
    firewalld_call,
    firewalld_open,
)
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_bus import BusDoor
from ansible_collections.underlay.cluster.plugins.module_utils.firewalld_door import (
    FirewalldError,
    Gone,
    NoAnswer,
    NotRunning,
    Refused,
)

NAME = "org.fedoraproject.FirewallD1"
OWNER = ":1.7"
ERROR = "org.freedesktop.DBus.Error."


class DBusError(Exception):
    """What dbus-python raises."""

    def __init__(self, name: str | None, message: str | None = None) -> None:
        super().__init__(message)
        self._name, self._message = name, message

    def get_dbus_name(self) -> str | None:
        return self._name

    def get_dbus_message(self) -> str | None:
        return self._message


class Bus:
    """A bus with one firewalld, which answers `replies` or raises them."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {"GetNameOwner": OWNER, "NameHasOwner": True}
        self.sent: list[tuple[Any, ...]] = []

    def set_exit_on_disconnect(self, on: bool) -> None:
        assert on is False

    def call_blocking(self, name: str, *call: Any, timeout: float) -> Any:
        self.sent.append((name, *call, timeout))
        reply = self.replies[call[2]]
        if isinstance(reply, Exception):
            raise reply
        return reply


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    made = Bus()
    modules = {
        "dbus": SimpleNamespace(
            SystemBus=lambda: made,
            exceptions=SimpleNamespace(DBusException=DBusError),
            PROPERTIES_IFACE="org.freedesktop.DBus.Properties",
        ),
        "firewall.config.dbus": SimpleNamespace(
            DBUS_INTERFACE=NAME, DBUS_PATH="/main", DBUS_PATH_CONFIG="/main/config"
        ),
        "firewall.core.rich": SimpleNamespace(),
    }
    for module in (firewalld_call, firewalld_bindings):
        monkeypatch.setattr(module, "binding", modules.__getitem__)
    return made


def test_calls_go_to_the_process_that_was_there_and_carry_our_timeout(bus: Bus) -> None:
    bus.replies["getDefaultZone"] = "public"
    assert BusDoor(7.5).default_zone() == "public"
    # to the name itself goes only what cannot start anything
    assert bus.sent == [
        ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
         "GetNameOwner", "s", (NAME,), 7.5),
        (OWNER, "/main", NAME, "getDefaultZone", "", (), 7.5),
    ]  # fmt: skip


def test_calls_are_counted(bus: Bus) -> None:
    bus.replies |= {"getDefaultZone": "public", "Get": "nftables"}
    door = BusDoor(1)
    assert door.calls == 0
    door.default_zone()
    door.backend()
    assert door.calls == 2


@pytest.mark.parametrize(
    ("name", "message", "kind", "words"),
    [
        ("NoReply", "no reply", NoAnswer, "within 3 s"),
        ("TimedOut", None, NoAnswer, "raise 'timeout'"),
        ("ServiceUnknown", None, Gone, "run again"),
        ("Disconnected", None, Gone, "stopped or restarted"),
        ("AccessDenied", "not for you", Refused, "run the task with become"),
        ("UnknownMethod", "no such method", Refused, "'getDefaultZone': no such method"),
    ],
)
def test_failures_of_dbus_become_sentences(
    bus: Bus, name: str, message: str | None, kind: type[FirewalldError], words: str
) -> None:
    bus.replies["getDefaultZone"] = DBusError(ERROR + name, message)
    with pytest.raises(kind, match=words):
        BusDoor(3).default_zone()


def test_silence_of_a_process_that_has_ended_is_no_timeout(bus: Bus) -> None:
    bus.replies |= {"getDefaultZone": DBusError(ERROR + "NoReply"), "NameHasOwner": False}
    with pytest.raises(Gone):
        BusDoor(3).default_zone()
    bus.replies["NameHasOwner"] = DBusError(ERROR + "Disconnected")
    with pytest.raises(Gone):
        BusDoor(3).default_zone()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("ZONE_CONFLICT: eth1", "ZONE_CONFLICT"),
        ("NO_DEFAULTS", "NO_DEFAULTS"),
        ("something: went wrong", ""),
        ("", ""),
    ],
)
def test_a_refusal_has_firewallds_own_word(bus: Bus, said: str, code: str) -> None:
    bus.replies["getDefaultZone"] = DBusError(f"{NAME}.Exception", said)
    with pytest.raises(Refused, match=r"firewalld refused 'getDefaultZone': .") as refused:
        BusDoor(3).default_zone()
    assert refused.value.code == code


def test_what_cannot_be_sent_is_refused(bus: Bus) -> None:
    bus.replies["getDefaultZone"] = ValueError("embedded null byte")
    with pytest.raises(Refused, match="null byte"):
        BusDoor(3).default_zone()


def test_nobody_at_the_name_is_not_running(bus: Bus) -> None:
    bus.replies["GetNameOwner"] = DBusError(ERROR + "NameHasNoOwner")
    with pytest.raises(NotRunning, match="systemctl start firewalld"):
        BusDoor(3)


@pytest.mark.parametrize(("version", "fine"), [
    ("0.8.2", False), ("0.9", True), ("0.9.0", True), ("1.3.3", True), ("2.0.0~rc1", True),
    ("0.6.3", False),
])  # fmt: skip
def test_a_firewalld_that_is_too_old_is_named(bus: Bus, version: str, fine: bool) -> None:
    bus.replies["Get"] = version
    if fine:
        assert isinstance(firewalld_open.open_door({"timeout": 3}), BusDoor)
        return
    with pytest.raises(FirewalldError, match=rf"firewalld {version}; 0\.9\.0 or newer"):
        firewalld_open.open_door({"timeout": 3})


class TestMissingBindings:
    @pytest.fixture(autouse=True)
    def missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(firewalld_open, "missing_bindings", lambda: "No module named 'dbus'")

    def test_the_module_starts_anew_under_a_python_that_has_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Started(Exception):  # noqa: N818 - stands for the process that takes over
            pass

        def start(interpreter: str) -> None:
            raise Started(interpreter)

        monkeypatch.setattr(firewalld_open, "has_respawned", lambda: False)
        monkeypatch.setattr(
            firewalld_open,
            "probe_interpreters_for_module",
            lambda _paths, _name: "/usr/bin/python3",
        )
        monkeypatch.setattr(firewalld_open, "respawn_module", start)
        with pytest.raises(Started, match="/usr/bin/python3"):
            firewalld_open.open_door({})

    @pytest.mark.parametrize("respawned", [True, False])
    def test_nowhere_is_told_with_the_packages_name(
        self, monkeypatch: pytest.MonkeyPatch, respawned: bool
    ) -> None:
        monkeypatch.setattr(firewalld_open, "has_respawned", lambda: respawned)
        monkeypatch.setattr(
            firewalld_open, "probe_interpreters_for_module", lambda _paths, _name: None
        )
        with pytest.raises(FirewalldError, match=r"install the package python3-firewall.*'dbus'"):
            firewalld_open.open_door({})
