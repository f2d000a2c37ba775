# SPDX-License-Identifier: MIT
"""The benchmark's harness, without an emulator: what it does with what a machine prints."""
import copy
import os
import sys
import types
import xml.dom.minidom

from registry import TOP, Outcome, test

sys.path.append(os.path.join(TOP, "bench", "lib"))

import boots  # pylint: disable=wrong-import-position
import bounds  # pylint: disable=wrong-import-position
import disks  # pylint: disable=wrong-import-position
import iocost
import netcost
import page  # pylint: disable=wrong-import-position
import plot  # pylint: disable=wrong-import-position
import remaps  # pylint: disable=wrong-import-position
import several  # pylint: disable=wrong-import-position

OUTPUT = """{world}
vltest: begin benchmark
clock: tsc
counters null_syscall reps 400 exits_hypercall=2 exits_emulated=40
bench null_syscall min 100 median 110 reps 400
bench http min 5000 median 5100 reps 20
vltest: end benchmark {status}
"""
WIRE = {"bare": 1000, "native": 1000, "forwarded": 1100, "switch": 5000}
SEVERAL = """# domain 0 of weight 256: 200 of 1000, by its weight 200
# domain 2 of weight 768: 640 of 1000, by its weight 600
# from the timer's expiry to the guest: 4000 ns on average, 6000 at worst
# a yield and a switch to another domain cost 2600 ticks
# an event to another domain and its answer take 29000 ticks, 60000 at worst
# 1: late by 5000 ns on average, 7000 at worst
"""
# Of 500 instructions a page, 50 % away takes 1.25 times as many, 100 % 1.2.
REMAPS = "".join(f"# cost {owners} {percent} %: {away} of 1000 pages away, {away} copies, 0 exchanges, {ticks} ticks, of a page 1, of REP MOVSQ 500\n"
                 for owners, percent, away, ticks in (("backmap", 0, 0, 700), ("backmap", 1, 10, 9000), ("backmap", 10, 100, 90000),
                                                      ("backmap", 50, 500, 312500), ("backmap", 100, 1000, 600000),
                                                      ("refcount", 100, 1000, 600000)))
COUNTERS = ("exits_guest_fault", "exits_hidden_fault", "exits_hypercall", "exits_syscall", "exits_emulated",
            "exits_interrupt", "exits_reflected", "shadow_fills", "shadow_flushes", "shadow_evictions")


class FakeMachine:
    """A machine that printed a text and ended."""

    def __init__(self, text, how):
        self.console = types.SimpleNamespace(text=text)
        self.how = how

    def wait(self, _seconds):
        return self.how

    def no_panic(self):
        pass


def outcome(t, column, wanted, world, status=0, how="poweroff"):
    """What boots.boot() returns for a machine that printed this, or the name of the error it raises."""
    kept = boots.Qemu, boots._image, boots.context
    boots.Qemu = lambda *_, **__: FakeMachine(OUTPUT.format(world=world, status=status), how)
    boots._image = lambda *_: "image"
    boots.context = lambda *_: types.SimpleNamespace(equal=t_equal, check=t.check, close=lambda: None, log=t.log)
    try:
        return boots.boot(boots.SETS["min"], column, "icount", ["basic"], 0, wanted)
    except Outcome as e:
        return e.result
    finally:
        boots.Qemu, boots._image, boots.context = kept


def t_equal(got, want, what):
    if got != want:
        raise boots.Failure(what)


@test("bench-boots", group="quick", limit=30)
def bench_boots(t):
    """In the benchmark a failed boot, a missing row and a column without its hypervisor are errors, not holes."""
    rows = ["null_syscall", "http"]
    found = outcome(t, "xen", rows, "(XEN) Xen version 4.17")
    t.equal(found["rows"]["http"], {"least": 5000, "median": 5100, "reps": 20}, "a row")
    t.equal(found["rows"]["null_syscall"]["counters"], {"exits_hypercall": 2, "exits_emulated": 40}, "its counters")
    t.equal(outcome(t, "xen", rows + ["pipe"], "(XEN) Xen"), "FAIL", "a row is missing")
    t.equal(outcome(t, "xen", rows, ""), "FAIL", "Xen's column without Xen")
    t.equal(outcome(t, "native", rows, "vellum: version"), "FAIL", "the native column with Vellum")
    t.equal(outcome(t, "xen-native", rows, "", status=1), "FAIL", "the benchmark failed")
    t.equal(outcome(t, "native", rows, "", how="triple-fault"), "FAIL", "the machine failed")


def column(factor, rows):
    counters = {name: 20 for name in COUNTERS}
    return {"rows": {row: {"least": int(1000 * factor), "median": 2000, "reps": 10, "counters": counters} for row in rows},
            "switches": [["in", 4000], ["out-load", 10001]]}


def disk_sample():
    """Requests of 64 KiB cost a guest 1.5 times, or a little more, and all others twice."""
    found = {way: {row: 2000 for row in iocost.ROWS} for way in ("bare",) + iocost.WAYS}
    found["bare"] = {row: 1000 for row in iocost.ROWS}
    found["memory"] |= {"disk_read_64k": 1500, "disk_write_64k": 1501}
    return found


