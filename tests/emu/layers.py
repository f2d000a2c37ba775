# SPDX-License-Identifier: MIT
"""Guest Linux with its layers one at a time, with pages that move, with transitions that fail, and with a
Vellum that was overwritten."""
import re

import images
from guest import VELLUM_START, finish_linux, linux_image, output_of, run_linux, symbols, vellum_range
from qemu import Qemu
from registry import Failure, path, test


@test("linux-layers", shows="M8 I10 I8", needs="vellum min initrd-test", limit=150)
def linux_layers(t):
    """`vl` adds and takes off the layers of CPU, memory and interrupts one at a time; combinations that
    make no sense are refused; a release build has no failpoints."""
    m = run_linux(t, ["switch-layers"], memory=256, icount=True, seconds=120)
    t.equal(output_of(m, "switch-layers")[-1], "ok", "the guest's verdict")


@test("linux-failpoints", shows="M1 M8 M9 I10", needs="vellum-debug min initrd-test", limit=150)
def linux_failpoints(t):
    """The same on a debug build, where then each step of virtualize and devirtualize, pages that are away
    among it, fails once: the guest is healthy and no frame is lost."""
    m = run_linux(t, ["switch-layers"], memory=256, icount=True, seconds=120, hypervisor="vellum-debug")
    lines = output_of(m, "switch-layers")
    t.equal(lines[-1], "ok", "the guest's verdict")
    t.log(lines[-2])


@test("linux-moved-pages", shows="M3 M4 M5 M8 M9", needs="vellum-debug min initrd-test", limit=240)
def linux_moved_pages(t):
    """Pages from all over the guest's RAM (kernel, page tables, processes) move to other frames and home
    while processes fork, pipe and checksum; devirtualizing brings them home."""
    m = run_linux(t, ["switch-pages"], cmdline="cycles=3", memory=256, icount=True, seconds=220,
                  hypervisor="vellum-debug")
    lines = output_of(m, "switch-pages")
    t.check(re.match(r"ok: \d+ pages", lines[-1]), f"the guest's verdict: {lines[-3:]}")
    t.log(lines[-1])


@test("linux-portions", shows="M7 M4 M5 M9", needs="vellum-debug min initrd-test", limit=240)
def linux_portions(t):
    """Portions of memory come, merge, are cut and go while processes fork, pipe and checksum; pages inside move to other
    frames, and come home with their portion alone; each step of that fails once."""
    m = run_linux(t, ["switch-portions"], cmdline="cycles=3", memory=256, icount=True, seconds=220,
                  hypervisor="vellum-debug")
    lines = output_of(m, "switch-portions")
    t.check(re.match(r"ok: \d+ pages", lines[-1]), f"the guest's verdict: {lines[-3:]}")
    t.log(lines[-1])


def load_address(m):
    """Machine address of Vellum's image: where its first bytes are in the partition."""
    with open(path("vellum"), "rb") as elf:
        elf.seek(0x1000)
        want = elf.read(64)
    start, end = vellum_range(m, "partition")
    for address in range(start, min(end, start + (64 << 20)), 4096):
        if m.memory(address, 64) == want:
            return address
    raise Failure("Vellum's image is not in its partition")


@test("linux-scribbled", shows="I4 M1", needs="vellum min initrd-test", limit=120)
def linux_scribbled(t):
    """A byte of Vellum's text, and then of its constants, is overwritten while the guest has the bare
    machine: virtualizing is refused with a sentence, the guest goes on; mended, it works again."""
    names = symbols("vellum")
    m = Qemu(t, linux_image(["switch-scribbled"]), gdb=True, icount=True)
    stub = None
    for where, symbol in (("text", "segments_load_real"), ("constants", "hypercall_page")):
        m.expect(f"observer: scribble on {where}", 100)
        address = load_address(m) + names[symbol] - VELLUM_START + 1
        old = m.memory(address, 1)
        for what in (bytes([old[0] ^ 0x10]), old):
            if stub:
                stub.interrupt()
            else:
                m.pause()
            stub = m.gdb()
            stub.write_physical(address, what)
            stub.go()
            m.send("\n")
            if what != old:
                m.expect(f"observer: mend {where}", 60)
    finish_linux(t, m, ["switch-scribbled"], 100)
    t.equal(output_of(m, "switch-scribbled")[-1], "ok", "the guest's verdict")


def cost(t, memory):
    """Instructions that Vellum takes for the fourth virtualize and devirtualize of a machine's life."""
    m = Qemu(t, images.vellum(("mini", "test=layers_cost"), opts="mem=all"), memory=memory, icount=True,
             name=f"{memory}M")
    m.wait(50)
    found = re.search(r"cost of virtualize: (\d+), devirtualize: (\d+)", m.console.text)
    t.check(found, "the guest tells the cost")
    return int(found[1]), int(found[2])


@test("transition-cost", shows="M1 M9", needs="vellum mini", limit=120)
def transition_cost(t):
    """Virtualize takes at most 5,000 instructions with interrupts off, devirtualize 10,000, inside Vellum;
    with 4 GiB of memory no more than with 128 MiB."""
    small, large = cost(t, 128), cost(t, 4096)
    t.log(f"instructions to virtualize and devirtualize: 128 MiB {small}, 4 GiB {large}")
    t.check(small[0] <= 5000, f"virtualize in {small[0]} instructions")
    t.check(small[1] <= 10000, f"devirtualize in {small[1]} instructions")
    for before, after in zip(small, large):
        t.check(abs(after - before) <= before // 50, f"{after} instructions with 4 GiB, {before} with 128 MiB")
