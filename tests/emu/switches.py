# SPDX-License-Identifier: MIT
"""Optimisations off: the slow ways must do the same, for Vellum's options shadow= and fast= and for Linux's
vellum_pv=."""
import re

import images
from bochs import Bochs
from guest import check_cycles, check_probe, finish_linux, finish_mini, linux_image, output_of, run_linux
from qemu import Qemu
from registry import add, test

SHADOW = ["cached_roots", "prefill", "large", "shared", "walk_cache", "access_cache"]
FAST = ["syscall", "sysret", "iret", "kernel_iret", "swapgs", "faults", "calls"]
PV = ["irq", "cr2", "mmu", "tls", "ss", "text"]  # of Linux: vellum_pv=
ALL_OFF = "shadow=none fast=none"


# Time counts instructions: so no test of the guest's sees how busy the host is.
def mini_without(name):
    def run(t):
        m = Qemu(t, images.vellum(("mini", "virtualized"), opts=f"shadow=all,-{name}"), icount=True)
        finish_mini(t, m, 110)
    add(run, f"mini-no-{name.replace('_', '-')}", shows="M5 M6", needs="vellum mini", limit=120,
        doc=f"All tests of the mini guest, virtualized, with shadow=all,-{name}. QEMU.")


for switch in SHADOW:
    mini_without(switch)


@test("mini-all-off-qemu", shows="M5 M6", needs="vellum mini", limit=150)
def mini_all_off_qemu(t):
    """The same with every optimisation off. QEMU."""
    m = Qemu(t, images.vellum(("mini", "virtualized"), opts=ALL_OFF), icount=True)
    finish_mini(t, m, 140)


@test("mini-all-off-bochs", shows="M5 M6", needs="vellum mini", limit=300)
def mini_all_off_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, images.vellum(("mini", "virtualized"), opts=ALL_OFF)), 280)


def facts(t, opts="", cmdline="", name="qemu", more=(), seconds=100):
    """{key: value} of `vl info` after a fixed load while virtualized, and the machine."""
    m = run_linux(t, ["switch-counters", *more], opts=opts, cmdline=cmdline, memory=256, name=name, seconds=seconds,
                  icount=True)
    lines = output_of(m, "switch-counters")
    return dict(line.split(": ", 1) for line in lines if re.match(r"\w+: ", line)), m


def number(found, key):
    return int(found[f"exits_{key}"])


# What has to be counted at least so many times more often when a path is off: 40 rounds have 80 processes.
SLOWER = {"syscall": ("syscall", 1000), "sysret": ("emulated", 1000), "iret": ("emulated", 1000),
          "swapgs": ("emulated", 1000), "kernel_iret": ("emulated", 20)}


@test("linux-one-off", shows="I2 M5", needs="vellum min initrd-test", limit=480, slow=True)
def linux_one_off(t):
    """Linux switches under load with each fast path off alone, and `vl info` tells which. Its counters show
    that the slow way was taken."""
    base, _ = facts(t, "shadow=-prefill", name="all-on")
    t.equal(base["shadow"], ",".join(n for n in SHADOW if n != "prefill"), "what `vl info` says of shadow=")
    t.equal(base["fast"], ",".join(FAST), "what is on by default")
    for name in FAST:
        got, m = facts(t, f"fast=all,-{name}", "cycles=1", f"no-{name}", ["switch-load"])
        t.equal(got["fast"], ",".join(n for n in FAST if n != name), f"what `vl info` says without {name}")
        check_cycles(t, m, 1)
        if name in SLOWER:
            key, least = SLOWER[name]
            more = number(got, key) - number(base, key)
            t.check(more >= least, f"without {name}, exits_{key} is higher by {more}, at least {least} expected")


@test("linux-all-off", shows="M5 M6 I2 M9", needs="vellum min initrd-test", limit=500)
def linux_all_off(t):
    """Linux switches under load, and the exactness probe finds no difference, with every optimisation off: the C
    path serves everything, and what the probe prints is what it prints with all of them on."""
    got, m = facts(t, ALL_OFF, "cycles=5", "off", ["switch-load", "probe-switch"], seconds=300)
    t.equal((got["shadow"], got["fast"]), ("none", "none"), "what `vl info` says")
    check_cycles(t, m, 5)
    check_probe(t, m)
    base, on = facts(t, name="on", more=["probe-switch"], seconds=180)
    check_probe(t, on)
    t.equal(output_of(m, "probe-switch")[-1], output_of(on, "probe-switch")[-1], "the probe's lines and their hash")
    for key in ("syscall", "emulated", "hidden_fault"):
        t.check(number(got, key) > number(base, key) + 1000, f"exits_{key} is higher: {got} against {base}")


