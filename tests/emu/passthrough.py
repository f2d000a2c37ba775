# SPDX-License-Identifier: MIT
"""Passthrough is real: proved from outside the guest, and by counting its instructions."""
import os
import re
import time

import images
from guest import CONSOLE, check_state, finish_linux, is_vellum, linux_image, output_of
from guest import run_linux, symbols, text_copy, vellum_range
from machine import plain
from qemu import Qemu
from registry import Failure, test

WINDOW = 100_000_000  # guest instructions at least
KERNEL_CS = 0x10


def sample(t, m, partition, names, cpus):
    """Look at each CPU again and again until the window closes; returns the privilege levels seen, by CPU."""
    levels = [[] for _ in range(cpus)]
    while "window: closed" not in m.console.text:
        if not m.alive:
            raise Failure("the machine ended during the window")
        m.pause()
        for cpu, seen in enumerate(levels):
            regs = m.registers(cpu)
            check_state(t, m, cpu, regs, partition, names)
            t.check(not is_vellum(regs["RIP"], partition), f"RIP {regs['RIP']:#x} of CPU {cpu} is the guest's")
            if regs["CPL"] == 0:
                t.equal(regs["CS"], KERNEL_CS, "CS in the guest kernel")
            seen.append(regs["CPL"])
        m.cont()
        time.sleep(0.1)
    return levels


def executed(path):
    """Addresses of all instructions in a log of translated code."""
    with open(path, encoding="utf-8", errors="replace") as log:
        return [int(a, 16) for a in re.findall(r"^0x([0-9a-f]{8,16}):", log.read(), re.MULTILINE)]


WINDOW_NEEDS = "vellum min min-vmlinux initrd-test"


@test("passthrough-window", shows="M1 I1", needs=WINDOW_NEEDS, limit=180, slow=True)
def passthrough_window(t):
    """The passthrough half of M1 and I1: over a window of more than 10^8 guest instructions the CPU runs the guest kernel at CPL 0 on its own
    CR3, IDT and GDT, and not one instruction at a Vellum address is executed.

    QEMU translates each instruction afresh from the start of the window on (one instruction a block)
    and logs what it translates, so the log has each address that was executed, once. The guest makes hypercalls
    before the window and one after it; the latter must show up in the log, or the proof proves nothing.
    """
    window(t, "")


@test("devirtualized-window", shows="M1 M2 M9 I1 I2 I3", needs=WINDOW_NEEDS, limit=180, slow=True)
def devirtualized_window(t):
    """After 100 times virtualized and devirtualized the same proof holds: it is passthrough again."""
    window(t, "switches=100")


@test("passthrough-window-smp", shows="M1 I1 U7", needs="vellum full full-vmlinux initrd-test", limit=400, slow=True)
def passthrough_window_smp(t):
    """On a machine with two CPUs, both at work in the distribution-like kernel, the same proof holds for each of them;
    after the window each makes a hypercall."""
    window(t, "nokaslr nopti", "window-smp", "full", memory=512, smp=2)


def window(t, line, script="window", kernel="min", smp=1, **kw):
    names = symbols(f"{kernel}-vmlinux")
    inside, after = os.path.join(t.dir, "window.asm"), os.path.join(t.dir, "after.asm")
    m = Qemu(t, linux_image([script], kernel, cmdline=line), smp=smp, **kw)
    m.expect("window: ready", 200)
    m.pause()
    partition = vellum_range(m, "partition")
    m.hmp(f"logfile {inside}")
    m.hmp("log in_asm")
    m.hmp("singlestep on")
    m.cont()
    levels = sample(t, m, partition, names, smp)
    m.pause()
    m.hmp(f"logfile {after}")
    m.cont()
    m.expect("window: control done", 100)
    finish_linux(t, m, [script])

    text = plain(m.console.text)
    counted = sum(int(n) for n in re.findall(r"^load: round \d+ loop (\d+)$", text, re.MULTILINE))
    addresses = executed(inside)
    foreign = sorted(a for a in addresses if is_vellum(a, partition))
    kernel = sum(a >= names["_stext"] for a in addresses)
    t.log(f"{counted} instructions in the loop alone, {len(addresses)} addresses, {kernel} in the kernel, CPL {levels}")
    t.check(counted >= WINDOW * smp, f"the window has at least {WINDOW} guest instructions a CPU: {counted}")
    for cpu, seen in enumerate(levels):
        t.check(seen.count(0) >= 5, f"the guest kernel was seen at CPL 0 on CPU {cpu} ({seen.count(0)} of {len(seen)} looks)")
    t.check(kernel > 5000, f"the log has the guest kernel's instructions ({kernel})")
    t.check(not foreign, f"no instruction at a Vellum address; first ones: {[hex(a) for a in foreign[:5]]}")
    control = [a for a in executed(after) if is_vellum(a, partition)]
    t.check(len(control) > 50, f"the hypercall after the window is in the log ({len(control)} addresses)")


