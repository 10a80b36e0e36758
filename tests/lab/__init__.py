"""A lab of virtual hosts with real VLANs, bonds and faults, for demonstrations and tests."""

from __future__ import annotations

from .errors import LabError, TopologyError
from .lab import Lab
from .layout import Topology, load, parse

__all__ = ["Lab", "LabError", "Topology", "TopologyError", "load", "parse"]
