# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page: nothing from elsewhere, everything escaped, trouble first."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.markup import (
    Markup,
    join,
    tag,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.page import (
    FINDINGS_SHOWN,
    page,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.picture import (
    COLUMNS,
    picture,
)
from ansible_collections.underlay.cluster.plugins.plugin_utils.report.style import STYLE
from tests.unit.plugin_utils.report.fleets import GONE, finding, fine, parts, result, verdict

AT = "2026-01-02 03:04:05 UTC"
# Elements that HTML closes by itself.
VOID = {"meta", "wbr"}


class Outline(HTMLParser):
    """Reads a page, insists that its elements are closed in order, and keeps what is asked for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def names(self) -> set[str]:
        """The names of all elements."""
        return {element[0] for element in self.elements}

    def named(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of this name."""
        return [attributes for element, attributes in self.elements if element == name]

    def text_in(self, name: str) -> list[str]:
        """The texts that stand right in elements of this name."""
        return [data for element, data in self.texts if element == name]


TROUBLED = verdict(
    parts("w1", "w2", "w3", "w4", rack="r<1>"),
    w1=result(finding("lcm")),
    w2=result(finding(None, "degraded", check="bond", subject="bond0")),
    w3=GONE,
    w4=None,
)
NASTY = "</style></script><script>alert(1)</script>\"'&\x00\ud800"


def test_it_says_the_verdict_the_plan_and_the_time() -> None:
    text = page(TROUBLED, AT)
    assert "<strong>failed</strong>" in text
    assert AT in text
    assert TROUBLED.plan in text


def test_it_loads_nothing_from_elsewhere() -> None:
    outline = Outline(page(TROUBLED, AT))
    names = outline.names()
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    attributes = {key for element in outline.elements for key in element[1]}
    assert not attributes & {"src", "href", "xlink:href", "style", "onload", "onclick"}
    assert not re.search(r"url\(|@import|https?:", page(TROUBLED, AT))
    assert any(
        "default-src 'none'" in (meta.get("content") or "") for meta in outline.named("meta")
    )


def test_whatever_comes_from_hosts_or_inventories_is_escaped() -> None:
    told = finding(NASTY, check=NASTY, subject=NASTY, expected=NASTY, seen=NASTY)
    planned = parts(NASTY, networks=[NASTY], rack=NASTY)
    judged = verdict(planned, **{NASTY: result(told, networks=[None, NASTY])})
    text = page(judged, NASTY)
    assert "<script" not in text
    assert not re.search("[\x00\ud800]", text)
    assert text.encode("utf-8")
    assert "script" not in Outline(text).names()


def test_a_state_is_told_by_a_word_not_by_colour_alone() -> None:
    outline = Outline(page(TROUBLED, AT))
    cells = [data for element, data in outline.texts if element in ("td", "span")]
    assert {"failed", "degraded", "not measured", "not asked", "ok"} <= set(cells)
    assert {"F", "D", "?"} <= set(outline.text_in("span"))


def test_tables_have_captions_and_headers_for_rows_and_columns() -> None:
    outline = Outline(page(TROUBLED, AT))
    assert len(outline.named("caption")) == len(outline.named("table")) == 2
    scopes = [header["scope"] for header in outline.named("th")]
    assert set(scopes) == {"row", "col"}
    assert outline.named("html")[0]["lang"] == "en"


def test_findings_come_before_the_table_and_the_picture() -> None:
    headings = Outline(page(TROUBLED, AT)).text_in("h2")
    assert headings == ["Findings", "Hosts and networks", "Racks"]


def test_a_finding_shows_what_was_expected_and_what_was_seen() -> None:
    cells = Outline(page(TROUBLED, AT)).text_in("td")
    assert "an answer on bond0.101" in cells
    assert "no answer to 3 requests" in cells


def test_a_fleet_as_planned_says_so() -> None:
    assert "Nothing differs from the plan." in page(fine(3), AT)


def test_of_many_hosts_those_that_are_well_are_folded_away() -> None:
    outline = Outline(page(fine(200, {"w7": result(finding("lcm"))}), AT))
    assert outline.text_in("summary") == ["Show 199 hosts ok", "Show the hosts without trouble"]
    assert "1 host in trouble, the worst first" in outline.text_in("caption")


def test_many_findings_are_shown_by_kind_and_one_by_one_on_demand() -> None:
    troubled = {f"w{number}": result(finding("lcm")) for number in range(1, 41)}
    outline = Outline(page(fine(40, troubled), AT))
    assert "What is not as planned, by kind" in outline.text_in("caption")
    assert "Show 40 findings one by one" in outline.text_in("summary")


def test_a_flood_of_findings_is_cut_and_says_where_the_rest_is() -> None:
    told = [finding("lcm", subject=f"10.21.1.{number}") for number in range(40)]
    troubled = {f"w{number}": result(*told) for number in range(1, 31)}
    text = page(fine(30, troubled), AT)
    assert f"The worst {FINDINGS_SHOWN} of 1200; verdict.json has all" in text


def test_a_thousand_hosts_make_a_page_that_a_browser_opens() -> None:
    assert len(page(fine(1000), AT)) < 1_000_000


def test_the_picture_has_every_rack_host_network_and_vlan() -> None:
    drawn = picture(
        verdict(
            {**parts("w1", rack="r1"), **parts("w2", rack="r2")}, w1=result(), w2=result(finding())
        )
    )
    outline = Outline(drawn)
    assert outline.text_in("figcaption") == ["Rack r1", "Rack r2"]
    assert {"w1", "w2", "lcm", "storage"} <= set(outline.text_in("text"))
    assert {" VLAN 101", " VLAN 301"} <= set(outline.text_in("tspan"))
    titles = outline.text_in("title")
    assert "w1 lcm: ok" in titles
    assert "w2 lcm: failed" in titles
    assert "Rack r2. 1 host; in trouble: w2 failed." in titles


def test_in_the_picture_of_many_hosts_trouble_is_a_letter_and_ok_a_dot() -> None:
    outline = Outline(picture(fine(40, {"w7": result(finding("lcm")), "w9": GONE})))
    marks = [title for title in outline.text_in("title") if not title.startswith("Rack")]
    assert sorted(marks) == [
        "w7 lcm: failed",
        "w9 host links: not measured",
        "w9 lcm: not measured",
        "w9 storage: not measured",
    ]
    (dots,) = outline.named("path")
    assert (dots["d"] or "").count("M") == 40 * 3 - len(marks)


def test_in_the_picture_of_many_hosts_racks_without_trouble_are_folded_away() -> None:
    planned = {**parts(*(f"w{number}" for number in range(30))), **parts("x1", rack="r2")}
    results = {name: result() for name in planned}
    drawn = picture(verdict(planned, **{**results, "x1": GONE}))
    shown, folded = drawn.split("<details>")
    assert Outline(shown).text_in("figcaption") == ["Rack r2"]
    assert "Rack r1" in folded


def test_a_very_full_rack_is_drawn_in_even_pieces() -> None:
    figures = Outline(picture(fine(COLUMNS + 10))).text_in("figcaption")
    assert figures == ["Rack r1: w1 to w30", "Rack r1: w31 to w60"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", ["ok", "degraded", "failed", "unknown", "unasked"])
def test_letters_stand_out_from_their_ground_as_wcag_asks(theme: str, state: str) -> None:
    palette = _palette(theme)
    letters, ground = _luminance(palette[state]), _luminance(palette[f"{state}-bg"])
    high, low = max(letters, ground), min(letters, ground)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def _palette(theme: str) -> dict[str, str]:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light if theme == "light" else dark))


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1, definitions)."""
    parts_of = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts_of
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_markup_escapes_text_and_attributes_and_leaves_markup() -> None:
    assert tag("p", "<b>", tag("i", "&"), class_='"', aria_label=None) == (
        '<p class="&quot;">&lt;b&gt;<i>&amp;</i></p>'
    )
    assert tag("meta", name_="a") == '<meta name="a">'
    assert join("<", Markup("<")) == "&lt;<"
    assert tag("p", title=Markup('"')) == '<p title="&quot;"></p>'


class TestWhoMayReachWhat:
    ROW = {  # noqa: RUF012 - nobody changes it
        "zone": "underlay-lcm",
        "networks": ["lcm"],
        "who": "anyone",
        "sources": [],
        "what": ["22/tcp"],
        "why": "open_ports[0] <x>",
    }

    def test_is_shown_for_hosts_with_a_firewall(self) -> None:
        planned = parts("w1", "w2")
        for part in planned.values():
            part["firewall"] = {"enabled": True, "reach": [self.ROW]}
        outline = Outline(page(verdict(planned, w1=result(), w2=result()), AT))
        assert ("h2", "Who may reach what") in outline.texts
        assert ("summary", "w1, w2") in outline.texts
        assert ("caption", "On w1, w2, by lcm") in outline.texts
        cells = [text for name, text in outline.texts if name == "td"]
        assert "".join(cells).endswith("anyone22/tcpopen_ports[0] <x>")

    def test_is_left_out_where_there_is_none(self) -> None:
        assert "Who may reach what" not in page(verdict(parts("w1"), w1=result()), AT)
