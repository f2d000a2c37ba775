# SPDX-License-Identifier: MIT
"""Bugs of Vellum and NMIs at bad moments, made from outside: no hook in the hypervisor.

The gdb stub stops the CPU in a function of Vellum. A bug is a jump to an address that maps nothing, as
through a bad function pointer; an NMI comes from QEMU's monitor.
"""
import re
import time

import images
from guest import SLOTS, page_entry, symbols
from machine import plain
from qemu import Qemu
from registry import test

DEBUG = "build/hv/vellum.debug"
NOWHERE = 0xffff_87ff_dead_0000  # in Vellum's slots, and never mapped
RSP, RBP = 7, 6
HALTED = "vellum: halted: "


def stopped_in(t, m, function, hits=1, seconds=60, framed=True):
    """Run until Vellum enters a function for the hits-th time; returns the stub, stopped behind
    the function's prologue, so that its frame is in the chain of frame pointers (framed), or at its entry."""
    address = symbols(DEBUG)[function]
    stub = m.gdb()
    stub.break_at(address)
    for hit in range(hits):
        if hit > 0:
            stub.step()  # or it would stop where it stands
        stub.cont(seconds)
        t.equal(stub.rip(), address, f"where the guest stopped ({function})")
    stub.clear(address)
    if not framed:
        return stub
    for _ in range(24):
        if stub.register(RBP) == stub.register(RSP):
            return stub
        stub.step()
    t.check(False, f"{function} builds a frame with its first instructions")


def start(t, image):
    """A machine that waits for its first instruction with the gdb stub open."""
    return Qemu(t, image, gdb=True, paused=True)


def wait_halted(t, m, seconds=30, cpu=0):
    """Wait for the end of a panic; the CPU must then stand with interrupts off and stay there."""
    m.console.expect("^" + HALTED, seconds)
    deadline = time.monotonic() + 10
    while not m.registers(cpu).get("HLT") and time.monotonic() < deadline:
        time.sleep(0.05)
    regs = m.registers(cpu)
    t.check(regs.get("HLT") == 1, "the CPU is halted")
    t.check(not regs["RFL"] & 0x200, "with interrupts off")
    t.check(not m.triple_faulted(), "no CPU reset")


def panic_lines(t, m):
    """Lines of the panic on the serial line."""
    text = plain(m.console.text)
    t.equal(text.count("vellum: panic: "), 1, "number of panics")
    return text[text.index("vellum: panic: "):].split("\n")


def check_screen(t, lines, what, cause, names):
    """One rendering of a panic, serial or VGA: cause, registers, named frames."""
    text = "\n".join(lines)
    t.check(cause in text, f"{what}: the cause ({cause})")
    for register in ("rax", "rsi", "r8", "r15", "rip", "rflags", "cr2", "cr3"):
        t.check(re.search(rf"\b{register} +[0-9a-f]{{8,16}}\b", text), f"{what}: register {register}")
    at = 0
    for name in names:
        found = re.search(rf"^vellum:   (in|from) +[0-9a-f]{{16}} {name}\+0x[0-9a-f]+", text[at:], re.MULTILINE)
        t.check(found, f"{what}: the backtrace names {name}, in this order: {', '.join(names)}")
        at += found.end()
    t.check(HALTED in text, f"{what}: the closing line")


def check_panic(t, m, cause, names, events, cpu=0):
    """A whole panic screen: all on the serial line, all that fits on the VGA screen."""
    wait_halted(t, m, cpu=cpu)
    lines = panic_lines(t, m)
    check_screen(t, lines, "serial", cause, names)
    check_screen(t, m.screen(), "VGA", cause, names)
    for what, text in (("serial", "\n".join(lines)), ("VGA", "\n".join(m.screen()))):
        for event in events:
            t.check(re.search(event, text, re.MULTILINE), f"{what}: recent event {event}")


def values(lines):
    """{register: value} of a panic."""
    return {name: int(value, 16) for name, value in
            re.findall(r"\b(r[a-z0-9]+|cr[0-4]|cs|ss) +([0-9a-f]{4,16})\b", "\n".join(lines))}


