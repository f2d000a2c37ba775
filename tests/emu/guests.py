# SPDX-License-Identifier: MIT
"""Guests that are virtualized from their first instruction: the first one by begin=virtualized, and later ones."""
import re

import images
from bochs import Bochs
from guest import CONSOLE, finish_linux, finish_mini, linux_image, output_of
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


@test("linux-begins-min", shows="M1 M2 M5 I1 I2 I3 I8 U3", needs="vellum min-stripped initrd-test", limit=240)
def linux_begins_min(t):
    """Linux begins virtualized, as later guests do, is devirtualized and then switches under load: nothing is lost, and
    it complains of nothing."""
    m = Qemu(t, begun_image("min-stripped", 5), memory=256, icount=True)
    check_begun(t, m, 5, 220)


@test("linux-begins-pv-none", shows="I1 I2 I3", needs="vellum min-stripped initrd-test", limit=240)
def linux_begins_pv_none(t):
    """The same without fast paths and second text: everything but the sites that read the flag traps."""
    m = Qemu(t, begun_image("min-stripped", 3, "vellum_pv=none"), memory=256, icount=True)
    check_begun(t, m, 3, 220)


@test("linux-begins-bochs", shows="M1 M2 I1 I2 I3 I8", needs="vellum min-stripped initrd-test", limit=300, slow=True)
def linux_begins_bochs(t):
    """The same in Bochs."""
    m = Bochs(t, begun_image("min-stripped", 1, "nopcid"))
    check_begun(t, m, 1, 280)


@test("linux-begins-full", slow=True, shows="M1 M2 I1 I2 I3", needs="vellum full-stripped initrd-test", limit=400)
def linux_begins_full(t):
    """The same with the distribution-like kernel: mitigations, ftrace, jump labels, modules change its text on the way."""
    m = Qemu(t, begun_image("full-stripped", 3), memory=512, icount=True)
    check_begun(t, m, 3, 380)


@test("linux-begins-full-2", slow=True, shows="M1 M2 I1 I2 I3", needs="vellum full-stripped initrd-test", limit=400)
def linux_begins_full_2(t):
    """And on two CPUs, the second of which comes up in passthrough and joins."""
    m = Qemu(t, begun_image("full-stripped", 3), memory=512, smp=2)
    check_begun(t, m, 3, 380)


# What a later guest can run of the mini guest's suite: not what makes transitions, or looks at the machine by its CMOS.
SUITE = ("entry*,frames*,memory_map,memory_one_range,memory_reserved,memory_is_real,keys*,page_faults*,paging*,pic_masked,"
         "pic_priorities,pic_registers,timer*,trap*,user*,hypercall_keeps*")


def later(test_names, hypervisor="vellum", suite=""):
    """The mini guest with itself as initrd: the kernel of the guests that it makes."""
    return images.vellum(("mini", f"test={test_names} suite={suite}"), "mini", hypervisor=hypervisor)


@test("guests-mini-qemu", shows="U1 U2 U3 I1 I2 I8 I9", needs="vellum mini", limit=240)
def guests_mini_qemu(t):
    """The mini guest makes others of its own image, which speak, spin, tick, and end; two run beside it, and memory comes
    back cleared. QEMU."""
    tests = "company_hello,company_latency,company_events,company_paused,company_two,company_rounds"
    finish_mini(t, Qemu(t, later(tests), icount=True), 220)


@test("guests-mini-bochs", shows="U1 U2 U3 I1 I2 I8 I9", needs="vellum mini", limit=300, slow=True)
def guests_mini_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, later("company_hello,company_events,company_paused,company_two,company_rounds")), 280)


@test("guests-stuck", shows="I4 U2", needs="vellum mini", limit=240)
def guests_stuck(t):
    """A guest that faults three times, hangs with interrupts off, floods Vellum with calls or halts for good: its neighbour and
    the first guest keep their ticks. QEMU."""
    finish_mini(t, Qemu(t, later("company_stuck"), icount=True), 220)


@test("guests-stuck-bochs", shows="I4 U2", needs="vellum mini", limit=300, slow=True)
def guests_stuck_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, later("company_stuck")), 280)


