# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as one HTML page that needs nothing from elsewhere: trouble first, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.underlay.cluster.plugins.plugin_utils.planning.reach import (
    HEADINGS,
    reach_tables,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.answers import Finding
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.markup import (
    Markup,
    join,
    tag,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.picture import (
    LETTERS,
    picture,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.style import CLASSES, STYLE
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.text import plural
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.verdict import (
    LINKS,
    Cell,
    Group,
    Reach,
    Row,
    Verdict,
)

# Fewer hosts are shown in one table, in the order of their names; of more, those that are ok wait
# below those in trouble.
ONE_TABLE = 30
# With more findings than this, what they have in common comes first.
GROUPED_FROM = 30
# A page with more rows is slow to open; the JSON document has all.
FINDINGS_SHOWN = 1000
HOSTS_SHOWN = 6

# Nothing is loaded, whatever the page is made of.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(verdict: Verdict, at: str) -> str:
    """Return the report. at: when the verdict was reached, as it is to be shown."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Underlay: {verdict.state}"),
        # The style is a constant of ours and would not survive being escaped.
        tag("style", Markup(STYLE)),
    )
    parts = (_summary(verdict, at), _findings(verdict), _hosts(verdict), _reach(verdict))
    main = tag("main", *parts, _racks(verdict))
    whole = tag("html", head, tag("body", main), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _summary(verdict: Verdict, at: str) -> Markup:
    measured, total = verdict.measured, len(verdict.rows)
    told = f"{measured} of {total} {plural('host', total)} measured, {at}"
    banner = tag(
        "div",
        tag("strong", verdict.state),
        tag("p", told),
        class_=f"banner {CLASSES[verdict.state]}",
    )
    counts = [
        tag(
            "li",
            tag("b", verdict.hosts[state]),
            plural("host", verdict.hosts[state]),
            f" {state}",
            class_=CLASSES[state],
        )
        for state in reversed(State)
        if verdict.hosts.get(state)
    ]
    plan = tag("p", "Plan ", tag("code", verdict.plan), class_="soft")
    return join(
        tag("h1", "Underlay: the networks as measured against the plan"),
        banner,
        tag("ul", *counts, class_="counts"),
        plan,
    )


def _findings(verdict: Verdict) -> Markup:
    parts = [tag("h2", "Findings")]
    found = verdict.findings
    if not found:
        parts.append(tag("p", "Nothing differs from the plan."))
    elif len(found) <= GROUPED_FROM:
        parts.append(_finding_table(found, "What is not as planned, the worst first"))
    else:
        parts.append(_group_table(verdict.groups()))
        shown = found[:FINDINGS_SHOWN]
        caption = f"All {len(found)}, the worst first"
        if len(shown) < len(found):
            caption = f"The worst {len(shown)} of {len(found)}; verdict.json has all"
        summary = tag("summary", f"Show {len(shown)} findings one by one")
        parts.append(tag("details", summary, _finding_table(shown, caption)))
    return tag("section", *parts)


def _group_table(groups: Sequence[Group]) -> Markup:
    names = ("Severity", "Network", "Check", "Hosts", "Which", "For example, expected", "Seen")
    rows = (_group_row(group) for group in groups)
    return _table("findings", "What is not as planned, by kind", names, rows)


def _group_row(group: Group) -> Markup:
    first, hosts = group.findings[0], group.hosts
    more = f" and {len(hosts) - HOSTS_SHOWN} more" if len(hosts) > HOSTS_SHOWN else ""
    return tag(
        "tr",
        tag("td", _tagged(group.severity)),
        tag("td", _where(first)),
        tag("td", group.check),
        tag("td", len(hosts)),
        tag("td", ", ".join(hosts[:HOSTS_SHOWN]), more),
        tag("td", ": ".join(part for part in (first.host, first.subject, first.expected) if part)),
        tag("td", first.seen),
    )


def _finding_table(found: Sequence[Finding], caption: str) -> Markup:
    names = ("Severity", "Host", "Network", "Check", "Subject", "Expected", "Seen")
    rows = (
        tag(
            "tr",
            tag("td", _tagged(item.severity)),
            tag("th", item.host, scope="row"),
            tag("td", _where(item)),
            tag("td", item.check),
            tag("td", item.subject, class_="mono"),
            tag("td", item.expected),
            tag("td", item.seen),
        )
        for item in found
    )
    return _table("findings", caption, names, rows)


def _where(item: Finding) -> str:
    # A host that was not measured has one finding for all that it is on.
    return item.network or (LINKS if item.subject else "all")


def _hosts(verdict: Verdict) -> Markup:
    parts = [tag("h2", "Hosts and networks")]
    if len(verdict.rows) <= ONE_TABLE:
        parts.append(_matrix(verdict.rows, verdict.columns, "Every host on every network"))
        return tag("section", *parts)
    rows = verdict.worst_first()
    trouble = [row for row in rows if row.state.trouble]
    if trouble:
        caption = f"{len(trouble)} {plural('host', len(trouble))} in trouble, the worst first"
        parts.append(_matrix(trouble, verdict.columns, caption))
    for state in (State.OK, State.NOT_ASKED, State.PROVISIONING):
        others = [row for row in rows if row.state is state]
        if others:
            caption = f"{len(others)} {plural('host', len(others))} {state}"
            table = _matrix(others, verdict.columns, caption)
            parts.append(tag("details", tag("summary", f"Show {caption}"), table))
    return tag("section", *parts)


def _matrix(rows: Sequence[Row], columns: Sequence[str], caption: str) -> Markup:
    body = (
        tag(
            "tr",
            tag("th", row.name, scope="row"),
            tag("td", row.rack),
            *(_cell(row.cells.get(column)) for column in columns),
        )
        for row in rows
    )
    return _table("matrix", caption, ("Host", "Rack", *columns), body)


def _cell(cell: Cell | None) -> Markup:
    if cell is None:
        return tag("td", LETTERS[State.ABSENT], class_=CLASSES[State.ABSENT])
    state = cell.state
    rtt = cell.count.rtt_ms if cell.count else None
    told = [_worded(state)]
    if rtt is not None:
        told.append(tag("small", f"{rtt:.2f} ms"))
    title = f"{cell.count.checks} checks" if cell.count else None
    return tag("td", *told, class_=CLASSES[state], title=title)


def _reach(verdict: Verdict) -> Markup:
    """Return who may reach what by the plan's firewalls; nothing where there are none."""
    if not verdict.reach:
        return join()
    told = "By the plan's host firewalls; verify does not try the ports."
    tables = (_reach_of(item) for item in verdict.reach)
    return tag("section", tag("h2", "Who may reach what"), tag("p", told, class_="soft"), *tables)


def _reach_of(item: Reach) -> Markup:
    more = len(item.hosts) - HOSTS_SHOWN
    names = ", ".join(item.hosts[:HOSTS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    headings = tuple(heading.capitalize() for heading in HEADINGS)
    tables = [
        _table(
            "reach",
            f"On {names}, by {networks}",
            headings,
            (tag("tr", *(tag("td", cell) for cell in cells)) for cells in rows),
        )
        for networks, rows in reach_tables(item.rows).items()
    ]
    return tag("details", tag("summary", names), *tables)


def _racks(verdict: Verdict) -> Markup:
    shown = {row.state_on(column) for row in verdict.rows for column in verdict.columns}
    legend = tag("ul", *_legend(shown), class_="legend")
    return tag("section", tag("h2", "Racks"), legend, picture(verdict))


def _legend(shown: set[State]) -> Iterator[Markup]:
    for state in State:
        if state in shown and state is not State.ABSENT:
            yield tag("li", _tagged(state))


def _table(kind: str, caption: str, names: Sequence[str], rows: Iterator[Markup]) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", _breakable(name), scope="col") for name in names)))
    body = tag("tbody", *rows)
    table = tag("table", tag("caption", caption), head, body, class_=kind)
    # Whoever has no mouse scrolls a wide table by its frame.
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _breakable(name: str) -> Markup:
    """Return a name that may go on in the next line after each underscore."""
    first, *others = name.split("_")
    return join(first, *(join("_", tag("wbr"), other) for other in others))


def _tagged(state: State) -> Markup:
    return tag("span", _worded(state), class_=f"tagged {CLASSES[state]}")


def _worded(state: State) -> Markup:
    if state is State.OK:
        return tag("span", state)
    # The word says the same; a screen reader need not spell the letter.
    return join(tag("span", LETTERS[state], class_="letter", aria_hidden="true"), state)
