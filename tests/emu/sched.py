# SPDX-License-Identifier: MIT
"""Guests that share CPUs: shares by weight, sleep and wake, the processor's registers, pauses and ends."""
import images
from bochs import Bochs
from guest import check_tap
from qemu import Qemu
from registry import test


def check(t, m, seconds, good):
    ending = m.wait(seconds)
    m.no_panic()
    check_tap(t, m)
    t.equal(ending, good, "how the run ended")


@test("sched-qemu", shows="M18 I2 I3 I4 U2 U3 U4", needs="vellum mini", limit=200)
def sched_qemu(t):
    """Guests of one page of code share a CPU with the first one: each has its weight's share within 5 %, also of those
    that flood Vellum; who sleeps is woken at once and costs nothing; no register of one is another's; one ends, or
    crashes, alone."""
    check(t, Qemu(t, images.vellum(("mini", "test=sched*")), icount=True), 190, "exit-16")


@test("sched-debug-qemu", shows="I2 I3 I4 U4", needs="vellum-debug mini", limit=200)
def sched_debug_qemu(t):
    """The same on a debug build, but for the shares, which take long."""
    tests = "test=sched_a*,sched_e*,sched_l*,sched_p*,sched_r*,sched_sl*"
    check(t, Qemu(t, images.vellum(("mini", tests), hypervisor="vellum-debug"), icount=True), 190, "exit-16")


@test("sched-bochs", shows="I2 I3 I4 U4", needs="vellum mini", limit=300)
def sched_bochs(t):
    """The same in Bochs, whose processor is stricter."""
    tests = "test=sched_a*,sched_e*,sched_p*,sched_r*"
    check(t, Bochs(t, images.vellum(("mini", tests))), 290, "shutdown-port")


def smp_image(cpus, tests, hypervisor="vellum", opts="mem=all"):
    return images.vellum(("mini", f"map=all cpus={cpus:x} {tests}"), opts=opts, hypervisor=hypervisor)


@test("sched-smp-debug", shows="U7 I4 U4", needs="vellum-debug mini", limit=200)
def sched_smp_debug(t):
    """Guests on two CPUs, made, paused and ended by one of them, which also asks the other one's vcpu to flush; on a
    debug build that checks the order of locks and waits at random."""
    m = Qemu(t, smp_image(2, "test=smp_sched", "vellum-debug", "mem=all delays=20000"), smp=2)
    check(t, m, 190, "exit-16")
