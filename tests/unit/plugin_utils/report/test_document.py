# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON document: what programs read, complete and stable."""

from __future__ import annotations

import json

from ansible_collections.underlay.cluster.plugins.plugin_utils.report.document import document
from tests.unit.plugin_utils.report.fleets import GONE, PLAN, finding, parts, result, verdict

AT = "2026-01-02T03:04:05+00:00"


def test_it_names_its_format_its_plan_its_time_and_the_verdict() -> None:
    made = document(verdict(parts("w1"), w1=result()), AT)
    assert (made["format"], made["plan"], made["at"], made["verdict"]) == (
        1,
        {"sha256": PLAN},
        AT,
        "ok",
    )


def test_every_count_is_there_also_those_that_are_nought() -> None:
    made = document(verdict(parts("w1", "w2"), w1=result(finding()), w2=GONE), AT)
    assert made["counts"] == {
        "hosts": {
            "ok": 0,
            "degraded": 0,
            "failed": 1,
            "not_measured": 1,
            "not_asked": 0,
            "provisioning": 0,
        },
        "findings": {"failed": 2, "degraded": 0},
    }


def test_a_host_has_what_was_measured_and_what_was_found() -> None:
    (host,) = document(verdict(parts("w1"), w1=result(finding("lcm"))), AT)["hosts"]
    assert (host["name"], host["rack"], host["state"], host["seconds"]) == (
        "w1",
        "r1",
        "failed",
        1.8,
    )
    assert host["measured"][1] == {
        "network": "lcm",
        "state": "failed",
        "checks": 23,
        "failed": 1,
        "degraded": 0,
        "rtt_ms": 0.61,
    }
    assert [item["network"] for item in host["measured"]] == [None, "lcm", "storage"]
    assert host["findings"] == [{"host": "w1", **finding("lcm")}]


def test_a_host_that_was_not_measured_says_why() -> None:
    (host,) = document(verdict(parts("w1"), w1=GONE), AT)["hosts"]
    assert host["state"] == "not measured"
    assert host["reason"].startswith("unreachable: ssh")


def test_the_same_verdict_makes_the_same_text() -> None:
    one = document(verdict(parts("w1", "w2"), w1=GONE, w2=result()), AT)
    other = document(verdict(parts("w2", "w1"), w2=result(), w1=GONE), AT)
    assert json.dumps(one) == json.dumps(other)


def test_what_firewalls_let_in_is_there_once_for_hosts_alike() -> None:
    planned = parts("w1", "w2", "w3")
    rows = [{"zone": "underlay-lcm", "networks": ["lcm"], "who": "anyone", "sources": []}]
    for name in ("w1", "w3"):
        planned[name]["firewall"] = {"enabled": True, "reach": rows}
    made = document(verdict(planned, w1=result(), w2=result(), w3=result()), AT)
    assert made["reach"] == [{"hosts": ["w1", "w3"], "rows": rows}]
