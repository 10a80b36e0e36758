"""What a lab was built from and which faults are set, kept in a file so that commands can come and
go.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Port:
    """A trunk port as it should be: its tagged VLANs, whether it forwards, whether the cable is
    in.
    """

    vlans: list[int]
    forwarding: bool = True
    cable: bool = True


@dataclass
class State:
    """``built`` says from what (topology and image); ``complete`` whether the first start got
    through.
    """

    built: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    ports: dict[str, Port] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> State | None:
        """Return the state in a file, or ``None`` when there is none that can be understood."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            ports = {name: Port(**port) for name, port in data["ports"].items()}
            return cls(data["built"], data["complete"], ports)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Put the state into a file, whole or not at all."""
        part = path.with_suffix(".new")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(path)
