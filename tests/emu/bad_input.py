# SPDX-License-Identifier: MIT
"""Whatever GRUB is told to load: one sentence with cause and remedy, then a quiet halt.

Each case boots through GRUB and checks the serial line and the VGA text screen for the sentence, that
it is the only one, that the CPU is halted with interrupts off, and that no CPU reset (triple fault) happened.
"""
import os
import re
import struct
import time

import images
from guest import CONSOLE
from machine import plain
from qemu import CPU, Qemu
from registry import BUILD, add, path

FOLDER = os.path.join(BUILD, "bad-input")
MACHINE_386, MACHINE_X86_64 = 3, 62


def write(name, data):
    """A bad file; the same content gives the same image."""
    os.makedirs(FOLDER, exist_ok=True)
    full = os.path.join(FOLDER, name)
    with open(full + f".{os.getpid()}", "wb") as out:
        out.write(data)
    os.replace(full + f".{os.getpid()}", full)
    return full


def kernel_bytes():
    with open(path("min"), "rb") as kernel:
        return bytearray(kernel.read())


def truncated():
    data = kernel_bytes()
    return write("truncated", data[:len(data) * 6 // 10])


def corrupted():
    data = kernel_bytes()
    data[len(data) // 2] ^= 0x10
    return write("corrupted", data)


def bad_header():
    data = kernel_bytes()
    data[0x1f1] = 0xff  # setup_sects: the setup part would be larger than it is
    data[0x260:0x264] = b"\xff\xff\xff\xff"  # init_size
    return write("bad-header", data)


def not_a_kernel():
    return write("text", b"This is a letter, not a kernel.\n" * 200)


def empty():
    return write("empty", b"\0")


def elf32():
    code = b"\xf4" * 64
    head = struct.pack("<4sBBBB8xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 2, MACHINE_386, 1,
                       0x200000, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    program = struct.pack("<IIIIIIII", 1, 84, 0x200000, 0x200000, len(code), len(code), 5, 4)
    return write("elf32", head + program + code)


def elf64(entry=0x200000, extra=0):
    code = b"\xf4" * 64
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, MACHINE_X86_64, 1,
                       entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    program = struct.pack("<IIQQQQQQ", 1, 5, 120, 0x200000, 0x200000, len(code),
                          len(code) + extra, 16)
    return write("elf64", head + program + code)


def large_initrd():
    return write("large-initrd", bytes(36 << 20))


LINE = CONSOLE


def linux():
    return ("min", LINE)


# name: (modules, options, cause, remedy, arguments for Qemu, title)
CASES = {
    "no-module": (lambda: [], "", r"[Nn]o kernel", r"module2 line", {}, "no module at all"),
    "empty-module": (lambda: [empty()], "", r"kernel", r"boot a|copy it|add a", {},
                     "a module of one byte"),
    "not-a-kernel": (lambda: [not_a_kernel()], "", r"not a Linux bzImage", r"boot a bzImage", {},
                     "a text file for a kernel"),
    "truncated": (lambda: [(truncated(), LINE)], "", r"truncated", r"copy it again", {},
                  "a bzImage that ends after 60 %"),
    "corrupted": (lambda: [(corrupted(), LINE)], "", r"checksum is wrong", r"copy it again", {},
                  "a bzImage with one bit changed"),
    "bad-header": (lambda: [(bad_header(), LINE)], "", r"kernel", r"copy|boot a", {},
                   "a bzImage whose setup header is damaged"),
    "elf32": (lambda: [elf32()], "", r"32-bit", r"x86-64", {}, "a 32-bit ELF file"),
    "elf-no-note": (lambda: [elf64()], "", r"lacks Vellum's note", r"add the ELF note", {},
                    "an ELF64 kernel without Vellum's note"),
    "initrd-too-large": (lambda: [linux(), large_initrd()], "vellum_mem=16M",
                         r"initrd does not fit|too little RAM", r"more RAM", {"memory": 72},
                         "an initrd that does not fit into the guest's memory"),
    "unknown-option": (lambda: [linux()], "frobnicate=1", r"[Uu]nknown option.*frobnicate",
                       r"options are", {}, "an option that does not exist"),
    "vellum-mem-1": (lambda: [linux()], "vellum_mem=1", r"vellum_mem=1 is too small",
                     r"at least", {}, "a partition of one byte"),
    "vellum-mem-4t": (lambda: [linux()], "vellum_mem=4T", r"vellum_mem=4T is more",
                      r"at most", {}, "a partition of 4 TiB"),
    "vellum-mem-text": (lambda: [linux()], "vellum_mem=lots", r"vellum_mem=lots is not a size",
                        r"write a number", {}, "a partition size that is no number"),
    "too-little-ram": (lambda: [linux()], "", r"[Tt]oo little RAM", r"more RAM", {"memory": 24},
                       "a machine with 24 MiB"),
    "no-long-mode": (lambda: [linux()], "", r"no 64-bit long mode", r"use a 64-bit CPU",
                     {"cpu": "pentium3"}, "a CPU without long mode"),
}


def sentences(text):
    return re.findall(r"^vellum: error: (.*)$", plain(text), re.MULTILINE)


def squeeze(text):
    """Text without blanks: a screen breaks lines anywhere."""
    return re.sub(r"\s+", "", text)


def wait_for_halt(t, m, seconds=10):
    deadline = time.monotonic() + seconds
    regs = m.registers()
    while not regs["HLT"] and time.monotonic() < deadline:
        time.sleep(0.1)
        regs = m.registers()
    t.equal(regs["HLT"], 1, "HLT of the CPU")
    # QEMU gives EFLAGS as RFL in 64-bit mode and as EFL before.
    flags = regs.get("RFL", regs.get("EFL"))
    t.equal(flags >> 9 & 1, 0, "interrupt flag")


def check_stop(t, m, cause, remedy):
    m.expect(r"vellum: error: .*\n", 80)
    wait_for_halt(t, m)
    found = sentences(m.console.text)
    t.equal(len(found), 1, f"number of error sentences ({found})")
    sentence = found[0].strip()
    t.check(re.search(cause, sentence), f"the sentence names the cause /{cause}/: {sentence}")
    t.check(re.search(remedy, sentence), f"the sentence names a remedy /{remedy}/: {sentence}")
    screen = squeeze("".join(line.ljust(80) for line in m.screen()))
    t.log("\n".join(m.screen()))
    t.equal(screen.count(squeeze("vellum: error: " + sentence)), 1, "times the sentence is on the VGA screen")
    t.check(m.alive and not m.triple_faulted(), "the machine did not reset")
    after = m.console.text.split("vellum: error: ")[1]
    t.check(after.count("\n") == 1, f"nothing follows the sentence: {after!r}")


def declare(name, modules, opts, cause, remedy, machine, title):
    def run(t):
        image = images.vellum(*modules(), opts=opts)
        m = Qemu(t, image, **{"cpu": CPU, "memory": 256, **machine})
        check_stop(t, m, cause, remedy)

    add(run, f"bad-{name}", shows="U1", needs="vellum min", limit=120,
        doc=f"Given {title}, Vellum prints one sentence with cause and remedy on serial and VGA and halts.")


for case, values in CASES.items():
    declare(case, *values)
