# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture: each rack's hosts hanging from the networks they are on, with a mark where they do.

Few hosts stand side by side in boxes. With many, a host is a narrow column, what is ok is a dot and
what is in trouble a letter, so that trouble is what meets the eye.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from ansible_collections.underlay.cluster.plugins.plugin_utils.natural import natural_order
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.markup import (
    Markup,
    join,
    tag,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.style import CLASSES
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import (
    LINKS,
    Row,
    Verdict,
)

LETTERS = {
    State.OK: "ok",
    State.DEGRADED: "D",
    State.FAILED: "F",
    State.NOT_MEASURED: "?",
    State.NOT_ASKED: ".",
    State.PROVISIONING: "P",
    State.ABSENT: "-",
}
# With more hosts than this, boxes no longer fit on a screen.
BOXES = 24
# Narrow columns side by side in one figure, at most; it stays on a screen 1,280 pixels wide.
COLUMNS = 50
# Roughly, in pixels, for the sizes of type in the style.
_LETTER, _SMALL_LETTER = 7.0, 6.2


@dataclass(frozen=True, slots=True)
class _Scale:
    """Sizes in pixels. column: a host's width; rail: the distance between networks."""

    narrow: bool
    left: float
    column: float
    rail: float
    foot: float


def picture(verdict: Verdict) -> Markup:
    """Return one figure a rack, several for a rack of very many hosts.

    With many hosts, figures without trouble are folded away.
    """
    racks: dict[str, list[Row]] = {}
    for row in verdict.rows:
        racks.setdefault(row.rack, []).append(row)
    narrow = len(verdict.rows) > BOXES
    figures: list[Markup] = []
    folded: list[Markup] = []
    for rack in natural_order(list(racks)):
        rows = racks[rack]
        step = ceil(len(rows) / ceil(len(rows) / COLUMNS)) if narrow else len(rows)
        for start in range(0, len(rows), step):
            shown = rows[start : start + step]
            figure = _figure(rack, shown, len(rows), verdict.columns, narrow)
            calm = narrow and not any(row.state.trouble for row in shown)
            (folded if calm else figures).append(figure)
    drawn = tag("div", *figures, class_="racks")
    if not folded:
        return drawn
    words = tag("summary", "Show the hosts without trouble")
    return join(drawn, tag("details", words, tag("div", *folded, class_="racks")))


def _figure(
    rack: str, rows: Sequence[Row], total: int, columns: Sequence[str], narrow: bool
) -> Markup:
    name = f"Rack {rack}" if rack else "Without a rack"
    if len(rows) < total:
        name += f": {rows[0].name} to {rows[-1].name}"
    # A box shows the state of what carries all networks; a column has no room for that.
    used = [column for column in columns if _used(column, rows)]
    rails = [column for column in used if column != LINKS] + [LINKS] * narrow
    scale = _scale(rows, rails, narrow)
    width = scale.left + scale.column * len(rows) + 8
    height = scale.rail * len(rails) + scale.foot
    svg = tag(
        "svg",
        tag("title", f"{name}. {_words(rows)}"),
        *_rails(rows, rails, scale, width),
        *(_narrow_column if narrow else _box)(rows, rails, scale),
        role="img",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
    )
    return tag("figure", tag("figcaption", name), svg)


def _used(column: str, rows: Sequence[Row]) -> bool:
    return any(_drawn(row, column) is not State.ABSENT for row in rows)


def _drawn(row: Row, column: str) -> State:
    """Return the state to show. That a host is not where it must not be is not worth a mark."""
    state = row.state_on(column)
    return state if state.trouble or column not in row.kept_off else State.ABSENT


def _scale(rows: Sequence[Row], rails: Sequence[str], narrow: bool) -> _Scale:
    labels = (len(rail) + len(_vlans(rows, rail)) for rail in rails)
    left = 12 + _LETTER * max(labels, default=0)
    longest = max(len(row.name) for row in rows)
    if narrow:
        return _Scale(narrow, left, column=16, rail=20, foot=16 + _SMALL_LETTER * longest)
    return _Scale(narrow, left, column=max(64, 24 + _LETTER * longest), rail=28, foot=50)


def _vlans(rows: Sequence[Row], rail: str) -> str:
    ids = sorted({vlan for row in rows for vlan in row.vlans.get(rail, ())})
    return f" VLAN {', '.join(map(str, ids))}" if ids else ""


def _words(rows: Sequence[Row]) -> str:
    """Return what the picture shows, for those who do not see it."""
    trouble = [f"{row.name} {row.state}" for row in rows if row.state.trouble]
    hosts = f"{len(rows)} {'host' if len(rows) == 1 else 'hosts'}"
    return f"{hosts}; in trouble: {', '.join(trouble) or 'none'}."


def _rails(
    rows: Sequence[Row], rails: Sequence[str], scale: _Scale, width: float
) -> Iterator[Markup]:
    for place, rail in enumerate(rails):
        y = _height(place, scale)
        vlan = tag("tspan", _vlans(rows, rail), class_="vlan")
        yield tag("text", rail, vlan, x=4, y=f"{y + 4:.0f}")
        yield _stroke("rail", (scale.left, y), (width - 4, y))


def _box(rows: Sequence[Row], rails: Sequence[str], scale: _Scale) -> Iterator[Markup]:
    for place, row in enumerate(rows):
        x = scale.left + scale.column * (place + 0.5)
        heights = {rail: _height(number, scale) for number, rail in enumerate(rails)}
        on = [rail for rail in rails if _drawn(row, rail) is not State.ABSENT]
        top = scale.rail * len(rails) + 10
        if on:
            yield _stroke("drop", (x, heights[on[0]]), (x, top))
        for rail in on:
            state = _drawn(row, rail)
            mark = tag("circle", cx=f"{x:.0f}", cy=f"{heights[rail]:.0f}", r=10)
            yield _marked(state, mark, x, heights[rail] + 4, LETTERS[state], f"{row.name} {rail}")
        half = scale.column / 2 - 5
        box = tag(
            "rect", x=f"{x - half:.0f}", y=f"{top:.0f}", width=f"{2 * half:.0f}", height=28, rx=4
        )
        yield _marked(row.state, box, x, top + 19, row.name, row.name)


def _narrow_column(rows: Sequence[Row], rails: Sequence[str], scale: _Scale) -> Iterator[Markup]:
    dots = []
    for place, row in enumerate(rows):
        x = scale.left + scale.column * (place + 0.5)
        for number, rail in enumerate(rails):
            state, y = _drawn(row, rail), _height(number, scale)
            if state is State.OK:
                dots.append(f"M{x - 3:.0f} {y - 3:.0f}h6v6h-6z")
            elif state is not State.ABSENT:
                mark = tag("rect", x=f"{x - 7:.0f}", y=f"{y - 8:.0f}", width=14, height=16, rx=2)
                yield _marked(state, mark, x, y + 4, LETTERS[state], f"{row.name} {rail}")
        y = scale.rail * len(rails) + 8
        turned = f"translate({x + 4:.0f} {y:.0f}) rotate(90)"
        yield tag("text", row.name, transform=turned, class_="vlan")
    yield tag("path", d="".join(dots), class_="dots")


def _marked(state: State, mark: Markup, x: float, y: float, letters: str, who: str) -> Markup:
    shown = tag("text", letters, x=f"{x:.0f}", y=f"{y:.0f}")
    return tag("g", tag("title", f"{who}: {state}"), join(mark, shown), class_=CLASSES[state])


def _stroke(kind: str, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    (x1, y1), (x2, y2) = start, end
    return tag("line", class_=kind, x1=f"{x1:.0f}", y1=f"{y1:.0f}", x2=f"{x2:.0f}", y2=f"{y2:.0f}")


def _height(place: int, scale: _Scale) -> float:
    return scale.rail * (place + 0.5)
