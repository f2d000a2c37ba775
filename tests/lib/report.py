# SPDX-License-Identifier: MIT
"""Result files: JUnit XML for CI viewers, JSON for scripts, and the ledger of features."""
import json
import os
import re
from xml.sax.saxutils import escape, quoteattr

from registry import BUILD, TOP

LEDGER = os.path.join(TOP, "docs", "features.md")


def rows():
    """Rows of the feature ledger: a list of (id, text), in the ledger's order."""
    found = []
    with open(LEDGER, encoding="utf-8") as ledger:
        for line in ledger:
            match = re.match(r"\|\s*([MIU]\d+)\s*\|\s*(.*?)\s*\|", line)
            if match:
                found.append((match[1], match[2]))
    return found


def write_json(outcomes, wall):
    """`outcomes`: list of dicts with name, result, seconds, message, shows, doc."""
    with open(os.path.join(BUILD, "test-results.json"), "w", encoding="utf-8") as out:
        json.dump({"wall_seconds": round(wall, 1), "tests": outcomes}, out, indent=1)
        out.write("\n")


def write_junit(outcomes, wall):
    tags = {"SKIP": "skipped", "ERROR": "error", "FAIL": "failure", "CRASH": "failure"}
    bad = {kind: sum(o["result"] in kinds for o in outcomes) for kind, kinds in
           (("failures", ("FAIL", "CRASH")), ("errors", ("ERROR",)), ("skipped", ("SKIP",)))}
    lines = ['<?xml version="1.0" encoding="utf-8"?>',
             f'<testsuite name="vellum" tests="{len(outcomes)}" failures="{bad["failures"]}"'
             f' errors="{bad["errors"]}" skipped="{bad["skipped"]}" time="{wall:.1f}">']
    for o in outcomes:
        head = f' <testcase name={quoteattr(o["name"])} time="{o["seconds"]}"'
        tag = tags.get(o["result"])
        if tag:
            text = "".join(c for c in o["message"] if c >= " " or c in "\n\t")
            head += (f'><{tag} message={quoteattr(o["result"])}>{escape(text)}</{tag}></testcase>')
        else:
            head += "/>"
        lines.append(head)
    lines.append("</testsuite>")
    with open(os.path.join(BUILD, "test-results.xml"), "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
