# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of firewalld's configuration is broken.

firewalld says what is wrong with a file, seldom which one it is. Its own readers tell it here,
file by file, on the folders where packages and users keep them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .firewalld_bindings import binding
from .firewalld_door import Refused

# module, reader, the names of its folders in firewall.config, the method that takes what was read;
# in the order in which objects name one another
_READERS = (
    ("ipset", "ipset_reader", "IPSETS", "add_ipset"),
    ("helper", "helper_reader", "HELPERS", "add_helper"),
    ("icmptype", "icmptype_reader", "ICMPTYPES", "add_icmptype"),
    ("service", "service_reader", "SERVICES", "add_service"),
    ("zone", "zone_reader", "ZONES", "add_zone"),
    ("policy", "policy_reader", "POLICIES", "add_policy_object"),
)


@contextlib.contextmanager
def told_with_file() -> Iterator[None]:
    """Add to a refusal in this block the files that are broken, where they can be told."""
    try:
        yield
    except Refused as refused:
        files = broken_files()
        if not files:
            raise
        raise Refused(
            refused.code,
            f"{refused}. Broken in firewalld's configuration: {'; '.join(files)}. Mend or remove"
            " it, then run again; nothing was loaded.",
        ) from refused


def broken_files() -> list[str]:
    """The files that would not load, each as "path: what is wrong"; none when it cannot be told."""
    try:
        config = binding("firewall.core.fw_config").FirewallConfig(None)
    except ImportError:
        return []
    quiet()
    found: list[str] = []
    loaded: list[tuple[Path, Any]] = []
    for path, reader, add in _files():
        with _noting(path, found):
            item = reader(path.name, str(path.parent))
            getattr(config, add)(item)
            loaded.append((path, item))
    return found + _at_odds(config, loaded)


@contextlib.contextmanager
def _noting(path: Path, found: list[str]) -> Iterator[None]:
    """Note in ``found`` what goes wrong with a file; XML readers stumble in many ways."""
    try:
        yield
    except _mistakes() as error:
        found.append(f"{path}: {_words(error)}")


def _files() -> Iterator[tuple[Path, Any, str]]:
    folders = binding("firewall.config")
    for module, name, kind, add in _READERS:
        reader = getattr(binding(f"firewall.core.io.{module}"), name)
        for prefix in ("FIREWALLD_", "ETC_FIREWALLD_"):
            for path in sorted(Path(getattr(folders, prefix + kind)).glob("*.xml")):
                yield path, reader, add


def _at_odds(config: Any, loaded: list[tuple[Path, Any]]) -> list[str]:
    """Files that read well and name what is not there."""
    found: list[str] = []
    with contextlib.suppress(*_mistakes()):
        # firewalld 1.0 and newer; before, objects were not checked against one another
        conf = binding("firewall.core.io.firewalld_conf").firewalld_conf(
            binding("firewall.config").FIREWALLD_CONF
        )
        with contextlib.suppress(OSError):
            conf.read()
        config.set_firewalld_conf(conf)
        everything = config.get_all_io_objects_dict()
        for path, item in loaded:
            with _noting(path, found):
                item.check_config_dict(item.export_config_dict(), everything)
    return found


def quiet() -> None:
    """Keep firewalld's own log off this process' output, which is the module's result."""
    log = binding("firewall.core.logger").log
    log.setInfoLogLevel(log.NOTHING)


def _mistakes() -> tuple[type[Exception], ...]:
    refused: type[Exception] = binding("firewall.errors").FirewallError
    return (refused, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
