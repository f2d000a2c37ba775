# SPDX-License-Identifier: MIT
"""How a test is declared, and what a running test is given.

A test is a function with the decorator @test; its docstring says what it proves. It owns one
log folder, is run in a process of its own and is killed with everything that it started when its
time is over. Results, worst wins: PASS < SKIP < ERROR < FAIL < CRASH. ERROR is the environment's
or the test's own fault, FAIL is Vellum's, CRASH is a guest or Vellum that died.
"""
import os
import re

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(TOP, "build")
RESULTS = ("PASS", "SKIP", "ERROR", "FAIL", "CRASH")

# Artifacts by the names that tests use in needs=; `make` builds each of them.
ARTIFACTS = {
    "vellum": "build/vellum.elf",
    "vellum-debug": "build/debug/vellum.elf",
    "vl": "build/vl",
    "min": "build/linux/min/bzImage",
    "min-vmlinux": "build/linux/min/vmlinux",
    "full": "build/linux/full/bzImage",
    "full-vmlinux": "build/linux/full/vmlinux",
    "min-stripped": "build/kernels/min",
    "full-stripped": "build/kernels/full",
    "mini": "build/mini/mini.elf",
    "lwip": "build/mini/lwip.elf",
    "initrd-test": "build/initrd/test.cpio.gz",
    "initrd-small": "build/initrd/small.cpio.gz",
    "initrd-guests": "build/initrd/guests.cpio.gz",
    "initrd-dual": "build/initrd/dual.cpio.gz",
    "initrd-guests-full": "build/initrd/guests-full.cpio.gz",
    "initrd-run": "build/initrd/run.cpio.gz",
    "thirdparty": "build/thirdparty/disk.img",
}


def path(name):
    """Absolute path of an artifact's name, or of a file relative to the project's top."""
    return os.path.join(TOP, ARTIFACTS.get(name, name))


class Outcome(Exception):
    """Ends a test with a result other than PASS."""
    result = "ERROR"


class Failure(Outcome):
    """Vellum did not do what the test asks of it."""
    result = "FAIL"


class Crash(Outcome):
    """Vellum or a guest died."""
    result = "CRASH"


class Skip(Outcome):
    """The test does not apply here; the reason is shown."""
    result = "SKIP"


class Environment(Outcome):
    """The machine or the harness cannot run the test."""
    result = "ERROR"


class Test:
    """One declared test."""

    def __init__(self, func, name, group, shows, needs, limit, doc, slow):
        self.func = func
        self.name = name
        self.group = group
        self.shows = tuple(shows.split())
        self.needs = tuple(needs.split())
        self.limit = limit
        self.doc = doc
        self.slow = slow

    @property
    def logdir(self):
        return os.path.join(BUILD, "logs", self.name)


TESTS = {}


def add(func, name, shows="", needs="", limit=120, doc=None, group=None, slow=False):
    """Declare a test. `group` is quick (no emulator, no kernel), emu or soak (run only on
    demand); `slow` starts it early."""
    doc = doc or func.__doc__
    if not doc:
        raise ValueError(f"test {name} has no docstring: it must say what it proves")
    if name in TESTS:
        raise ValueError(f"two tests are called {name}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise ValueError(f"{name} is not a test name (lower case, digits, . _ -)")
    TESTS[name] = Test(func, name, group or "emu", shows, needs, limit, doc, slow)


def test(name, **kw):
    """Decorator form of add()."""
    def declare(func):
        add(func, name, **kw)
        return func
    return declare


class Context:
    """What a test function gets: its folder, its checks, and machines that die with it."""

    def __init__(self, declared):
        self.test = declared
        self.dir = declared.logdir
        self._machines = []
        self._log = open(os.path.join(self.dir, "test.log"), "w", encoding="utf-8")

    def log(self, *words):
        """Write one line to the test's own log."""
        self._log.write(" ".join(str(w) for w in words) + "\n")
        self._log.flush()

    def check(self, condition, sentence):
        """FAIL with the sentence unless the condition holds."""
        self.log("ok:" if condition else "NOT OK:", sentence)
        if not condition:
            raise Failure(sentence)

    def equal(self, got, want, what):
        """FAIL unless the two values are equal."""
        self.check(got == want, f"{what}: got {got!r}, want {want!r}")

    def keep(self, machine):
        """Have a machine stopped when the test ends, whatever happens."""
        self._machines.append(machine)
        return machine

    def close(self):
        for machine in self._machines:
            machine.stop()
