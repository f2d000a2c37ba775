# SPDX-License-Identifier: MIT
"""What it costs to bring a guest's memory home, in one step and with nobody running: of 32 MiB, some pages are away in random
order. By the mini guest, with Vellum's debug build, which alone can scatter memory; the remap itself is the same code, and counts by itself."""
import re

import boots
import images
from guest import check_tap
from machine import plain
from qemu import Qemu
from registry import Failure

PAGES = 0x2000
LIMIT = 1.2  # times a REP MOVSQ of each page that is copied
LEAST = 50  # per cent away from which on that is a bound: below, what is looked at counts more than what moves
KEYS = ("percent", "away", "pages", "copies", "exchanges", "instructions", "copy")
HEAD = ["owners", "away", "pages copied", "instructions", "a page", "of REP MOVSQ"]
COST = (r"^# cost (backmap|refcount) (\d+) %: (\d+) of (\d+) pages away, (\d+) copies, (\d+) exchanges, (\d+) ticks, "
        r"of a page \d+, of REP MOVSQ (\d+)$")


def parse(text):
    """[{owners, percent, away, pages, copies, exchanges, instructions, copy}] of what the mini guest printed."""
    found = [dict(zip(("owners", *KEYS), (owners, *map(int, numbers)))) for owners, *numbers in re.findall(COST, text, re.MULTILINE)]
    if {(r["owners"], r["percent"]) for r in found} != {("backmap", p) for p in (0, 1, 10, 50, 100)} | {("refcount", 100)}:
        raise Failure("the mini guest did not print the cost of each remap")
    return found


def measure():
    """One boot under icount."""
    t = boots.context("remaps")
    try:
        m = Qemu(t, images.vellum(("mini", f"test=remapped_cost pages={PAGES:x}"), "mini", hypervisor="vellum-debug"), icount=True)
        m.wait(boots.LIMIT)
        m.no_panic()
        check_tap(t, m)
        return parse(plain(m.console.text))
    finally:
        t.close()


def ratio(remap):
    """To as many REP MOVSQ of a page."""
    return remap["instructions"] / (remap["copies"] * remap["copy"])


def lines(remaps):
    """Rows of the table, as words."""
    return [[r["owners"], f"{r['percent']} %", f"{r['copies']:,}", f"{r['instructions']:,}"]
            + ([f"{r['instructions'] / r['copies']:,.0f}", f"{ratio(r):.2f}"] if r["copies"] else ["-", "-"]) for r in remaps]
