# SPDX-License-Identifier: MIT
"""Linux on several CPUs: in passthrough each starts, goes and calls Vellum as on the bare machine; all change the mode together."""
import os
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


def run_cycles(t, cpus, cycles, seconds, line="", thread=None, **kw):
    """All CPUs go in and out under load; what the guest says of it."""
    image = linux_image(["switch-smp"], "full", cmdline=f"cycles={cycles} {line}")
    m = Qemu(t, image, memory=768, smp=cpus, thread=thread, limit=seconds, **kw)
    finish_linux(t, m, ["switch-smp"], seconds - 10)
    check_cycles(t, m, cycles, cpus)


def check_cycles(t, m, cycles, cpus):
    lines = output_of(m, "switch-smp")
    t.check(f"ok: {cycles} cycles on {cpus} CPUs" in lines, f"the guest's verdict: {lines[-3:]}")
    for name in ("stale", "smpload"):
        t.log([line for line in lines if line.startswith(f"{name}: ")])


def with_devices(t):
    """A disk and a network whose only peer echoes."""
    disk = os.path.join(t.dir, "disk.img")
    with open(disk, "wb") as image:
        image.truncate(32 << 20)
    return ["-rtc", "clock=vm", "-drive", f"if=ide,format=raw,file={disk}",
            "-netdev", "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:/bin/cat", "-device", "e1000,netdev=net"]


NEEDS = "vellum full initrd-test"
SHOWS = "U7 M1 M2 M8 M9 I1 I2 I3"


@test("smp-cycles-2", shows=SHOWS, needs=NEEDS, limit=400, slow=True)
def cycles_2(t):
    """Two CPUs, each a thread of QEMU's, go in and out 20 times under messages, forks, faults, wake-ups, timers and TCP on
    both, and a search for stale translations; in every fifth cycle one CPU is unplugged and plugged in both modes."""
    run_cycles(t, 2, 20, 390, "plug=5")


def stale_quiet(t, cpus, rounds, line=""):
    """What the guest printed of its search for stale translations, on a debug build and nothing else beside it."""
    image = linux_image(["stale-quiet"], "full", cmdline=f"rounds={rounds} {line}", hypervisor="vellum-debug")
    m = Qemu(t, image, memory=512, smp=cpus)
    finish_linux(t, m, ["stale-quiet"], t.test.limit - 10)
    return output_of(m, "stale-quiet")


@test("smp-stale", shows="U7 M5 M9", needs="vellum-debug full initrd-test", limit=400, slow=True)
def stale(t):
    """Two CPUs that do nothing but use pages of one address space, while what these are is changed: no stale
    translation is used, and by Vellum's counters each CPU was asked to flush pages in every round."""
    rounds = 60
    lines = stale_quiet(t, 2, rounds)
    t.check(f"ok: {rounds} rounds on 2 CPUs" in lines, f"the guest's verdict: {lines[-3:]}")
    flushed = dict(re.findall(r"CPU (\d+) flushed on request: pages (\d+)", "\n".join(lines)))
    t.log(f"{rounds} rounds, requests to flush pages that the CPUs served: {flushed}")
    t.equal(sorted(flushed), ["0", "1"], "CPUs of which Vellum tells")
    for cpu, pages in flushed.items():
        t.check(int(pages) >= 2 * rounds, f"CPU {cpu} was asked to flush pages {pages} times")


@test("smp-stale-pti", shows="U7 M5 M9", needs="vellum-debug full initrd-test", limit=400, slow=True)
def stale_pti(t):
    """The same where users have page tables of their own beside the kernel's, as on processors with Meltdown."""
    lines = stale_quiet(t, 2, 60, "pti=on")
    t.check("ok: 60 rounds on 2 CPUs" in lines, f"the guest's verdict: {lines[-3:]}")


@test("smp-stale-bochs", shows="U7 M5 M9", needs="vellum full initrd-test", limit=1800, group="soak")
def stale_bochs(t):
    """The same in Bochs, whose processor is Intel's with Meltdown and PCIDs: translations of users' page tables stay when the
    kernel is entered."""
    def run(m):
        finish_linux(t, m, ["stale-quiet"], 890)
        return m

    m = boot_smp(t, linux_image(["stale-quiet"], "full", cmdline="rounds=5"), run, memory=512, limit=895)
    t.check("Kernel/User page tables isolation: enabled" in plain(m.console.text), "users have page tables of their own")
    lines = output_of(m, "stale-quiet")
    t.check("ok: 5 rounds on 2 CPUs" in lines, f"the guest's verdict: {lines[-3:]}")


@test("smp-stale-found", shows="U7", needs="vellum-debug full initrd-test", limit=400, slow=True)
def stale_found(t):
    """The same search finds it when Vellum does not flush the pages that other CPUs ask it to."""
    lines = stale_quiet(t, 2, 60, "break=1")
    t.check("ok: found" in lines, f"the guest's verdict: {lines[-3:]}")
    t.log([line for line in lines if line.startswith("not ok: stale")])


@test("soak-smp-cycles-2-devices", group="soak", shows=SHOWS, needs=NEEDS, limit=7200)
def cycles_2_devices(t):
    """200 times with the disk, network and clocks of cycles-min beside, on a machine that does nothing else: Linux does not
    bring up its second CPU where QEMU counts time in instructions, and else lateness is the host's."""
    run_cycles(t, 2, 200, 7190, "devices=1 stay=5000", extra=with_devices(t))


@test("smp-cycles-4", shows=SHOWS, needs=NEEDS, limit=500, slow=True)
def cycles_4(t):
    """The same 10 times on four CPUs."""
    run_cycles(t, 4, 10, 490, "plug=5")


@test("smp-cycles-pv-none", shows=SHOWS, needs=NEEDS, limit=500, slow=True)
def cycles_pv_none(t):
    """Two CPUs, 5 times, without the kernel's fast paths: everything traps, and flushes are interrupts."""
    run_cycles(t, 2, 5, 490, "vellum_pv=none")


@test("smp-refused", shows="U7", needs=NEEDS, limit=200)
def refused(t):
    """While virtualized, suspend and kexec are refused with a clear sentence."""
    m = Qemu(t, linux_image(["refused"], "full"), memory=512, smp=2)
    finish_linux(t, m, ["refused"], 190)
    t.check("ok: refused" in output_of(m, "refused"), "the guest's verdict")


@test("smp-cycles-bochs", group="soak", shows=SHOWS, needs=NEEDS, limit=3600)
def cycles_bochs(t):
    """20 cycles on the two CPUs of a machine in Bochs."""
    def run(m):
        finish_linux(t, m, ["switch-smp"], 1700)
        return m

    m = boot_smp(t, linux_image(["switch-smp"], "full", cmdline="cycles=20 plug=5"), run, memory=768, limit=1750)
    check_cycles(t, m, 20, 2)


@test("soak-smp-cycles-2", group="soak", shows=SHOWS, needs=NEEDS, limit=7200)
def soak_2(t):
    """1,000 cycles on two CPUs under the load of smp-cycles-2."""
    run_cycles(t, 2, 1000, 7190, "plug=50")


@test("soak-smp-cycles-4", group="soak", shows=SHOWS, needs=NEEDS, limit=7200)
def soak_4(t):
    """200 cycles on four."""
    run_cycles(t, 4, 200, 7190, "plug=20")
