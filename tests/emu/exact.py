# SPDX-License-Identifier: MIT
"""The mini guest looks at the CPU on the bare machine and virtualized: what it prints must be the same.

Tests of the guest whose names begin with `exact_` print lines that begin with "= ". Emulators differ in what
they print, so the two runs are always of the same emulator.
"""
import images
from bochs import Bochs
from guest import finish_mini
from qemu import CPU, Qemu
from registry import add, test


def observations(t, emulator, line, seconds, **kw):
    name = f"{emulator}-{'virtualized' if 'virtualized' in line else 'bare'}"
    image = images.vellum(("mini", line))
    m = Qemu(t, image, name=name, **kw) if emulator == "qemu" else Bochs(t, image, name=name, **kw)
    finish_mini(t, m, seconds)
    return [line for line in m.console.lines() if line.startswith("= ")]


def compare(t, emulator, line, seconds, ignore=(), more="", **kw):
    bare = observations(t, emulator, line, seconds, **kw)
    virtual = observations(t, emulator, f"virtualized {more}{line}", seconds, **kw)
    t.check(bare, "the guest printed what it saw")
    different = [f"{a!r} became {b!r}" for a, b in zip(bare, virtual) if a != b and not a.startswith(ignore)]
    t.check(not different, f"{len(different)} of {len(bare)} lines differ virtualized: {'; '.join(different[:5])}")
    t.equal(len(virtual), len(bare), "number of lines")
    t.log(f"{len(bare)} lines are the same")


def declare(name, tests, shows, doc, seconds=200, wrong=None, words=None, more=""):
    """`wrong`: for an emulator, beginnings of lines where it is the emulator that errs.
    `words`: for an emulator, more words of the guest's command line. `more`: words for virtualized runs."""
    for emulator in ("qemu", "bochs"):
        def run(t, emulator=emulator):
            line = f"test={tests} {(words or {}).get(emulator, '')}".strip()
            compare(t, emulator, line, seconds, (wrong or {}).get(emulator, ()), more)
        add(run, f"{name}-{emulator}", shows=shows, needs="vellum mini", limit=2 * seconds + 20,
            doc=f"{doc} ({emulator})")


declare("exact-return", "exact_return*", "I1 I2 I4",
        "IRET and SYSRET with any selector, address and flags answer virtualized what they answer on the bare CPU.",
        # SYSRET with TF traps at once; Bochs has the trap after the next instruction, as for IRET.
        wrong={"bochs": ("= sysret flag 8:",)})

# On QEMU only the bits of CR4 that its CPU has: it hangs on others, bare.
declare("exact-control", "exact_control*", "I2 I4",
        "Each bit of CR0, CR4, EFER and XCR0, and odd values of MSRs, are taken, refused and shown as on the bare CPU.",
        # QEMU's bare CPU hangs on bits of CR4 that it lacks, and takes MSRs that are no addresses.
        words={"qemu": "cr4_bits=550fdc canonical"})


@test("exact-paging-qemu", shows="M5 M6 I2", needs="vellum mini", limit=260)
def paging_qemu(t):
    """Page-table entries by brute force (each bit of each level, two levels at a time, SMEP, SMAP, WP, keys; read,
    write, execute; kernel and user): faults, error codes, CR2, A and D bits are those of the bare CPU. QEMU."""
    compare(t, "qemu", "test=exact_paging", 120, cpu="max,la57=off,erms=off")


@test("exact-paging-qemu-old", shows="M5 M6 I2", needs="vellum mini", limit=260)
def paging_qemu_old(t):
    """The same on a CPU without NX, 1 GiB pages, SMEP and keys."""
    compare(t, "qemu", "test=exact_paging", 120, cpu=CPU + ",nx=off,pdpe1gb=off,smep=off,pku=off")


@test("exact-paging-bochs", shows="M5 M6 I2", needs="vellum mini", limit=500, slow=True)
def paging_bochs(t):
    """The same in Bochs with SMEP and SMAP, of two levels each fifth combination."""
    compare(t, "bochs", "test=exact_paging every=5", 400, model="broadwell_ult")


@test("soak-paging-bochs", group="soak", shows="M5 M6 I2", needs="vellum mini", limit=3600)
def whole_paging_bochs(t):
    """The same in Bochs with every combination of two levels."""
    compare(t, "bochs", "test=exact_paging", 1700, model="broadwell_ult")


declare("exact-gate", "exact_gate", "I2 I4",
        "IDT gates of any type, with bad selectors, handlers and stacks (Vellum's slots among them) do what they do bare.",
        words={"qemu": "canonical"},
        # A stack that is not canonical is #SS(0); QEMU has #GP, Bochs names the old stack's selector.
        wrong={"qemu": ("= gate stack 0xffff800000000000",),
               "bochs": ("= gate stack 0x800000000000 ring 3", "= gate stack 0xffff7ffffffff000 ring 3",
                         "= gate stack 0x8000000000000000 ring 3")})

declare("exact-table", "exact_table*", "M5 I2 I4",
        "LLDT and LTR with all selectors and all kinds of descriptors, and reads by odd mappings, answer as bare.",
        # QEMU's LTR takes null selectors and 16-bit TSS, and neither it nor LLDT looks at the base.
        wrong={"qemu": (*(f"= ltr access {access:#x}:" for access in range(1, 256, 32)), "= ltr 0x",
                        *(f"= {what} base {base}:" for what in ("lldt", "ltr") for base in
                          ("0x800000000000", "0xffff7ffffffff000", "0x8000000000000000")))})

declare("exact-io", "exact_io*", "I8 I2",
        "Timer, clock and serial port with the layer of I/O show what the bare ones do for all that can be written to them.",
        more="io ",
        # A counter that is programmed anew gives up what was latched of it (8254 data sheet); QEMU keeps the status.
        wrong={"qemu": ("= a second status before the first is read",)})
