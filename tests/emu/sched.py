# SPDX-License-Identifier: MIT
"""Guests that share CPUs: shares by weight, sleep and wake, the processor's registers, pauses and ends."""
import time

import images
from bochs import Bochs
from guest import finish_mini
from qemu import Qemu
from registry import test

GUEST_CODE = 0x100000  # the page that the guests of tests/mini/tests/later.c run
VELLUM_IMAGE = 0xffff800000000000  # its first 2 MiB


@test("later-platform-qemu", shows="I4 I8 U4", needs="vellum mini", limit=60)
def later_platform_qemu(t):
    """A later guest drives each device of its platform: timers, local APIC, events, serial port both ways, reset."""
    finish_mini(t, Qemu(t, images.vellum(("mini", "test=later_platform")), icount=True), 50)


@test("later-platform-bochs", shows="I4 I8 U4", needs="vellum mini", limit=60)
def later_platform_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, images.vellum(("mini", "test=later_platform"))), 50)


@test("later-platform-last-bochs", shows="I4 I8 U4", needs="vellum mini", limit=200)
def later_platform_last_bochs(t):
    """The same in Bochs behind and before all other tests of the mini guest: none of them leaves anything behind that a later
    guest could feel. (The fuzzer of the calls left the first guest the weight of 65,536 of them.)"""
    finish_mini(t, Bochs(t, images.vellum(("mini", "test=*,later_platform"))), 190)


@test("sched-qemu", shows="M18 I2 I3 I4 U2 U3 U4", needs="vellum mini", limit=300)
def sched_qemu(t):
    """Guests of one page of code share a CPU with the first one: each has its weight's share within 5 %, also of those
    that flood Vellum; who sleeps is woken at once and costs nothing; no register of one is another's; one ends, or
    crashes, alone."""
    finish_mini(t, Qemu(t, images.vellum(("mini", "test=sched*")), icount=True), 290)


@test("sched-debug-qemu", shows="I2 I3 I4 U4", needs="vellum-debug mini", limit=300)
def sched_debug_qemu(t):
    """The same on a debug build, but for the shares, which take long."""
    tests = "test=sched_a*,sched_e*,sched_l*,sched_p*,sched_r*,sched_sl*"
    finish_mini(t, Qemu(t, images.vellum(("mini", tests), hypervisor="vellum-debug"), icount=True), 290)


@test("sched-bochs", shows="I2 I3 I4 U4", needs="vellum mini", limit=300)
def sched_bochs(t):
    """The same in Bochs, whose processor is stricter."""
    tests = "test=sched_a*,sched_e*,sched_p*,sched_r*"
    finish_mini(t, Bochs(t, images.vellum(("mini", tests))), 290)


@test("sched-old-bochs", shows="I2 I4", needs="vellum mini", limit=200)
def sched_old_bochs(t):
    """The registers of guests on a processor without XSAVE, whose FXSAVE can be told to leave out some."""
    m = Bochs(t, images.vellum(("mini", "test=sched_r*")), model="phenom_8650_toliman")
    finish_mini(t, m, 190)


def smp_image(cpus, tests, hypervisor="vellum", opts="mem=all"):
    return images.vellum(("mini", f"map=all cpus={cpus:x} {tests}"), opts=opts, hypervisor=hypervisor)


@test("sched-smp-debug", shows="U7 I4 U4", needs="vellum-debug mini", limit=300)
def sched_smp_debug(t):
    """Guests on two CPUs, made, paused and ended by one of them, which also asks the other one's vcpu to flush; on a
    debug build that checks the order of locks and waits at random."""
    m = Qemu(t, smp_image(2, "test=smp_sched", "vellum-debug", "mem=all delays=20000"), smp=2)
    finish_mini(t, m, 290)


@test("sched-first-crashes", shows="I4 I2", needs="vellum mini", limit=90)
def sched_first_crashes(t):
    """The first guest crashes while another one spins: Vellum says why, does not panic, and the other goes on."""
    m = Qemu(t, images.vellum(("mini", "test=first_crashes_alone")))
    m.expect(r"^vellum: domain 0 crashed: triple fault", 60)
    m.expect(r"^vellum: domain 0 has ended", 10)
    seen = []
    for _ in range(9):
        time.sleep(0.2)
        seen.append(m.registers()["RIP"])
    # A look may come while Vellum deals with an interrupt of a device that nobody serves any more.
    others = [hex(rip) for rip in seen if rip >> 12 != GUEST_CODE >> 12]
    t.check(len(others) <= 3 and all(int(rip, 16) >> 21 == VELLUM_IMAGE >> 21 for rip in others), f"looks that did not find it: {others}")
    m.no_panic()
    t.check(not m.triple_faulted(), "the machine itself did not shut down")
    m.stop()
