"""Read untyped data and collect every problem on the way: where it is, what is there, what would
be right.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

WORD = re.compile(r"[a-z][a-z0-9-]{0,14}\Z")


class Reader:
    """Typed access that never raises: a wrong value becomes a problem and a harmless stand-in."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, path: str, value: object, right: str) -> None:
        """Note a problem at ``path``."""
        self.problems.append(f"{path or 'the file'}: {value!s}: should be {right}")

    def mapping(self, path: str, value: Any) -> dict[str, Any]:
        """Return a dict, or an empty one."""
        if isinstance(value, dict):
            return value
        self.problem(path, value, "a mapping")
        return {}

    def sequence(self, path: str, value: Any) -> list[Any]:
        """Return a list, or an empty one."""
        if isinstance(value, list):
            return value
        self.problem(path, value, "a list")
        return []

    def items(self, path: str, value: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return the mappings of a list, each with its own path."""
        entries = enumerate(self.sequence(path, value))
        return [(f"{path}[{i}]", self.mapping(f"{path}[{i}]", item)) for i, item in entries]

    def only(self, path: str, value: dict[str, Any], keys: tuple[str, ...]) -> None:
        """Note every key that is not one of ``keys``."""
        for key, item in value.items():
            if key not in keys:
                self.problem(
                    f"{path}.{key}".lstrip("."), item, f"absent; known are {', '.join(keys)}"
                )

    def number(self, path: str, value: Any, low: int, high: int) -> int:
        """Return an integer between the limits, or the lower one."""
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.problem(path, value, f"a number from {low} to {high}")
        return low

    def word(self, path: str, value: Any) -> str:
        """Return a short name that fits host names, file names and sockets, or an empty string."""
        if isinstance(value, str) and WORD.match(value):
            return value
        self.problem(
            path, value, "1 to 15 small letters, digits and hyphens, beginning with a letter"
        )
        return ""

    def choice(self, path: str, value: Any, known: tuple[str, ...]) -> str:
        """Return one of the known words, or an empty string."""
        if isinstance(value, str) and value in known:
            return value
        self.problem(path, value, f"one of {', '.join(known) or '(none is defined)'}")
        return ""

    def members(self, path: str, value: Any, known: tuple[int, ...]) -> tuple[int, ...]:
        """Return a list of known VLAN ids without the wrong ones."""
        right: list[int] = []
        for index, item in enumerate(self.sequence(path, value)):
            if item in known and item not in right:
                right.append(item)
            else:
                self.problem(f"{path}[{index}]", item, "the id of a VLAN of this topology, once")
        return tuple(right)

    def network(self, path: str, value: Any) -> IPv4Network:
        """Return an IPv4 network, or a stand-in that contains every address."""
        try:
            return IPv4Network(str(value))
        except ValueError:
            self.problem(path, value, "an IPv4 network such as 192.168.60.0/24")
            return IPv4Network("0.0.0.0/0")

    def address(self, path: str, value: Any, network: IPv4Network) -> IPv4Address:
        """Return an address usable by a host of ``network``."""
        try:
            address = IPv4Address(str(value))
        except ValueError:
            self.problem(path, value, f"an address in {network}")
            return IPv4Address(0)
        if address not in network or address in (
            network.network_address,
            network.broadcast_address,
        ):
            self.problem(path, value, f"an address for hosts in {network}")
        return address
