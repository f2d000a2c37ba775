# SPDX-License-Identifier: MIT
"""Linux as a later guest of several vcpus, all of which it uses, on machines of one CPU and of two."""
from guest import finish_linux, linux_image, output_of
from qemu import Qemu
from registry import test


def run(t, kernel, vcpus, limit, opts="", **kw):
    image = linux_image(["guests-vcpus"], kernel, cmdline=f"guest_vcpus={vcpus}", opts=opts, initrd="initrd-guests-full")
    m = Qemu(t, image, memory=768, **kw)
    finish_linux(t, m, ["guests-vcpus"], limit)
    lines = output_of(m, "guests-vcpus")
    t.check(f"ok: {vcpus} vcpus" in lines, f"the guest's verdict: {lines[-3:]}")
    t.log("; ".join(line for line in lines if line.startswith("vcpus: ")))


@test("guests-vcpus", shows="U1 U7 I2 I3 I8", needs="vellum min initrd-guests-full", limit=200)
def guests_vcpus(t):
    """Linux as a later guest brings up both of its vcpus on a machine with one CPU, works on them, takes one of them offline and
    back, and turns itself off; then the first guest is in passthrough with all its memory. QEMU."""
    run(t, "min", 2, 180)


@test("guests-vcpus-smp", shows="U1 U7 I2 I3 I8", needs="vellum full initrd-guests-full", limit=240)
def guests_vcpus_smp(t):
    """The same with four vcpus on a machine with two CPUs, which the first guest uses, too."""
    run(t, "full", 4, 220, opts="mem=all", smp=2)