@test("panic-screen-boot", shows="U1", needs="vellum mini", limit=60)
def panic_boot(t):
    """A bug while Vellum boots gives registers, a backtrace with names and recent events on serial and
    VGA, and halts; the registers are those of the bug."""
    m = start(t, images.vellum("mini"))
    stub = stopped_in(t, m, "loader_plan")
    want = {"rsp": stub.register(RSP), "rbp": stub.register(RBP), "rip": NOWHERE}
    stub.set_rip(NOWHERE)
    stub.go()
    check_panic(t, m, "exception 14, page fault (#PF)", ["boot_main"], [r"^vellum: recent events"])
    got = values(panic_lines(t, m))
    t.equal({name: got[name] for name in want}, want, "registers on the panic screen")
    t.equal(got["cr2"], NOWHERE, "CR2 on the panic screen")


@test("panic-screen-nmi", shows="U1", needs="vellum mini", limit=60)
def panic_nmi(t):
    """An NMI while Vellum boots, when there is nobody to have it, is a panic that says where it came."""
    m = start(t, images.vellum("mini"))
    stub = stopped_in(t, m, "loader_plan")
    m.hmp("nmi")
    stub.go()
    check_panic(t, m, "exception 2, NMI", ["loader_plan", "boot_main"], [r"^vellum: recent events"])


@test("panic-screen-hypercall", shows="U1", needs="vellum mini", limit=60)
def panic_hypercall(t):
    """A bug in a hypercall from passthrough: on the guest's tables the panic still has registers, names and
    the hypercalls that went before, on serial and VGA, and halts."""
    m = start(t, images.vellum(("mini", "test=hypercall_keeps_registers")))
    stub = stopped_in(t, m, "call_console_read", hits=4)
    t.check("# mini guest: hello" in m.console.text, "the guest runs")
    root = m.registers()["CR3"]
    t.check(any(page_entry(m, root, slot) for slot in SLOTS), "Vellum is in the guest's root for the call")
    stub.set_rip(NOWHERE)
    stub.go()
    check_panic(t, m, "exception 14, page fault (#PF)", ["hypercall_enter", "hypercall_entry"],
                [r"^vellum:   tsc \d+ hypercall 0x[0-9a-f]+ -> 0x[0-9a-f]+"])
    numbers = [int(n, 16) for n in re.findall(r"^vellum:   tsc \d+ hypercall (0x[0-9a-f]+)", "\n".join(panic_lines(t, m)),
                                              re.MULTILINE)]
    t.equal(numbers[-19:], [n for n in range(4) for _ in range(4)] + [4] * 3, "numbers of the calls before, oldest first")


@test("panic-screen-parked", shows="U1 U7", needs="vellum mini", limit=60)
def panic_parked(t):
    """A bug on a CPU that is parked, virtualized, on Vellum's own tables: no block is at its place there, and the
    first instructions of a page fault, which look into that, still come to a panic."""
    m = Qemu(t, images.vellum(("mini", "map=all cpus=2 test=smp_off*"), opts="mem=all"), gdb=True, paused=True, smp=2)
    stub = stopped_in(t, m, "halt_unless", framed=False)
    t.equal(m.registers(1)["RIP"], symbols(DEBUG)["halt_unless"], "where the second CPU is")
    stub.set_rip(NOWHERE)
    stub.go_alone(1)  # the other one is about to send it INIT
    check_panic(t, m, "exception 14, page fault (#PF)", ["vcpu_exit"], [r"^vellum: this is CPU 1, "], cpu=1)


# Where NMIs come, in this order: function, instructions behind its prologue or (without one) its entry,
# whether it has one, whether Vellum's IDT is loaded there.
NMI_AT = [("descriptors_leave", 0, False, True)] + [("call_hv_info", n, True, True) for n in range(8)] + [
    ("hypercall_entry", 3, False, False),  # on Vellum's stack, still on the guest's IDT
    ("event_note", 0, True, True),  # in the same call, when its work is done
]
TWICE = 2  # the one during which another NMI comes, while Vellum notes the first
WANT = [1, 1, 2, 1, 1, 1, 1, 1, 1, 2]  # NMIs in each call


def send_nmi(t, m, stub, twice):
    """One that Vellum's own handler has first, and perhaps another one meanwhile."""
    trap = symbols(DEBUG)["trap"]
    m.hmp("nmi")
    stub.break_at(trap)
    stub.cont(20)
    t.equal(stub.rip(), trap, "where the NMI is")
    stub.clear(trap)
    if twice:
        m.hmp("nmi")


