# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to a firewalld over D-Bus: bounded in time, counted, and failing in plain sentences.

All calls go to the one process that owned firewalld's name at the start. One sent to the name
could start a firewalld that somebody stopped (D-Bus activation), and would not tell that the one
that was read is another than the one that is written.
"""

from __future__ import annotations

from typing import Any

from .firewalld_bindings import binding, refusal
from .firewalld_door import FirewalldError, Gone, NoAnswer, NotRunning, Refused

_BUS_NAME = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"
_ERROR = "org.freedesktop.DBus.Error."
_SILENCE = frozenset(_ERROR + word for word in ("NoReply", "TimedOut", "Timeout"))
_AWAY = frozenset(_ERROR + word for word in ("ServiceUnknown", "NameHasNoOwner", "Disconnected"))
_DENIED = frozenset(_ERROR + word for word in ("AccessDenied", "AuthFailed"))

HOW_TO_START = (
    "Start it ('systemctl start firewalld'), or set 'offline: true' to write its permanent"
    " configuration alone."
)


class Calls:
    """The calls to one running firewalld.

    :param timeout: seconds that each call may take. D-Bus' own default of 25 is too short for the
        reload of a large configuration.
    :raises NotRunning: no system bus, or nobody at firewalld's name.
    """

    def __init__(self, timeout: float) -> None:
        self.count = 0
        self._timeout = timeout
        self._dbus = binding("dbus")
        self.names = binding("firewall.config.dbus")
        try:
            self._bus = self._dbus.SystemBus()
        except self._dbus.exceptions.DBusException as error:
            raise NotRunning(
                "The system D-Bus of this host cannot be reached, and without it no firewalld:"
                f" {_words(error)}. {HOW_TO_START}"
            ) from error
        # a bus that ends is an error to tell, no reason to end this process
        self._bus.set_exit_on_disconnect(False)
        self._owner = self._find_owner()

    def _find_owner(self) -> str:
        name = self.names.DBUS_INTERFACE
        try:
            return str(self._ask_bus("GetNameOwner", name))
        except self._dbus.exceptions.DBusException as error:
            if error.get_dbus_name() in _AWAY:
                raise NotRunning(
                    f"firewalld is not running on this host: nobody owns the name {name} on the"
                    f" system D-Bus. {HOW_TO_START}"
                ) from error
            raise self._told("the owner of its name", error) from error

    def _ask_bus(self, method: str, name: str) -> Any:
        return self._bus.call_blocking(
            _BUS_NAME, _BUS_PATH, _BUS_NAME, method, "s", (name,), timeout=self._timeout
        )

    def call(self, path: str, interface: str, method: str, signature: str = "", *args: Any) -> Any:
        """Make a call.

        :param path: the object's path, "" for firewalld's main object.
        :param interface: below firewalld's own, as ".zone" or "".
        :param signature: D-Bus' types of ``args``.
        :return: what came back, in D-Bus' types.
        :raises FirewalldError: NoAnswer, Gone or Refused.
        """
        self.count += 1
        interface = self.names.DBUS_INTERFACE + interface
        return self._blocking(path or self.names.DBUS_PATH, interface, method, signature, args)

    def property(self, path: str, interface: str, name: str) -> Any:
        """One property of firewalld; like ``call``."""
        self.count += 1
        interface = self.names.DBUS_INTERFACE + interface
        path = path or self.names.DBUS_PATH
        properties = self._dbus.PROPERTIES_IFACE
        return self._blocking(path, properties, "Get", "ss", (interface, name))

    def _blocking(
        self, path: str, interface: str, method: str, signature: str, args: tuple[Any, ...]
    ) -> Any:
        try:
            return self._bus.call_blocking(
                self._owner, path, interface, method, signature, args, timeout=self._timeout
            )
        except self._dbus.exceptions.DBusException as error:
            raise self._told(method, error) from error
        except (TypeError, ValueError) as error:
            # dbus-python could not pack the arguments: NUL in a text, a number out of range
            raise Refused("", f"'{method}' cannot be asked of firewalld: {error}") from error

    def _told(self, method: str, error: Any) -> FirewalldError:
        name = error.get_dbus_name() or ""
        if name in _AWAY or (name in _SILENCE and not self._is_there()):
            return Gone(
                f"firewalld stopped or restarted while '{method}' was asked of it. What was done"
                " before stays done; run again to bring the rest to the desired state."
            )
        if name in _SILENCE:
            return NoAnswer(
                f"firewalld did not answer '{method}' within {self._timeout:g} s; it may still do"
                " as asked. See 'systemctl status firewalld' and its journal; where it is only"
                " slow, raise 'timeout'. Then run again."
            )
        if name in _DENIED or name.endswith("NotAuthorizedException"):
            return Refused(
                "NOT_AUTHORIZED",
                f"firewalld is not open to this user ({_words(error)}): run the task with become.",
            )
        return refusal(f"'{method}'", _words(error))

    def _is_there(self) -> bool:
        try:
            return bool(self._ask_bus("NameHasOwner", self._owner))
        except self._dbus.exceptions.DBusException:
            return False

    def typed(self, settings: dict[str, Any]) -> Any:
        """Settings as an ``a{sv}``: D-Bus cannot guess the type of an empty list."""
        typed = {key: self._value(key, value) for key, value in settings.items()}
        return self._dbus.Dictionary(typed, signature="sv")

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, bool):
            return self._dbus.Boolean(value)
        if isinstance(value, int):
            return self._dbus.Int32(value)
        if isinstance(value, dict):
            return self._dbus.Dictionary(value, signature="ss")
        if isinstance(value, (list, tuple)):
            return self._dbus.Array(value, signature=_SIGNATURES.get(key, "s"))
        return self._dbus.String(value)


_SIGNATURES = {"ports": "(ss)", "source_ports": "(ss)", "forward_ports": "(ssss)"}


def _words(error: Any) -> str:
    return str(error.get_dbus_message() or error.get_dbus_name() or error)
