# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report looks: on light, on dark and on paper; states differ by word or letter too.

Each state's two colours, for letters and ground, have a contrast of at least 4.5 : 1 (WCAG 2.1,
1.4.3), in both themes.
"""

from __future__ import annotations

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.state import State

# The class that an element in a state carries.
CLASSES = {
    State.OK: "ok",
    State.DEGRADED: "degraded",
    State.FAILED: "failed",
    State.NOT_MEASURED: "unknown",
    State.NOT_ASKED: "unasked",
    State.PROVISIONING: "unasked",
    State.ABSENT: "absent",
}

STYLE = """
:root { color-scheme: light dark;
  --page: #fff; --ink: #1c2128; --soft: #57606a; --line: #d0d7de; --raised: #f6f8fa;
  --ok: #116329; --ok-bg: #dcf5e3; --degraded: #7a4500; --degraded-bg: #ffe9b8;
  --failed: #a4140f; --failed-bg: #ffdcd8; --unknown: #5b2a9c; --unknown-bg: #eadfff;
  --unasked: #4b535d; --unasked-bg: #eaeef2; }
@media (prefers-color-scheme: dark) { :root {
  --page: #11151a; --ink: #e6edf3; --soft: #9aa5b1; --line: #333b45; --raised: #1a2027;
  --ok: #7ee2a0; --ok-bg: #12341f; --degraded: #ffc966; --degraded-bg: #453006;
  --failed: #ffa198; --failed-bg: #551a17; --unknown: #d2b8ff; --unknown-bg: #38235c;
  --unasked: #b4bec9; --unasked-bg: #2a313a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.1rem; margin: 0 0 1rem; color: var(--soft); font-weight: 600; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
p { margin: .5rem 0; }
a { color: inherit; }
code { overflow-wrap: anywhere; }
code, .mono { font-family: ui-monospace, monospace; font-size: .9em; }
.soft { color: var(--soft); }
.banner { padding: 1.25rem 1.5rem; border-radius: .5rem; border-left: .5rem solid currentColor; }
.banner strong { display: block; font-size: 2rem; line-height: 1.2; text-transform: uppercase;
  letter-spacing: .02em; }
.banner p { margin: .25rem 0 0; }
.counts { display: flex; flex-wrap: wrap; gap: .75rem; list-style: none; padding: 0;
  margin: 1rem 0; }
.counts li { padding: .35rem .9rem; border-radius: .4rem; }
.counts b { font-size: 1.15rem; margin-right: .3rem; }
.ok { color: var(--ok); background: var(--ok-bg); }
.degraded { color: var(--degraded); background: var(--degraded-bg); }
.failed { color: var(--failed); background: var(--failed-bg); }
.unknown { color: var(--unknown); background: var(--unknown-bg); }
.unasked { color: var(--unasked); background: var(--unasked-bg); }
.absent { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .9rem; }
caption { text-align: left; color: var(--soft); padding: .3rem 0 .6rem; }
th, td { padding: .35rem .6rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
thead th { background: var(--raised); border-top: 1px solid var(--line); white-space: nowrap; }
tbody th { font-weight: 600; }
.matrix { font-size: .84rem; }
.matrix thead th { white-space: normal; }
.matrix td { padding: .35rem .45rem; white-space: nowrap; border-left: 2px solid var(--page); }
.matrix tbody th { white-space: nowrap; position: sticky; left: 0; background: var(--page); }
.matrix small { opacity: .85; margin-left: .35rem; }
.findings td:nth-child(n + 5) { overflow-wrap: anywhere; min-width: 9rem; }
.findings tbody th { white-space: nowrap; }
.letter { display: inline-block; min-width: 1.35em; margin-right: .35em; text-align: center;
  border: 1px solid currentColor; border-radius: .2em; font-weight: 700; font-size: .85em; }
.tagged { display: inline-block; padding: 0 .45rem; border-radius: .3rem; white-space: nowrap; }
details { margin: .75rem 0; }
summary { cursor: pointer; padding: .3rem 0; }
.racks { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--raised); max-width: 100%; overflow-x: auto; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
svg { display: block; font-family: system-ui, sans-serif; }
svg text { fill: var(--ink); font-size: 12px; }
svg .vlan { fill: var(--soft); font-size: 11px; }
svg .rail, svg .drop { stroke: var(--line); stroke-width: 2; }
svg .drop { stroke-width: 1.5; }
svg g { background: none; }
svg g rect, svg g circle { stroke: currentColor; stroke-width: 1.25; }
svg g text { fill: currentColor; font-weight: 700; text-anchor: middle; }
svg g.ok rect, svg g.ok circle { fill: var(--ok-bg); }
svg g.degraded rect, svg g.degraded circle { fill: var(--degraded-bg); }
svg g.failed rect, svg g.failed circle { fill: var(--failed-bg); }
svg g.unknown rect, svg g.unknown circle { fill: var(--unknown-bg); }
svg g.unasked rect, svg g.unasked circle { fill: var(--unasked-bg); }
svg .dots { fill: var(--ok); }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1rem; list-style: none; padding: 0;
  margin: .5rem 0 1rem; font-size: .9rem; }
@media print { body { max-width: none; padding: 0; }
  * { print-color-adjust: exact; }
  .scroll, figure { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""