@test("nmi-hypercall", shows="I1 I3", needs="vellum mini", limit=60)
def nmi_hypercall(t):
    """An NMI that comes while Vellum serves a hypercall is handed to the guest's own handler, once, after
    the call's work; one that comes while Vellum notes the first is not lost; registers and result stay."""
    m = start(t, images.vellum(("mini", "test=nmi_during_hypercall nmi")))
    alignments = set()
    stopped_in(t, m, "call_hv_info")  # the first of the calls that are counted
    for i, (function, steps, framed, on_own_idt) in enumerate(NMI_AT):
        stub = stopped_in(t, m, function, framed=framed)
        for _ in range(steps):
            stub.step()
        alignments.add(stub.register(RSP) % 16)
        if on_own_idt:
            send_nmi(t, m, stub, i == TWICE)
        else:
            m.hmp("nmi")
    stub.go()
    t.equal(m.wait(40), "exit-16", "the mini guest's own verdict (16 is good, 17 is bad)")
    t.equal(alignments, {0, 8}, "stack alignments that were met (the CPU aligns its frame)")
    seen = [int(n) for n in re.findall(r"^# call \d+: (\d+) NMIs$", plain(m.console.text), re.MULTILINE)]
    t.equal(seen, WANT + [0] * 2, "NMIs that the guest's handler had in each call")


STEPS = list(range(1, 100)) + list(range(100, 300, 9))


def transitions_with_nmis(t, function):
    """One NMI in each transition into or out of virtualization: so many instructions behind the function's first."""
    m = start(t, images.vellum(("mini", f"test=nmi_during_transition nmis={len(STEPS):x}")))
    for n in STEPS:
        stub = stopped_in(t, m, function, framed=False)
        for _ in range(n):
            stub.step()
        m.hmp("nmi")
    stub.go()
    t.equal(m.wait(60), "exit-16", "the mini guest's own verdict (16 is good, 17 is bad)")


@test("nmi-virtualize", shows="I1 I3 M9", needs="vellum mini", limit=200)
def nmi_virtualize(t):
    """An NMI at each instruction that exchanges the guest's descriptor tables for Vellum's, and behind them, is the
    guest's, once."""
    transitions_with_nmis(t, "segments_load_real")


@test("nmi-devirtualize", shows="I1 I3 M9", needs="vellum mini", limit=200)
def nmi_devirtualize(t):
    """The same on the way back."""
    transitions_with_nmis(t, "segments_load_guest")


def panic_of_two(t, test_name, where):
    """A bug in a hypercall of CPU 0 while CPU 1 is in the guest; returns the lines of the panic."""
    m = Qemu(t, images.vellum(("mini", f"map=all cpus=2 test={test_name}"), opts="mem=all"), smp=2,
             thread="single", gdb=True, paused=True)
    stub = stopped_in(t, m, "call_hv_info", hits=2, framed=False)
    stub.set_rip(NOWHERE)
    stub.go()
    m.console.expect("^" + HALTED, 40)
    text = "\n".join(panic_lines(t, m))
    t.check(f"vellum: CPU 1, APIC id 1, {where}" in text, f"the panic says that CPU 1 {where}")
    t.check("vellum: this is CPU 0, APIC id 0" in text, "and which CPU it is of")
    t.check(text.index("vellum: CPU 1,") < text.index("vellum: recent events"), "its own events come last")
    return m, text


@test("panic-smp-virtualized", shows="U7", needs="vellum mini", limit=120)
def panic_smp_virtualized(t):
    """A panic on one of two virtualized CPUs stops the other by NMI, in the guest, and tells where it was."""
    m, text = panic_of_two(t, "busy_virtualized", "was in the guest")
    t.check(re.search(r"^vellum:   at   ffffffff81[0-9a-f]{6}", text, re.MULTILINE), "where in the guest it was")
    regs = m.registers(1)
    t.check(regs.get("HLT") == 1 and not regs["RFL"] & 0x200, "CPU 1 is halted for good")


@test("panic-smp-passthrough", shows="U7", needs="vellum mini", limit=120)
def panic_smp_passthrough(t):
    """A panic in passthrough, where the other CPU runs the guest natively: INIT stops it."""
    m, _ = panic_of_two(t, "busy_passthrough", "was the guest's")
    limit = time.monotonic() + 20
    regs = m.registers(1)
    while regs.get("EIP") != 0xfff0 and time.monotonic() < limit:  # QEMU's CPUs take turns
        time.sleep(0.1)
        regs = m.registers(1)
    t.check(regs.get("HLT") == 1 and regs.get("EIP") == 0xfff0, "CPU 1 waits for SIPI, as it is after INIT")
