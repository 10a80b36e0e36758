# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG out of values: whatever is not markup already is escaped, without exception."""

from __future__ import annotations

import re
from html import escape

# HTML's elements that have no end (the HTML standard, "Void elements"; the ones used here).
_VOID = frozenset({"meta", "wbr"})
# Signs that neither HTML nor XML allows, and halves of surrogate pairs, which UTF-8 has not.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is markup, made by this module's functions alone."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return value as markup: as it is if it is some, escaped if not."""
    return value if isinstance(value, Markup) else _escaped(value)


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element.

    attributes: by their names, with `_` for `-` and a trailing one for a word that is
    taken here (class_, name_); those that are None are left out
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Return the children one after the other."""
    return Markup("".join(text(child) for child in children))


def _escaped(value: object) -> Markup:
    return Markup(escape(_FORBIDDEN.sub("\ufffd", str(value)), quote=True))