@test("guests-suite", shows="I1 I2 I3 I8 M5", needs="vellum mini", limit=300)
def guests_suite(t):
    """The mini guest's suite, as far as it needs no machine, in a guest that another one made. QEMU."""
    finish_mini(t, Qemu(t, later("company_suite", suite=SUITE), icount=True), 280)


@test("guests-suite-bochs", shows="I1 I2 I3 I8 M5", needs="vellum mini", limit=400, slow=True)
def guests_suite_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, later("company_suite", suite=SUITE)), 380)


@test("guests-hostile", shows="I4 M10", needs="vellum-debug mini", limit=300)
def guests_hostile(t):
    """A guest tries all of the machine's memory, ports, MSRs, other CPUs and the first guest's calls: nothing works, and a
    canary in another guest, and the first guest's memory and devices, are what they were. QEMU, audited."""
    finish_mini(t, Qemu(t, later("company_hostile", hypervisor="vellum-debug"), icount=True), 280)


@test("guests-hostile-bochs", shows="I4 M10", needs="vellum mini", limit=400, slow=True)
def guests_hostile_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, later("company_hostile")), 380)


@test("guests-full", shows="U3 I4 I9", needs="vellum-debug mini", limit=200)
def guests_full(t):
    """Domains fill Vellum's partition: what could be started runs all the same, and nothing is lost; what Vellum needed for a
    guest is freed in pieces, too. QEMU, on a debug build."""
    image = images.vellum(("mini", "test=guests_partition_full,guests_shadow*"), opts="vellum_mem=16M", hypervisor="vellum-debug")
    finish_mini(t, Qemu(t, image, memory=512, icount=True), 180)


def check_shell(t, m, seconds):
    finish_linux(t, m, ["guests-shell"], seconds)
    lines = output_of(m, "guests-shell")
    t.check("ok: Linux ran" in lines, f"the guest's verdict: {lines[-3:]}")


@test("guests-shell", shows="U1 U2 U3 I1 I2 I8 I9 M4 M18", needs="vellum min initrd-guests", limit=300, slow=True)
def guests_shell(t):
    """vl create boots Linux, from the file that the first one was booted from, to a shell on its serial console; it complains of
    nothing, turns itself off, and the machine is in passthrough again. QEMU."""
    m = Qemu(t, linux_image(["guests-shell"], initrd="initrd-guests"), memory=512)
    check_shell(t, m, 280)


@test("guests-shell-vcpus", shows="U1 U2 U7", needs="vellum min initrd-guests", limit=300, slow=True)
def guests_shell_vcpus(t):
    """The same with two vcpus, the second of which a kernel for one CPU leaves alone."""
    m = Qemu(t, linux_image(["guests-shell"], initrd="initrd-guests", cmdline="guest_vcpus=2"), memory=512)
    check_shell(t, m, 280)


@test("guests-shell-full", shows="U1 U2 U3 I1 I2 I8 I9 M4", needs="vellum min initrd-guests-full", limit=400, slow=True)
def guests_shell_full(t):
    """The same with the distribution-like kernel as the later guest."""
    image = linux_image(["guests-shell"], initrd="initrd-guests-full", cmdline="guest_memory=160")
    m = Qemu(t, image, memory=512)
    check_shell(t, m, 380)


@test("guests-shell-bochs", shows="U1 U2 U3 I1 I2 I8 I9 M4 M18", needs="vellum min initrd-guests", limit=1500, group="soak")
def guests_shell_bochs(t):
    """guests-shell in Bochs."""
    m = Bochs(t, linux_image(["guests-shell"], cmdline="nopcid", initrd="initrd-guests"), memory=384)
    check_shell(t, m, 1480)


IO = "company_io_calls,company_io_net,company_io_disk,company_io_hostile,company_io_shared"


@test("guests-io", shows="I4 U3", needs="vellum-debug mini", limit=300)
def guests_io(t):
    """Guests with virtio devices: two exchange frames with checksums over the switch, one has disks, and one breaks every rule that
    a driver has beside them, which only its own devices notice; and with buffers in pages that share their frames. QEMU, on a
    debug build."""
    finish_mini(t, Qemu(t, later(IO, hypervisor="vellum-debug"), icount=True), 280)


@test("guests-io-bochs", shows="I4 U3", needs="vellum mini", limit=500, slow=True)
def guests_io_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, later(IO)), 480)
