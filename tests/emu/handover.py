# SPDX-License-Identifier: MIT
"""The first guest ends for good, and the other one gets the bare machine: docs/design.md, section 9b."""
import re
import time

import images
from bochs import Bochs
from guest import check_state, check_tap, is_vellum, linux_image, symbols, vellum_range
from machine import plain
from qemu import Qemu
from registry import test


def image(words, hypervisor="vellum", more="", opts=""):
    """The mini guest, which makes one of itself, scattered over memory, and hands the machine over to it; `words` go to that."""
    return images.vellum(("mini", f"test=hand_over heir={words.replace(' ', '+')} {more}"), "mini", opts=opts, hypervisor=hypervisor)


def check(t, m, seconds, ending):
    end = m.wait(seconds)
    m.no_panic()
    lines = m.console.lines()
    t.check(any("the machine is mine" in line for line in lines), f"the heir has the machine: {lines[-5:]}")
    check_tap(t, m)
    t.equal(end, ending, "the heir's own verdict")


# What a guest sees of a machine, and guests of its own.
SUITE = "entry*,given*,guests_a*,guests_c*,guests_g*,guests_p2m,guests_r*,keys*,lapic*,layers*,locks*,memory*,paging*,pic*,timer*,trap*,user*"


@test("handover-mini-qemu", shows="M19 M12 I9", needs="vellum mini", limit=300)
def handover_mini_qemu(t):
    """The heir, whose memory lies all over the machine's, is devirtualized, virtualized and devirtualized again, its ticks and
    its memory going on; then it runs tests of the mini guest's on the bare machine, and makes guests of its own. QEMU."""
    check(t, Qemu(t, image(f"test={SUITE}"), icount=True), 280, "exit-16")


@test("handover-mini-bochs", shows="M19 M12 I9", needs="vellum mini", limit=400, slow=True)
def handover_mini_bochs(t):
    """The same in Bochs, whose PIT counts as the data sheet says."""
    check(t, Bochs(t, image("test=entry*,pic*,timer*,guests_created")), 380, "shutdown-port")


def check_failures(t, m, allocates=True):
    """Three steps, and as many allocations as the calls make."""
    found = re.search(r"^# heir: (\d+) of (\d+) calls failed", m.console.text, re.MULTILINE)
    t.check(found and 3 + allocates <= int(found.group(1)) < int(found.group(2)), f"calls failed, and others moved pages: {found and found.group(0)}")


@test("handover-mini-debug", shows="M19 M12 I9", needs="vellum-debug mini", limit=300)
def handover_mini_debug(t):
    """The same with a Vellum that audits its shadow, its owners and its locks, and whose calls to come home fail
    at each step and allocation first."""
    m = Qemu(t, image("test=entry*,guests_c*,guests_r*,pic*,timer*", "vellum-debug"), icount=True)
    check(t, m, 280, "exit-16")
    check_failures(t, m)


@test("handover-mini-kinds", shows="M19 M11 M12 M14 M15 M16 M17", needs="vellum-debug mini", limit=400)
def handover_mini_kinds(t):
    """The heir comes home by each kind of owners, through a spare frame and by exchange, with the same failures."""
    for owners in ("backmap", "refcount", "search"):
        for remap in ("indirect", "direct"):
            m = Qemu(t, image("test=entry*", "vellum-debug", opts=f"owners={owners} remap={remap}"), icount=True, name=f"{owners}-{remap}")
            check(t, m, 60, "exit-16")
            check_failures(t, m, owners != "search")


@test("handover-suite", shows="M19 I1 I2 I3 I8", needs="vellum mini", limit=1200, group="soak")
def handover_suite(t):
    """All of the mini guest's suite in the heir."""
    check(t, Qemu(t, image("test=*"), icount=True), 1180, "exit-16")


def look_from_outside(t, m, partition):
    """What devirtualized-window sees of a guest that was booted; each of its looks."""
    names, levels = symbols("min-vmlinux"), []
    for _ in range(10):
        m.pause()
        regs = m.registers(0)
        check_state(t, m, 0, regs, partition, names)
        t.check(not is_vellum(regs["RIP"], partition), f"RIP {regs['RIP']:#x} is the guest's")
        levels.append(regs["CPL"])
        m.cont()
        time.sleep(0.1)
    t.check(0 in levels, f"the guest kernel was seen at CPL 0: {levels}")


def check_linux(t, m, seconds):
    m.expect(r"heir: passthrough", seconds)
    look_from_outside(t, m, vellum_range(m, "partition"))
    m.expect(r"heir: (done|not ok)", 120)
    m.no_panic()
    text = plain(m.console.text)
    t.check("heir: done" in text, f"the heir's verdict: {text[-400:]}")
    t.equal(re.findall(r"^heir: (passthrough|virtualized)\r?$", text, re.MULTILINE),
            ["passthrough", "passthrough", "virtualized", "passthrough"], "its modes")
    t.equal(m.wait(60), "reset", "it restarts the machine")


@test("handover-linux", shows="M19 M12 M13 I9 U2", needs="vellum min min-vmlinux initrd-guests", limit=300, slow=True)
def handover_linux(t):
    """vl destroy --force of the first Linux: the second one, which made nothing of it, goes to passthrough with its memory, its
    clock and its console, which is seen from outside, too; can be virtualized again, and restarts the machine. QEMU."""
    check_linux(t, Qemu(t, linux_image(["handover"], initrd="initrd-guests"), memory=512), 200)
