# SPDX-License-Identifier: MIT
"""Later guests of several vcpus, on machines of one CPU and of two."""
import images
from bochs import Bochs
from guest import finish_mini
from qemu import Qemu
from registry import test


def inside(vcpus, cpus=1, hypervisor="vellum", opts="mem=all"):
    """The tests vcpus_* in a guest that the mini guest makes."""
    line = f"map=all cpus={cpus:x} test=company_suite suite=vcpus* vcpus={vcpus:x}"
    return images.vellum(("mini", line), "mini", hypervisor=hypervisor, opts=opts)


def outside(vcpus, cpus=1, hypervisor="vellum", opts="mem=all"):
    """What the first guest does to such guests."""
    line = f"map=all cpus={cpus:x} test=company_vcpus* vcpus={vcpus:x}"
    return images.vellum(("mini", line), "mini", hypervisor=hypervisor, opts=opts)


@test("vcpus-2", shows="U1 U7 I2 I3 I8 M5 M6", needs="vellum mini", limit=240)
def vcpus_2(t):
    """A guest of two vcpus on a machine of one CPU: they start, send each other interrupts and NMIs, take turns at a lock, wait by
    MWAIT, and use no translation that one of them has flushed. QEMU."""
    finish_mini(t, Qemu(t, inside(2), icount=True), 230)


@test("vcpus-4", shows="U1 U7 I2 I3 I8 M5 M6", needs="vellum mini", limit=300, slow=True)
def vcpus_4(t):
    """The same with four."""
    finish_mini(t, Qemu(t, inside(4), icount=True), 290)


@test("vcpus-bochs", shows="U1 U7 I2 I3 I8 M5 M6", needs="vellum mini", limit=400, slow=True)
def vcpus_bochs(t):
    """The same with two in Bochs."""
    finish_mini(t, Bochs(t, inside(2)), 380)


@test("vcpus-smp", shows="U1 U7 I2 I3 I8 M5 M6", needs="vellum mini", limit=300)
def vcpus_smp(t):
    """A guest of four vcpus on a machine of two CPUs, two on each."""
    finish_mini(t, Qemu(t, inside(4, 2), smp=2), 290)


@test("vcpus-smp-debug", shows="U1 U7 I2 I3 I8 M5 M6", needs="vellum-debug mini", limit=400, slow=True)
def vcpus_smp_debug(t):
    """The same with three on a debug build, which checks the order of locks and waits at random."""
    finish_mini(t, Qemu(t, inside(3, 2, "vellum-debug", "mem=all delays=20000"), smp=2), 380)


@test("vcpus-end", shows="U2 U7 I4 I9 M4", needs="vellum mini", limit=240)
def vcpus_end(t):
    """A guest of two vcpus ends when one of them crashes, or both end it at once; it is paused, goes on, and is destroyed while both
    spin, halt, or halt for good, with nothing lost. QEMU."""
    finish_mini(t, Qemu(t, outside(2), icount=True), 230)


@test("vcpus-end-smp", shows="U2 U7 I4 I9 M4", needs="vellum-debug mini", limit=300)
def vcpus_end_smp(t):
    """The same with four on two CPUs, on a debug build."""
    finish_mini(t, Qemu(t, outside(4, 2, "vellum-debug", "mem=all delays=20000"), smp=2), 290)


@test("vcpus-end-bochs", shows="U2 U7 I4 I9 M4", needs="vellum mini", limit=400, slow=True)
def vcpus_end_bochs(t):
    """The same with two in Bochs."""
    finish_mini(t, Bochs(t, outside(2)), 380)


@test("vcpus-smp-bochs", shows="U1 U7 I2 I3 I8 M5 M6", needs="vellum mini", limit=500, slow=True)
def vcpus_smp_bochs(t):
    """vcpus-smp with three in Bochs."""
    finish_mini(t, Bochs(t, inside(3, 2), cpus=2), 480)


def status(vcpus, cpus=1, hypervisor="vellum"):
    line = f"map=all cpus={cpus:x} test=company_status vcpus={vcpus:x}"
    return images.vellum(("mini", line), "mini", hypervisor=hypervisor, opts="mem=all")


@test("vcpus-status", shows="U2 U4", needs="vellum mini", limit=120)
def vcpus_status(t):
    """Vellum tells of each of three vcpus, which burn different times and halt, where it is, what it does and what it has run. QEMU."""
    finish_mini(t, Qemu(t, status(3), icount=True), 110)


@test("vcpus-status-smp", shows="U2 U4 U7", needs="vellum-debug mini", limit=200)
def vcpus_status_smp(t):
    """The same of four on two CPUs, on a debug build."""
    finish_mini(t, Qemu(t, status(4, 2, "vellum-debug"), smp=2, thread="single", icount=True), 190)
