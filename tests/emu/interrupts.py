# SPDX-License-Identifier: MIT
"""Interrupt controllers and timers across the transitions, with Vellum's own timer running beside the guest's."""
import images
from bochs import Bochs
from guest import finish_linux, finish_mini, linux_image, output_of, run_linux
from qemu import Qemu
from registry import test

OWN_TIMER = "own_timer=300000"
# A thousand a second of emulated time, which counts instructions. The time of a busy host is no measure: it makes
# Linux find a wrong frequency for the TSC when it boots ("PIT calibration deviates from HPET"), and complain later.
OWN_TIMER_LINUX = "own_timer=1000000"


@test("own-timer-qemu", shows="I3 I8", needs="vellum mini", limit=120)
def own_timer_qemu(t):
    """The mini guest's whole suite virtualized, while Vellum's own timer shares the local APIC's with the guest and
    interrupts it all the time. QEMU."""
    m = Qemu(t, images.vellum(("mini", "virtualized own_timer"), opts=OWN_TIMER), icount=True)
    finish_mini(t, m, 110)


@test("own-timer-bochs", shows="I3 I8", needs="vellum mini", limit=120)
def own_timer_bochs(t):
    """The same in Bochs, whose local APIC has a TSC deadline."""
    m = Bochs(t, images.vellum(("mini", "virtualized own_timer"), opts=OWN_TIMER))
    finish_mini(t, m, 110)


@test("own-timer-debug-qemu", shows="I8 I10", needs="vellum-debug mini", limit=60)
def own_timer_debug_qemu(t):
    """When a step of devirtualize fails, Vellum's own timer goes on, and so does the guest's. QEMU."""
    words = "own_timer test=own_timer*,failpoints,layers*"
    m = Qemu(t, images.vellum(("mini", words), opts=OWN_TIMER, hypervisor="vellum-debug"), icount=True)
    finish_mini(t, m, 50)


@test("own-timer-debug-bochs", shows="I8 I10", needs="vellum-debug mini", limit=90)
def own_timer_debug_bochs(t):
    """The same in Bochs."""
    words = "own_timer test=own_timer*,failpoints,layers*"
    m = Bochs(t, images.vellum(("mini", words), opts=OWN_TIMER, hypervisor="vellum-debug"))
    finish_mini(t, m, 80)


@test("apic-direct-qemu", shows="I3", needs="vellum mini", limit=60)
def apic_direct_qemu(t):
    """With apic=direct, the registers left to the guest, it runs as far as that can be exact."""
    words = "virtualized test=pic*,timer*,transition*,trap*,user*,interrupts*"
    m = Qemu(t, images.vellum(("mini", words), opts="apic=direct"), icount=True)
    finish_mini(t, m, 50)


@test("x2apic-bochs", shows="I3 I8", needs="vellum mini", limit=60)
def x2apic_bochs(t):
    """The local APIC's tests with its registers reached as MSRs, switched to that mode while virtualized, with
    Vellum's own timer on. Only Bochs has the mode."""
    words = "virtualized own_timer x2apic test=lapic*,timer*,pic*"
    m = Bochs(t, images.vellum(("mini", words), opts=OWN_TIMER))
    finish_mini(t, m, 50)


def check_switches(t, m, cycles):
    lines = output_of(m, "switch-load")
    t.check(f"ok: {cycles} cycles" in lines, f"the guest's verdict: {lines[-3:]}")


@test("own-timer-linux", shows="I3 I8 M2", needs="vellum full initrd-test", limit=300, slow=True)
def own_timer_linux(t):
    """The distribution-like Linux, which uses local APIC and IOAPIC, is switched 10 times under load with
    Vellum's own timer on."""
    m = run_linux(t, ["switch-load"], kernel="full", opts=OWN_TIMER_LINUX, cmdline="cycles=10", memory=512, icount=True,
                  seconds=280)
    check_switches(t, m, 10)


@test("own-timer-linux-min", shows="I3 I8 M2", needs="vellum min initrd-test", limit=240)
def own_timer_linux_min(t):
    """The same 20 times with the small Linux."""
    m = run_linux(t, ["switch-load"], opts=OWN_TIMER_LINUX, cmdline="cycles=20", memory=256, icount=True, seconds=200)
    check_switches(t, m, 20)


@test("own-timer-linux-bochs", shows="I3 I8 M2", needs="vellum min initrd-test", limit=240, slow=True)
def own_timer_linux_bochs(t):
    """One such switch of the small Linux in Bochs, whose local APIC has a TSC deadline."""
    m = Bochs(t, linux_image(["switch-load"], opts="own_timer=1000000", cmdline="cycles=1 nopcid"))
    finish_linux(t, m, ["switch-load"], 220)
    check_switches(t, m, 1)


def check_devices(t, m, cycles):
    lines = output_of(m, "device-load")
    t.check(f"ok: {cycles} cycles" in lines, f"the guest's verdict: {lines[-3:]}")


@test("devices-linux", shows="I3 I8 M2", needs="vellum full initrd-test", limit=240, slow=True)
def devices_linux(t):
    """On the distribution-like Linux (local APIC, IOAPIC) ATA, serial port and timers interrupt in both modes, across 8
    cycles, with right data, beside Vellum's own timer."""
    m = run_linux(t, ["device-load"], kernel="full", opts=OWN_TIMER_LINUX, cmdline="cycles=8", memory=512, icount=True,
                  leaps=False, seconds=220)
    check_devices(t, m, 8)


@test("devices-linux-8259", shows="I3 I8 M2", needs="vellum min initrd-test", limit=180)
def devices_linux_8259(t):
    """The same on the small Linux without local APIC: 8259s and PIT, and a disk."""
    image = linux_image(["device-load"], opts=OWN_TIMER_LINUX, cmdline="cycles=8 nolapic")
    m = Qemu(t, image, icount=True, leaps=False,
             extra=["-drive", f"if=ide,format=raw,snapshot=on,file={image}"])
    finish_linux(t, m, ["device-load"], 160)
    check_devices(t, m, 8)
