# SPDX-License-Identifier: MIT
"""Unit tests, fuzzers, the tool's golden tests and our kernels as it sees them: programs that run on
the host.

Their names come from the build fragments and the sources, not from build/: a program that did not
build is an ERROR, not a test less. What a program proves is the comment at the top of its source, and
its line `shows: ROW...` names the rows of the ledger.
"""
import os
import re
import subprocess

import kernels
import pace
from registry import BUILD, TOP, Crash, Environment, Failure, add, path, test

FUZZ_RUNS = 100000
FUZZ_SEED = 2003


def words_of(fragment, variable):
    """Words of a variable of a build fragment, continued lines included."""
    with open(os.path.join(TOP, fragment), encoding="utf-8") as text:
        joined = text.read().replace("\\\n", " ")
    found = re.findall(rf"^{variable} *[:+]?= *(.*)$", joined, re.MULTILINE)
    return " ".join(found).split()


def head_of(source):
    """(first paragraph, ledger rows) of a source file."""
    with open(os.path.join(TOP, source), encoding="utf-8") as text:
        head = text.read(3000)
    comment = re.search(r"/\*\n(.*?)\*/", head, re.DOTALL)
    lines = [line.strip().lstrip("*").strip() for line in comment[1].split("\n")] if comment else []
    rows = re.search(r"shows: ((?:[MIU]\d+ ?)+)", head)
    return " ".join(line for line in lines if line and "shows:" not in line), rows[1] if rows else ""


def run_program(t, command, seconds, **variables):
    """Run a program of the host, with `variables` in its environment; a signal or a sanitizer's report is a CRASH."""
    if not os.path.exists(os.path.join(TOP, command[0])):
        raise Environment(f"not built: {command[0]} (see the build's output)")
    log = os.path.join(t.dir, "program.log")
    with open(log, "wb") as out:
        done = subprocess.run(command, cwd=TOP, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                              env={**os.environ, **variables}, timeout=seconds * pace.SLOWEST)
    with open(log, encoding="utf-8", errors="replace") as out:
        text = out.read()
    if done.returncode < 0 or "Sanitizer" in text or "runtime error:" in text:
        raise Crash(f"{command[0]} died ({done.returncode}): {text[-1500:]}")
    if done.returncode:
        raise Failure(f"{command[0]} exits {done.returncode}: {text[-1500:]}")
    return text


def declare_unit(name):
    doc, rows = head_of(f"tests/unit/{name}.c")

    def run(t):
        text = run_program(t, [f"build/tests/unit/{name}"], 170)
        passed = re.search(r"\[  PASSED  \] (\d+) test", text)
        t.check(passed and int(passed[1]) > 0, "cmocka reports tests that passed")

    add(run, f"unit-{name.replace('_', '-')}", group="quick", limit=180, shows=rows, doc=f"Unit: {doc}")


def declare_fuzz(name):
    doc, rows = head_of(f"tests/fuzz/{name}.c")

    def run(t):
        text = run_program(t, [f"build/tests/fuzz/{name}", f"-runs={FUZZ_RUNS}", f"-seed={FUZZ_SEED}",
                               "-max_len=4096", "-timeout=20", f"-artifact_prefix={t.dir}/"], 170)
        t.check(re.search(rf"Done {FUZZ_RUNS} runs", text), f"the fuzzer did {FUZZ_RUNS} runs")

    add(run, f"fuzz-{name.replace('_', '-')}", group="quick", limit=180, shows=rows,
        doc=f"Fuzzer, {FUZZ_RUNS} runs: {doc}")


for unit in words_of("tests/unit/build.mk", "UNIT_TESTS"):
    declare_unit(unit)
for fuzzer in words_of("tests/fuzz/build.mk", "FUZZERS"):
    declare_fuzz(fuzzer)


@test("soak-unit-remap", group="soak", limit=3600, shows="M11 M12 M15 M16 M17")
def soak_unit_remap(t):
    """The remapper's unit test with a million random cases for each kind of owners, and all p2ms of up to six pages."""
    text = run_program(t, ["build/tests/unit/remap"], 3500, VL_TEST_CASES="1000000")
    t.check(re.search(r"\[  PASSED  \] \d+ test", text), "cmocka reports tests that passed")


@test("remap-picture", group="quick", limit=60, shows="M11 M12")
def remap_picture(t):
    """The picture in docs/remap.md is what the remapper does now."""
    with open(os.path.join(TOP, "docs", "remap.svg"), encoding="utf-8") as kept:
        t.equal(run_program(t, ["build/tests/host/draw-remap"], 30), kept.read(),
                "docs/remap.svg (else: build/tests/host/draw-remap > docs/remap.svg)")


@test("cli", group="quick", limit=180, shows="U2 U3 U4", needs="vl")
def cli(t):
    """The tool: golden output of each verb in text and JSON, usage and failures, man page, completion,
    and the hypercall generator's own errors."""
    if not os.path.exists(os.path.join(BUILD, "tests", "cli", "vl-fake")):
        raise Environment("not built: build/tests/cli/vl-fake (see the build's output)")
    text = run_program(t, ["tests/cli/run"], 170)
    plan = re.search(r"^1\.\.(\d+)$", text, re.MULTILINE)
    t.check(plan and int(plan[1]) == len(re.findall(r"^ok \d+", text, re.MULTILINE)), "every case passed")


def read(name):
    with open(path(name), "rb") as f:
        return f.read()


def unpacked(t, image):
    """What the tool unpacks from a bzImage."""
    out = os.path.join(t.dir, "unpacked")
    run_program(t, ["build/tests/host/unpack", image, out], 60)
    return read(out)


@test("payload-kernels", limit=240, shows="U2", needs="min min-vmlinux full")
def payload_kernels(t):
    """Our kernels unpack to their vmlinux, segment by segment; the small one does so in each of Linux's formats,
    packed by that format's own tool, and comes out byte by byte."""
    small = unpacked(t, path("min"))
    want, got = kernels.segments(read("min-vmlinux")), kernels.segments(small)
    t.check(len(got) > 2 and sorted(got) == sorted(want), f"segments at {[hex(pa) for pa in got]}")
    for pa, data in want.items():
        t.check(got[pa] == data, f"the segment at {pa:#x} has the {len(data)} bytes of vmlinux")
    full = unpacked(t, path("full"))
    t.check(len(kernels.segments(full)) > 2, f"the full kernel has segments in {len(full)} bytes")
    image = read("min")
    again = os.path.join(t.dir, "bzImage")
    for kind in kernels.FORMATS:
        with open(again, "wb") as f:
            f.write(kernels.repack(image, kind, small))
        t.check(unpacked(t, again) == small, f"{kind}: {os.path.getsize(again)} bytes unpack to the same kernel")
    os.unlink(again)