def rows(lines):
    """{row: (min, median)} of the benchmark."""
    found = re.findall(r"^bench (\S+) min (\d+) median (\d+) reps", "\n".join(lines), re.MULTILINE)
    return {name: (int(low), int(median)) for name, low, median in found}


@test("passthrough-cost", shows="M1 I1", needs="vellum full initrd-test", limit=240, slow=True)
def passthrough_cost(t):
    """The passthrough half of M1 and I1: null syscall, fork+exit, page fault and pipe take as many
    instructions under an idle Vellum as in the same kernel without Vellum, within 0.1 %.

    The distribution-like kernel, because the small one's allocator (SLOB) searches lists, so that a
    fork costs what the history of its heap makes it cost. Nothing that differs from boot to boot is
    wanted in the counts: no address randomization.
    """
    cost(t, "")


@test("devirtualized-cost", shows="M1 M2 M9 I1", needs="vellum full initrd-test", limit=240, slow=True)
def devirtualized_cost(t):
    """After 100 times virtualized and devirtualized the same counts hold, within 0.1 %: nothing of it is left."""
    cost(t, "switches=100")


ROWS = ["null_syscall", "read", "signal", "page_fault", "cow_fault", "file_fault", "mprotect_page", "mprotect_mib",
        "map_touch_mib", "segv_mprotect", "fork_exit", "fork_exec", "pipe"]

# What takes fresh pages costs what the page allocator's history makes it cost: without Vellum, with 160 to 512 MiB,
# the least of these differed by up to 0.2 %, and the medians of fork by 0.4 %; the least of fork by 0.04 %.
# And the second run has not started the 200 programs of the switches before.
BOUNDS = {"file_fault": 0.0025, "map_touch_mib": 0.0025, "fork_exec": 0.004}


def cost(t, switches):
    line = "nokaslr norandmaps quiet"
    under = run_linux(t, ["bench-switched"], kernel="full", icount=True, cmdline=f"{line} {switches}", name="vellum")
    # Thresholds of the kernel grow with its memory, so it gets no more without Vellum.
    memory = vellum_range(under, "partition")[0] - text_copy(under)
    alone = Qemu(t, images.native("full", "initrd-test", f"{CONSOLE} {line} mem={memory:#x} vltest=bench-switched"),
                 icount=True, name="native")
    finish_linux(t, alone, ["bench-switched"])
    t.check("vellum: " not in plain(alone.console.text), "the second run is without Vellum")
    with_vellum, without = rows(output_of(under, "bench-switched")), rows(output_of(alone, "bench-switched"))
    t.equal(sorted(with_vellum), sorted(ROWS), "rows of the benchmark")
    t.equal(sorted(without), sorted(with_vellum), "rows without Vellum")
    for name, (least, median) in with_vellum.items():
        t.log(f"{name}: least {least} under Vellum, {without[name][0]} without, ratio {least / without[name][0]:.5f}; "
              f"median {median} and {without[name][1]}")
    for name, (least, _) in with_vellum.items():
        ratio = least / without[name][0]
        t.check(abs(ratio - 1) <= BOUNDS.get(name, 0.001), f"{name}: {least} instructions under Vellum, "
                f"{without[name][0]} without, ratio {ratio:.5f}")
