# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strings of an L2 template: sandboxed, native Jinja2 with macros that give values.

What MOSK's templates write as `nic 0`, `mac 0`, `ip "0:lcm"`, `gateway_from_subnet "lcm"` is
`nic('uplink', 0)`, `mac('uplink', 0)`, `ip('lcm')`, `gateway('lcm')` here: values and dicts, never
text to be pasted into YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, Undefined
from jinja2.nativetypes import NativeCodeGenerator, NativeEnvironment, NativeTemplate
from jinja2.sandbox import SandboxedEnvironment

from ansible_collections.underlay.cluster.plugins.plugin_utils.model import Route, Segment
from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.host import HostView
from ansible_collections.underlay.cluster.plugins.plugin_utils.problems import Problem
from ansible_collections.underlay.cluster.plugins.plugin_utils.shapes import label


class MacroError(Exception):
    """A macro was called with what the host does not have. Says what it has."""


class _CodeGenerator(NativeCodeGenerator):
    """Keeps a literal's type: the number 1400 is no text."""

    def _output_const_repr(self, group: Iterable[Any]) -> str:
        return repr(_Environment.concat(group))


class _Environment(SandboxedEnvironment, NativeEnvironment):
    """Native values, and no way out to Python's internals."""

    code_generator_class = _CodeGenerator

    @staticmethod
    def concat(values: Iterable[Any]) -> Any:
        """Return a lone expression's value as it is, and anything longer as text.

        Jinja2's own would read text as a literal: rack "1.10" would become the number 1.1.
        """
        # A statement such as {% if %} adds an empty text.
        parts = [value for value in values if not (isinstance(value, str) and not value)] or [""]
        return parts[0] if len(parts) == 1 else "".join(map(str, parts))


class _Template(NativeTemplate):
    environment_class = _Environment


_Environment.template_class = _Template

_ENVIRONMENT = _Environment(undefined=StrictUndefined, autoescape=False)


def is_templated(value: object) -> bool:
    """Say whether a string with Jinja2 stands anywhere in value."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(is_templated(key) or is_templated(item) for key, item in value.items())
    return isinstance(value, Sequence) and any(map(is_templated, value))


class Macros:
    """What the macros of one host give. routes: a segment's derived routes."""

    def __init__(self, host: HostView, routes: Callable[[Segment], Sequence[Route]]) -> None:
        self._nics = host.nics
        self._segments = host.segments
        self._addresses = host.addresses
        self._routes = routes
        self._vips = host.vips
        self.names: dict[str, Any] = {
            "host": host.name,
            "rack": host.rack,
            "nic": self.nic,
            "mac": self.mac,
            "ip": self.ip,
            "cidr": lambda network, family=None: str(self._segment(network, family).cidr),
            "gateway": self.gateway,
            "nameservers": self.nameservers,
            "vlan": lambda network, family=None: self._segment(network, family).vlan,
            "mtu": lambda network, family=None: self._segment(network, family).mtu,
            "routes": self.routes,
            "vip": self.vip,
        }

    def nic(self, group: str, index: int = 0) -> str:
        """Return the name of a group's NIC."""
        return str(self._nic(group, index)["name"])

    def mac(self, group: str, index: int = 0) -> str:
        """Return the MAC address of a group's NIC."""
        nic = self._nic(group, index)
        if not nic.get("mac"):
            raise MacroError(f"NIC {nic['name']} has no mac in the host's NIC facts")
        return str(nic["mac"])

    def ip(self, network: str, family: int | None = None) -> str:
        """Return the host's address on a network, with its prefix length."""
        segment = self._segment(network, family)
        address = self._addresses.get((network, segment.version))
        if address is None:
            raise MacroError(f"the host has no address on {network}")
        return address

    def gateway(self, network: str, family: int | None = None) -> str:
        """Return the gateway of the host's segment."""
        segment = self._segment(network, family)
        if segment.gateway is None:
            raise MacroError(f"segment {segment.name} of {network} has no gateway")
        return str(segment.gateway)

    def nameservers(self, network: str, family: int | None = None) -> list[str]:
        """Return the name servers of the host's segment."""
        return [str(server) for server in self._segment(network, family).nameservers]

    def routes(self, network: str, family: int | None = None) -> list[dict[str, str]]:
        """Return the derived routes of the host's segment, as netplan writes them."""
        segment = self._segment(network, family)
        return [{"to": route.to, "via": route.via} for route in self._routes(segment)]

    def vip(self, name: str) -> str:
        """Return a VIP's address."""
        if name not in self._vips:
            raise MacroError(f"there is no VIP {name}; there is {_known(self._vips)}")
        return self._vips[name]

    def _nic(self, group: str, index: int) -> Mapping[str, Any]:
        nics = self._nics.get(group)
        if nics is None:
            raise MacroError(f"there is no NIC group {group}; there is {_known(self._nics)}")
        if not 0 <= index < len(nics):
            raise MacroError(f"NIC group {group} has {len(nics)} NICs, no index {index}")
        return nics[index]

    def _segment(self, network: str, family: int | None) -> Segment:
        segments = self._segments.get(network)
        if not segments:
            attached = _known(self._segments)
            raise MacroError(f"the host is not on network {network}; it is on {attached}")
        for segment in segments:
            if family in (None, segment.version):
                return segment
        raise MacroError(f"network {network} has no IPv{family} segment here")


def render(value: Any, macros: Macros, path: str, host: str, problems: list[Problem]) -> Any:
    """Return value with every string rendered. What fails is collected under its path."""
    if isinstance(value, str):
        return _render_text(value, macros, path, host, problems)
    if isinstance(value, Mapping):
        return {
            render(key, macros, f"{path}.{key}", host, problems): render(
                item, macros, f"{path}.{key}", host, problems
            )
            for key, item in value.items()
        }
    if isinstance(value, Sequence):
        return [
            render(item, macros, f"{path}[{label(item, index)}]", host, problems)
            for index, item in enumerate(value)
        ]
    return value


def _render_text(text: str, macros: Macros, path: str, host: str, problems: list[Problem]) -> Any:
    if not is_templated(text):
        return text
    try:
        rendered: Any = _compiled(text).render(macros.names)
        # A native expression gives what it finds, even what is not there; as text it fails.
        return str(rendered) if isinstance(rendered, Undefined) else rendered
    except (
        TemplateError,
        MacroError,
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
    ) as error:
        known = ", ".join(sorted(macros.names))
        right = f"Strings of an L2 template know {known}"
        problems.append(Problem(path, text, f"cannot be rendered: {error}", right, host))
        return text


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


def _known(names: Mapping[str, object]) -> str:
    return ", ".join(names) or "none"