@test("linux-all-off-bochs", shows="M5 M6 I2", needs="vellum min initrd-test", limit=400, slow=True)
def linux_all_off_bochs(t):
    """One switch there and back under load with every optimisation off, in Bochs."""
    m = Bochs(t, linux_image(["switch-load"], opts=ALL_OFF, cmdline="cycles=1 nopcid"))
    finish_linux(t, m, ["switch-load"], 380)
    check_cycles(t, m, 1)


def probe_without(name, needs, limit, doc, run):
    def probe(t):
        m = run(t, limit - 20)
        check_probe(t, m)
    add(probe, name, shows="I1 I2 I3 M5 M9", needs=f"vellum {needs} initrd-test", limit=limit, group="soak", doc=doc)


def in_bochs(opts, cmdline):
    def run(t, seconds):
        m = Bochs(t, linux_image(["probe-switch"], opts=opts, cmdline=f"nopcid {cmdline}"))
        finish_linux(t, m, ["probe-switch"], seconds)
        return m
    return run


def in_qemu(opts, cmdline):
    def run(t, seconds):
        return run_linux(t, ["probe-switch"], kernel="full", opts=opts, cmdline=cmdline, memory=512, cpu="max,la57=off",
                         icount=True, seconds=seconds)
    return run


for where, needs, machine in (("bochs", "min", in_bochs), ("full", "full", in_qemu)):
    text = "the distribution-like kernel, on a CPU with SMAP" if where == "full" else "the small Linux in Bochs"
    probe_without(f"probe-all-off-{where}", needs, 2400, f"The exactness probe finds no difference on {text}, with "
                  "every optimisation of Vellum's off.", machine(ALL_OFF, ""))
    probe_without(f"probe-pv-none-{where}", needs, 2400, f"The exactness probe finds no difference on {text}, with "
                  "the guest's fast paths off.", machine("", "vellum_pv=none"))
    probe_without(f"probe-nothing-{where}", needs, 3000, f"The exactness probe finds no difference on {text}, with "
                  "Vellum's optimisations and the guest's fast paths off.", machine(ALL_OFF, "vellum_pv=none"))


@test("probe-one-off", shows="I1 I2 I3 M5 M9", needs="vellum min initrd-test", limit=5000, group="soak")
def probe_one_off(t):
    """The exactness probe finds no difference with each optimisation of Vellum's, and each fast path of the
    guest's, off alone: and prints the same each time."""
    runs = [(f"no-{name}", f"shadow=all,-{name}", "") for name in SHADOW]
    runs += [(f"no-{name}", f"fast=all,-{name}", "") for name in FAST]
    runs += [(f"no-pv-{name}", "", f"vellum_pv={','.join(n for n in PV if n != name)}") for name in PV]
    ends = set()
    for name, opts, cmdline in runs:
        m = run_linux(t, ["probe-switch"], opts=opts, cmdline=cmdline, memory=256, icount=True, name=name, seconds=250)
        check_probe(t, m)
        ends.add(output_of(m, "probe-switch")[-1])
    t.equal(len(ends), 1, "how many different outputs the probe has")


# --- the guest's own fast paths ---


@test("linux-pv-none", shows="I1 I2 I3 M5 M9", needs="vellum min initrd-test", limit=480)
def linux_pv_none(t):
    """Linux with all its paravirtual fast paths off (vellum_pv=none, the flag's readers excepted, which x86 leaves
    no other way) still switches under load and shows the probe the bare CPU: only slower. No hypercall is made by
    SYSCALL, and what they stood for is emulated."""
    got, m = facts(t, cmdline="vellum_pv=none cycles=5", name="none", more=["switch-load", "probe-switch"], seconds=450)
    check_cycles(t, m, 5)
    check_probe(t, m)
    base, _ = facts(t, cmdline="vellum_pv=all", name="all")
    more = number(got, "emulated") - number(base, "emulated")
    t.check(more >= 10000, f"{more} more instructions were emulated without the fast paths")
    fewer = number(base, "hypercall") - number(got, "hypercall")
    t.check(fewer >= 100, f"{fewer} fewer hypercalls were made without them")


@test("linux-pv-one-off", shows="I2 M5", needs="vellum min initrd-test", limit=400, slow=True)
def linux_pv_one_off(t):
    """Linux switches under load with each of its fast paths off alone."""
    for name in PV:
        others = ",".join(n for n in PV if n != name)
        _, m = facts(t, cmdline=f"vellum_pv={others} cycles=1", name=f"no-{name}", more=["switch-load"])
        check_cycles(t, m, 1)


@test("linux-pv-none-full", shows="I2 I3 M5", needs="vellum full initrd-test", limit=400, slow=True)
def linux_pv_none_full(t):
    """The distribution-like kernel with its mitigations, without its fast paths, switches under load."""
    m = run_linux(t, ["switch-load"], kernel="full", cmdline="vellum_pv=none cycles=2", memory=512, icount=True,
                  seconds=380)
    check_cycles(t, m, 2)
