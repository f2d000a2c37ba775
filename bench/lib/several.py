# SPDX-License-Identifier: MIT
"""What several guests on one CPU cost and get: by the mini guest, which makes the others itself.

Under icount a tick of the time stamp counter is an instruction, and a nanosecond.
"""
import re

import boots
import images
from guest import check_tap
from machine import plain
from qemu import Qemu
from registry import Failure

TESTS = "sched_shares,sched_latency,sched_cost,company_latency,company_events"
SHARE_LIMIT = 5  # per cent of its share that a guest may have more or less
HEAD = ["row", "instructions", "at worst", "what"]

COST = r"^# a yield and a switch to another domain cost (\d+) ticks$"
FIRST = r"^# from the timer's expiry to the guest: (\d+) ns on average, (\d+) at worst$"
EVENTS = r"^# an event to another domain and its answer take (\d+) ticks, (\d+) at worst$"
LATER = r"^# \d+: late by (\d+) ns on average, (\d+) at worst$"
SHARE = r"^# domain (\d+) of weight (\d+): (\d+) of 1000, by its weight (\d+)$"


def _numbers(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise Failure(f"the mini guest did not print {pattern}")
    numbers = [int(number) for number in found.groups()]
    if not all(numbers):
        raise Failure(f"the mini guest printed {found[0]}: nothing is for nothing")
    return numbers


def parse(text):
    """{domain_switch, event_and_answer, latency_first, latency_later, shares} of what the mini guest printed."""
    shares = [dict(zip(("domain", "weight", "got", "want"), map(int, numbers)))
              for numbers in re.findall(SHARE, text, re.MULTILINE)]
    if not shares:
        raise Failure("the mini guest printed no shares")
    return {"domain_switch": _numbers(COST, text), "event_and_answer": _numbers(EVENTS, text), "latency_first": _numbers(FIRST, text),
            "latency_later": _numbers(LATER, text), "shares": shares}


def measure():
    """One boot under icount."""
    t = boots.context("several")
    try:
        m = Qemu(t, images.vellum(("mini", f"test={TESTS}"), "mini"), icount=True)
        ending = m.wait(boots.LIMIT)
        m.no_panic()
        check_tap(t, m)
        t.equal(ending, "exit-16", "how the machine ended")
        return parse(plain(m.console.text))
    finally:
        t.close()


def off(share):
    """How far a guest is from its share, in per cent of that."""
    return abs(share["got"] - share["want"]) * 100 / share["want"]


WHAT = {
    "domain_switch": "a hypercall (yield) and the switch to another domain",
    "event_and_answer": "an event to a later guest and one back; each halts until it has one",
    "latency_first": "from the expiry of the first guest's timer to its handler, while another guest spins",
    "latency_later": "the same for a later guest, with the first one idle",
}


def lines(several):
    """Rows of the table, as words."""
    out = [[name, f"{several[name][0]:,}", f"{several[name][1]:,}" if len(several[name]) > 1 else "-", what]
           for name, what in WHAT.items()]
    worst = max(several["shares"], key=off)
    out.append(["share", "-", f"{off(worst):.1f} %",
                f"how far a spinning guest is from its weight's share of the CPU (here {worst['got'] / 10:.1f} % for "
                f"{worst['want'] / 10:.1f} %), of {len(several['shares'])} measured"])
    return out