def sample():
    factors = {"native": 1, "passthrough": 1.0, "virtualized": 1.25, "devirtualized": 1.002, "xen-native": 2, "xen": 4}
    columns = {name: column(factor, ["pipe", "http"]) for name, factor in factors.items()}
    return {"date": "today", "commit": "0", "versions": {"qemu": "7"}, "load": 1.0, "rounds": 3,
            "options": {"qemu": "-m 512", "icount": "-icount", "sets": {"min": {"what": "a", "linux": "b", "xen": "c", "memory": 1024}}},
            "sets": {"min": {"icount": columns, "wall": copy.deepcopy(columns)}},
            "resident": {"guest": 1048576, "passthrough": 700, "virtualized": 8000, "partition": 65536, "text_copy": 0},
            "several": several.parse(SEVERAL), "disks": disk_sample(), "wire": {way: {"tcp_64k": n} for way, n in WIRE.items()},
            "remaps": remaps.parse(REMAPS), "image": {"text": 200 * 1024, "rodata": 56 * 1024}}


def all_fail(t, parse, texts):
    for text in texts:
        try:
            parse(text)
        except Outcome as e:
            t.equal(e.result, "FAIL", f"with {text}")
        else:
            t.check(False, f"an error with {text}")


@test("bench-several", group="quick", limit=30)
def bench_several(t):
    """What the mini guest prints of several guests is read; a line that is missing is an error, and so is a cost of nothing."""
    t.equal(several.parse(SEVERAL)["latency_first"], [4000, 6000], "a row")
    all_fail(t, several.parse, [SEVERAL.replace(line, "") for line in SEVERAL.splitlines()[2:]])
    all_fail(t, several.parse, [SEVERAL.replace("5000 ns", "0 ns"), SEVERAL.replace("2600", "0")])


@test("bench-remaps", group="quick", limit=30)
def bench_remaps(t):
    """What the mini guest prints of remaps is read, and a line that is missing is an error."""
    t.equal(remaps.ratio(remaps.parse(REMAPS)[4]), 1.2, "a ratio")
    all_fail(t, remaps.parse, [REMAPS.replace(line, "") for line in REMAPS.splitlines()])


@test("bench-disks", group="quick", limit=30)
def bench_disks(t):
    """What guests print of disks is read, and a row or a way that is missing is an error."""
    text = "\n".join(f"bench {way} {row} min {i * 10} median 9 reps 200" for i, way in enumerate(iocost.WAYS) for row in iocost.ROWS)
    t.equal(iocost.parse(text)["memory"]["disk_read_4k"], 20, "a row")
    all_fail(t, iocost.parse, [text.replace(gone, "") for gone in ("bench memory disk_write_4k", "bench forwarded")])


@test("bench-wire", group="quick", limit=30)
def bench_wire(t):
    """The same of bytes of TCP."""
    text = "\n".join(f"bench {way} tcp_64k min {i * 10} of 8 transfers" for i, way in enumerate(netcost.WAYS))
    t.equal(netcost.parse(text)["switch"]["tcp_64k"], 20, "a row")
    all_fail(t, netcost.parse, [text.replace(gone, "") for gone in ("bench switch", "bench forwarded")])


@test("bench-report", group="quick", limit=30)
def bench_report(t):
    """The bounds of the benchmark are met and missed where they should be, and its page lists each that is missed."""
    results = sample()
    results["bounds"] = bounds.check(results)
    missed = {(b["clock"], b["row"], b["rule"]) for b in results["bounds"] if not b["met"]}
    t.equal(missed, {("icount", "pipe", "study"), ("icount", "http", "paper"), ("icount", "pipe", "devirtualized"),
                     ("icount", "http", "devirtualized"), ("icount", "switch out-load", "switch"),
                     ("", "resident, KiB", "resident"), ("", "share of weight 768", "share"),
                     ("icount", "disk_write_64k", "disk"), ("icount", "tcp_64k", "tcp"), ("icount", "remap, backmap, 50 % away", "remap")}, "missed bounds")
    results["sets"]["min"]["icount"]["xen"]["rows"]["pipe"]["least"] = 2900
    results["bounds"] = bounds.check(results)
    t.check(("pipe", "xen", False) in {(b["row"], b["rule"], b["met"]) for b in results["bounds"]}, "0.8 of 1.45 is missed by 1.25")
    text = page.markdown(results)
    for row in ("| domain_switch | 2,600 | - |", "| latency_later | 5,000 | 7,000 |", "| share | - | 6.7 % |", "| event_and_answer | 29,000 | 60,000 |",
                "| backmap | 0 % | 0 | 700 | - | - |", "| backmap | 50 % | 500 | 312,500 | 625 | 1.25 |",
                "| tcp_64k | 1,000 | 1,000 (1.000) | 1,100 (1.100) | 5,000 (5.000) |", "| a byte | 0.02 | 0.02 | 0.02 | 0.08 |",
                "| disk_read_64k | 1,000 | 2,000 (2.000) | 2,000 (2.000) | 1,500 (1.500) | 2,000 (2.000) |"):
        t.check(row in text, f"the page has {row}")
    columns = copy.deepcopy(results["sets"]["min"]["icount"])
    for bound in results["bounds"]:
        if not bound["met"]:
            t.check(f"| {bound['row']} | {bound['clock']} | {page.RULES[bound['rule']]} |" in text, f"{bound['row']} is on the page")
    del columns["native"]
    t.equal(bounds.ratio(columns, "virtualized", "pipe"), 1.25, "without the bare machine, passthrough is what it is held against")
    t.equal(bounds.bare(columns, "passthrough"), None, "and passthrough against nothing")
    t.check("2.00 hidden fault" in text, "the page has the exits of a row that missed its bound")
    xml.dom.minidom.parseString(plot.svg(results))
