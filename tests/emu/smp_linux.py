# SPDX-License-Identifier: MIT
"""Machines with several CPUs: each of them starts, goes, comes back and calls Vellum as on the bare machine."""
import re

from bochs import boot_smp
from guest import finish_linux, linux_image, output_of, vellum_range
from machine import plain
from qemu import Qemu
from registry import add, test

LOW = 1 << 20


def check_passthrough(t, m, cpus):
    """The verdict of smp-passthrough, Vellum's count of CPUs and the map that follows from it (M10)."""
    lines, text = output_of(m, "smp-passthrough"), plain(m.console.text)
    t.check(f"ok: {cpus} CPUs" in lines, f"the guest's verdict: {lines[-3:]}")
    t.check(f"vellum: {cpus} CPUs in the firmware's tables" in text, "Vellum counted the CPUs")
    ram = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"^vellum: guest memory \[(0x\w+)-(0x\w+)\) ram$", text, re.MULTILINE)]
    t.equal(len([r for r in ram if r[0] >= LOW]), 1, f"ranges of RAM from 1 MiB on ({ram})")
    t.equal(any(r[0] < LOW for r in ram), cpus > 1, "RAM below 1 MiB is shown")
    t.check(all(b <= vellum_range(m, "partition")[0] for _, b in ram), "none of it is Vellum's")


def declare(cpus, thread):
    def run(t):
        image = linux_image(["smp-passthrough"], "full", cmdline=f"cpus={cpus}")
        m = Qemu(t, image, memory=512, smp=cpus, thread=thread)
        finish_linux(t, m, ["smp-passthrough"], 280)
        check_passthrough(t, m, cpus)

    threads = "one thread for all CPUs" if thread == "single" else "a thread for each CPU"
    add(run, f"smp-passthrough-{cpus}" + ("-single" if thread == "single" else ""), shows="U7 M1 M10",
        needs="vellum full initrd-test", limit=300, slow=True,
        doc=f"The distribution-like kernel uses the {cpus} CPU(s) of a machine in passthrough (QEMU with {threads}): hypercalls from each "
            "and from all at a time, CPUs unplugged and plugged meanwhile; RAM below 1 MiB is in its map if there are several.")


for count, mode in ((1, "multi"), (2, "multi"), (2, "single"), (4, "multi"), (4, "single")):
    declare(count, mode)


@test("smp-passthrough-bochs", shows="U7 M1 M10", needs="vellum full initrd-test", limit=700, slow=True)
def passthrough_bochs(t):
    """The same on the two CPUs of a machine in Bochs."""
    def run(m):
        finish_linux(t, m, ["smp-passthrough"], 340)
        return m

    m = boot_smp(t, linux_image(["smp-passthrough"], "full", cmdline="cpus=2"), run, memory=512, limit=345)
    check_passthrough(t, m, 2)
