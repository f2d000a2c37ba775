# SPDX-License-Identifier: MIT
"""Virtio devices that come to a later guest while it runs, and go from it."""
import images
from bochs import Bochs
from guest import finish_linux, finish_mini, linux_image, output_of
from qemu import Qemu
from registry import test


def image(tests, hypervisor, line="", opts=""):
    return images.vellum(("mini", f"{line} test={tests}"), "mini", hypervisor=hypervisor, opts=opts)


@test("plug-mini", shows="I4 U2 U3", needs="vellum-debug mini", limit=300)
def plug_mini(t):
    """A guest that keeps each of its devices busy gets some and loses them: when it has been asked and has reset them, and by
    force in the middle of its requests; each allocation fails once; no frame is lost. QEMU, on a debug build."""
    m = Qemu(t, image("company_plug,company_plug_calls,company_plug_failing", "vellum-debug"), icount=True)
    finish_mini(t, m, 280)


@test("plug-mini-bochs", shows="I4 U2 U3", needs="vellum mini", limit=500, slow=True)
def plug_mini_bochs(t):
    """The same in Bochs, but for what fails."""
    finish_mini(t, Bochs(t, image("company_plug,company_plug_calls", "vellum")), 480)


@test("plug-smp", shows="I4 U7 U3", needs="vellum-debug mini", limit=300)
def plug_smp(t):
    """Two busy guests on two CPUs, both of which add, show and remove devices of theirs at random; on a debug build that checks the
    order of locks and waits at random."""
    m = Qemu(t, image("company_plug_race", "vellum-debug", "map=all cpus=2", "mem=all delays=20000"), smp=2)
    finish_mini(t, m, 280)


@test("plug-large", shows="I3 I4", needs="vellum mini", limit=120)
def plug_large(t):
    """Disks of 16 MiB come, go, and end with their guest in many calls, none of which is longer than 20,000 instructions. QEMU,
    counting instructions."""
    finish_mini(t, Qemu(t, image("company_plug_large", "vellum"), icount=True), 110)


@test("plug-linux", shows="I4 U2 U3", needs="vellum min initrd-guests", limit=400)
def plug_linux(t):
    """A later Linux guest, told of all windows, gets a network device, a disk with a file's contents and an empty one while it runs,
    pings, reads, keeps a file system, and loses each again, by vl and by vl-devices inside; at last one by force."""
    m = Qemu(t, linux_image(["guests-plug"], initrd="initrd-guests"), memory=512)
    finish_linux(t, m, ["guests-plug"], 380)
    t.check("ok: attached and detached" in output_of(m, "guests-plug"), "the guest's verdict")
