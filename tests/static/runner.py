# SPDX-License-Identifier: MIT
"""The test runner itself, run on a scratch project whose tests end in every way there is."""
import json
import os
import shutil
import subprocess
import time

import pace
from registry import TOP, test

SAMPLES = '''
import os, signal, time
from registry import Crash, Environment, Failure, Skip, test

def declare(name, what, **kw):
    @test(name, group="quick", **kw)
    def run(t):
        """A sample."""
        what(t)

def raises(kind):
    def run(t):
        raise kind("because")
    return run

declare("a-pass", lambda t: t.equal(1, 1, "one"), shows="M4")
declare("b-skip", raises(Skip))
declare("c-error", raises(Environment))
declare("d-bug", lambda t: 1 / 0)
declare("e-fail", lambda t: t.equal(1, 2, "one"))
declare("f-crash", raises(Crash))
declare("g-hang", lambda t: time.sleep(60), limit=-9)
declare("h-killed", lambda t: os.kill(os.getpid(), signal.SIGKILL))
declare("i-missing", lambda t: None, needs="vellum")
'''
WANT = {"a-pass": "PASS", "b-skip": "SKIP", "c-error": "ERROR", "d-bug": "ERROR", "e-fail": "FAIL",
        "f-crash": "CRASH", "g-hang": "FAIL", "h-killed": "ERROR", "i-missing": "ERROR"}


@test("runner", group="quick", limit=60)
def runner(t):
    """Every way a test can end gives its result class, the closing line counts them, the exit status tells."""
    top = os.path.join(t.dir, "project")
    for folder in ("tests/lib", "docs"):
        shutil.copytree(os.path.join(TOP, folder), os.path.join(top, folder))
    shutil.copy(os.path.join(TOP, "tests", "run"), os.path.join(top, "tests", "run"))
    os.makedirs(os.path.join(top, "tests", "host"))
    with open(os.path.join(top, "tests", "host", "samples.py"), "w", encoding="utf-8") as out:
        out.write(SAMPLES)

    def run(*words):
        return subprocess.run([os.path.join(top, "tests", "run"), *words], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    done = run("-j", "3")
    t.log(done.stdout, done.stderr)
    with open(os.path.join(top, "build", "test-results.json"), encoding="utf-8") as results:
        got = {o["name"]: o["result"] for o in json.load(results)["tests"]}
    t.equal(got, WANT, "results")
    t.equal(done.stdout.rstrip("\n").split("\n")[-1], "1 passed, 7 failed", "closing line")
    t.equal(done.returncode, 1, "exit status when tests fail")
    good = run("a-*", "b-skip")
    t.equal(good.stdout.rstrip("\n").split("\n")[-1], "1 passed, 0 failed", "closing line of a good run")
    t.equal(good.returncode, 0, "exit status of a good run")
    t.check("a-pass" in run("--row", "M4", "--list").stdout, "--row finds the test of a row")
    t.check(run("nothing").returncode != 0, "an unknown name fails")
    with open(os.path.join(top, "build", "test-results.xml"), encoding="utf-8") as xml:
        t.check(xml.read().startswith("<?xml"), "the JUnit file is there")


@test("pace", group="quick", limit=20)
def clock(t):
    """The clock of the limits: the host's where a thread gets what it would of a developer's machine, slower where it does not."""
    unit = pace.UNIT
    t.equal([pace.share(unit / 2, 1, 2), pace.share(unit, 2, 2)], [1, 1], "a quick host's clock is not ahead of time")
    t.equal([pace.share(unit * 2, 1, 2), pace.share(unit, 4, 2), pace.share(unit * 2, 4, 2)], [0.5, 0.5, 0.25],
            "half as quick, half a core, both")
    t.equal(pace.share(unit * 1000, 100, 2), 1 / pace.SLOWEST, "a hang is found, however slow the host")
    before, start = pace.now(), time.monotonic()
    time.sleep(0.5)
    went, took = pace.now() - before, time.monotonic() - start
    t.check(took / pace.SLOWEST <= went + pace.PERIOD and went <= took + pace.PERIOD, f"the runner's clock went {went:.3f} s in {took:.3f} s")
