# SPDX-License-Identifier: MIT
"""Guests that are virtualized from their first instruction: the first one by begin=virtualized, and later ones."""
import re

import images
from bochs import Bochs
from guest import CONSOLE, finish_linux, output_of
from qemu import Qemu
from registry import test


def begun_image(kernel, cycles, more=""):
    """Linux as an ELF file: a bzImage's own decompressor goes through 32-bit code, which nobody has at ring 3."""
    line = f"{CONSOLE} cycles={cycles} {more} vltest=begun".replace("  ", " ")
    return images.vellum((kernel, line), "initrd-test", opts="begin=virtualized")


def check_begun(t, m, cycles, seconds):
    finish_linux(t, m, ["begun"], seconds)
    lines = output_of(m, "begun")
    t.check(f"ok: {cycles} cycles" in lines, f"the guest's verdict: {lines[-3:]}")
    text = "\n".join(lines)
    for what in ("system calls", "emulated instructions"):
        found = re.search(rf"^.*{what}.*$", text, re.MULTILINE)
        t.log(found[0] if found else f"no line on {what}")


@test("linux-begins-min", shows="M1 M2 M5 I1 I2 I3 I8 U3", needs="vellum min-vmlinux initrd-test", limit=240)
def linux_begins_min(t):
    """Linux begins virtualized, as later guests do, is devirtualized and then switches under load: nothing is lost, and
    it complains of nothing."""
    m = Qemu(t, begun_image("min-vmlinux", 5), memory=256, icount=True)
    check_begun(t, m, 5, 220)


@test("linux-begins-pv-none", shows="I1 I2 I3", needs="vellum min-vmlinux initrd-test", limit=240)
def linux_begins_pv_none(t):
    """The same without fast paths and second text: everything but the sites that read the flag traps."""
    m = Qemu(t, begun_image("min-vmlinux", 3, "vellum_pv=none"), memory=256, icount=True)
    check_begun(t, m, 3, 220)


@test("linux-begins-bochs", shows="M1 M2 I1 I2 I3 I8", needs="vellum min-vmlinux initrd-test", limit=300, slow=True)
def linux_begins_bochs(t):
    """The same in Bochs."""
    m = Bochs(t, begun_image("min-vmlinux", 1, "nopcid"))
    check_begun(t, m, 1, 280)


@test("linux-begins-full", group="soak", shows="M1 M2 I1 I2 I3", needs="vellum full-vmlinux initrd-test", limit=400)
def linux_begins_full(t):
    """The same with the distribution-like kernel: mitigations, ftrace, jump labels, modules change its text on the way.
    It has never passed: once alternatives are applied, the flag's sites say that interrupts are off."""
    m = Qemu(t, begun_image("full-vmlinux", 3), memory=512, icount=True)
    check_begun(t, m, 3, 380)


@test("linux-begins-full-2", group="soak", shows="M1 M2 I1 I2 I3", needs="vellum full-vmlinux initrd-test", limit=400)
def linux_begins_full_2(t):
    """And on two CPUs, the second of which comes up in passthrough and joins."""
    m = Qemu(t, begun_image("full-vmlinux", 3), memory=512, smp=2)
    check_begun(t, m, 3, 380)
