# SPDX-License-Identifier: MIT
"""Thousands of transitions, with devices at work: a short form for check, the long one for soak.

QEMU counts time in instructions, so that a busy host is no late tick.
"""
import os
import re

import images
from bochs import Bochs
from guest import finish_linux, linux_image, output_of, tap
from qemu import Qemu
from registry import test

WORKERS = ("registers", "memory", "faults", "processes", "pipe", "time", "disk", "tcp")


def check_devices(t, m, cycles, workers=WORKERS):
    """The guest's verdict, and that each part of the load went on during the cycles."""
    lines = output_of(m, "switch-devices")
    t.check(f"ok: {cycles} cycles" in lines, f"the guest's verdict: {lines[-5:]}")
    progress = [line for line in lines if line.startswith("cycles: ")]
    first, last = (dict(re.findall(r"([a-z]+) (\d+)", line)) for line in (progress[0], progress[-1]))
    for name in workers:
        t.check(int(last[name]) > int(first[name]), f"{name} went on: {first[name]} to {last[name]} rounds")
    t.log(progress[-1])


def run_devices(t, kernel, cycles, stay, seconds):
    """Linux with a disk of its own and a network whose only peer echoes."""
    disk = os.path.join(t.dir, "disk.img")
    with open(disk, "wb") as image:
        image.truncate(32 << 20)
    extra = ["-rtc", "clock=vm", "-drive", f"if=ide,format=raw,file={disk}",
             "-netdev", "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:/bin/cat", "-device", "e1000,netdev=net"]
    image = linux_image(["switch-devices"], kernel, cmdline=f"cycles={cycles} stay={stay}")
    # The distribution-like kernel on a CPU with SMAP.
    cpu = {"full": {"cpu": "max,la57=off,erms=off"}}.get(kernel, {})
    m = Qemu(t, image, memory=512, icount=True, extra=extra, limit=seconds, **cpu)
    finish_linux(t, m, ["switch-devices"], seconds)
    os.unlink(disk)
    check_devices(t, m, cycles)


@test("cycles-min", shows="M1 M2 M3 M9 I1 I2 I3 I8", needs="vellum min initrd-test", limit=200)
def cycles_min(t):
    """The small Linux goes in and out 40 times while it reads and writes a PIIX disk, sends a stream over one TCP
    connection through an e1000, faults, forks, pipes and counts ticks: each byte, register and tick is right."""
    run_devices(t, "min", 40, 5000, 180)


@test("cycles-full", shows="M1 M2 M3 M9 I1 I2 I3 I8", needs="vellum full initrd-test", limit=300, slow=True)
def cycles_full(t):
    """The same on the distribution-like kernel with its default command line, on a CPU with SMAP."""
    run_devices(t, "full", 40, 5000, 280)


@test("soak-cycles-min", group="soak", shows="M1 M2 M3 M9 I1 I2 I3 I8", needs="vellum min initrd-test", limit=7200)
def soak_min(t):
    """10,000 cycles of the small Linux under the load of cycles-min."""
    run_devices(t, "min", 10000, 2000, 7100)


@test("soak-cycles-full", group="soak", shows="M1 M2 M3 M9 I1 I2 I3 I8", needs="vellum full initrd-test", limit=7200)
def soak_full(t):
    """10,000 cycles of the distribution-like kernel under the load of cycles-min."""
    run_devices(t, "full", 10000, 2000, 7100)


@test("soak-cycles-mini", group="soak", shows="M1 M2 M9 I1 I2 I3 I8", needs="vellum mini", limit=1800)
def soak_mini(t):
    """100,000 cycles of the mini guest, each with system registers, memory, a user program and ticks."""
    m = Qemu(t, images.vellum(("mini", f"test=transition_cycles cycles={100000:x}")), icount=True)
    ending = m.wait(1700)
    t.equal(tap(m.console.lines()), (1, {1: (True, "transition_cycles")}), "results of the mini guest")
    t.equal(ending, "exit-16", "the mini guest's own verdict (16 is good, 17 is bad)")


@test("soak-cycles-bochs", group="soak", shows="M1 M2 M9 I1 I2 I3", needs="vellum min initrd-test", limit=1800)
def soak_bochs(t):
    """50 cycles of the small Linux in Bochs, under the load of cycles-min without its devices."""
    m = Bochs(t, linux_image(["switch-devices"], cmdline="cycles=50 stay=5000 nopcid"))
    finish_linux(t, m, ["switch-devices"], 1700)
    check_devices(t, m, 50, WORKERS[:6])
