# SPDX-License-Identifier: MIT
"""A guest that breaks every rule: it is stopped alone and with a reason, and Vellum does not panic."""
import os
import re

import images
from bochs import Bochs
from guest import finish_mini
from machine import plain
from qemu import Qemu
from registry import TOP, test

# How many; VELLUM_FUZZ_CALLS overrides it, VELLUM_FUZZ_SEED (hexadecimal) the seed.
CALLS = 50_000

CRASHES = f"{TOP}/tests/mini/tests/crash.c"
TRIPLE = "triple fault: its double-fault handler cannot be reached"
NO_GDT = "its GDT is larger than Vellum can mirror, or not mapped"


def names():
    """All crash_* tests of the mini guest: from its source, so that none is forgotten."""
    with open(CRASHES, encoding="utf-8") as source:
        return re.findall(r"^TEST_ON_REQUEST\((crash_\w+),", source.read(), re.MULTILINE)


def crash(t, emulator, name):
    image = images.vellum(("mini", f"virtualized test={name}"))
    m = Qemu(t, image, name=name) if emulator == "qemu" else Bochs(t, image, name=name)
    m.expect(r"^vellum: domain 0 crashed: (.*)$", 40)
    m.expect(r"^vellum:   cr0 \S+ cr2 \S+ cr3 \S+ cr4 \S+", 10)
    text = plain(m.console.text)
    m.no_panic()
    t.equal(re.search(r"^vellum: domain 0 crashed: (.*)$", text, re.MULTILINE)[1],
            NO_GDT if name.startswith("crash_gdt") else TRIPLE, f"reason of {name}")
    t.check(f"# {name} shows" in text and "Bail out" not in text and "not ok" not in text, f"{name} ran")
    if emulator == "qemu":
        t.check(not m.triple_faulted(), "the machine itself did not shut down")
    m.stop()


@test("abuse-crash-qemu", shows="I2 I4 M5", needs="vellum mini", limit=400)
def crash_qemu(t):
    """No IDT, no GDT, roots and tables in nothing, in devices, in Vellum's partition, stacks and TSS in Vellum's slots: the
    domain is crashed as by a triple fault, its registers are logged, Vellum does not panic. QEMU."""
    for name in names():
        crash(t, "qemu", name)


@test("abuse-crash-bochs", shows="I2 I4 M5", needs="vellum mini", limit=400, slow=True)
def crash_bochs(t):
    """The same in Bochs."""
    for name in names():
        crash(t, "bochs", name)


def fuzz(t, emulator, calls):
    calls = int(os.environ.get("VELLUM_FUZZ_CALLS", calls))
    seed = os.environ.get("VELLUM_FUZZ_SEED", "")
    words = f"virtualized test=hypercall_fuzz calls={calls:x}" + (f" seed={seed}" if seed else "")
    image = images.vellum(("mini", words))
    m = Qemu(t, image) if emulator == "qemu" else Bochs(t, image)
    finish_mini(t, m, 60 + calls // 250)
    done = re.search(r"^# (\d+) calls from seed (0x[0-9a-f]+)$", plain(m.console.text), re.MULTILINE)
    t.check(done and int(done[1]) == calls, f"the guest made {calls} calls")
    t.log(done[0])


@test("abuse-hypercalls-qemu", shows="U3 I4 M10", needs="vellum mini", limit=3600)
def hypercalls_qemu(t):
    """Random hypercalls of a virtualized guest, every number with arguments of every kind: each answers what the
    ABI says, writes only into its buffer, and Vellum lives. The seed is printed. QEMU."""
    fuzz(t, "qemu", CALLS)


@test("soak-hypercalls", group="soak", shows="U3 I4 M10", needs="vellum mini", limit=10000)
def soak_hypercalls(t):
    """Two million of these calls in QEMU, with thousands of switches between them."""
    fuzz(t, "qemu", 2_000_000)


@test("soak-hypercalls-bochs", group="soak", shows="U3 I4 M10", needs="vellum mini", limit=3600)
def soak_hypercalls_bochs(t):
    """200,000 of them in Bochs."""
    fuzz(t, "bochs", 200_000)
