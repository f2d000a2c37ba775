# SPDX-License-Identifier: MIT
"""Several CPUs: the mini guest starts them as on bare hardware; calls and transitions of all at once."""
import images
from bochs import Bochs
from guest import check_tap
from qemu import Qemu
from registry import test

ALL = "test=smp*"


def image(hypervisor="vellum", tests=ALL, opts="mem=all"):
    return images.vellum(("mini", f"map=all {tests}"), opts=opts, hypervisor=hypervisor)


def check(t, m, seconds, good):
    ending = m.wait(seconds)
    m.no_panic()
    check_tap(t, m)
    t.equal(ending, good, "how the run ended")


@test("smp-mini-qemu", shows="U7 M1 M8 M9", needs="vellum mini", limit=240)
def smp_mini_qemu(t):
    """Two CPUs in QEMU, each in a thread of its own: hypercalls on one root at a time; 1,000 transitions
    together; a CPU that is missing, refused, of another mind, comes later, goes offline and comes back;
    rights that are taken away while both look."""
    check(t, Qemu(t, image(), smp=2), 230, "exit-16")


@test("smp-mini-qemu-4", shows="U7 M1 M8 M9", needs="vellum mini", limit=300)
def smp_mini_qemu_4(t):
    """The same with four."""
    check(t, Qemu(t, image(), smp=4), 290, "exit-16")


@test("smp-mini-single", shows="U7 M1 M8 M9", needs="vellum mini", limit=240)
def smp_mini_single(t):
    """Two CPUs in QEMU that take turns in one thread."""
    check(t, Qemu(t, image(), smp=2, thread="single"), 230, "exit-16")


@test("smp-mini-debug", shows="U7 M1 M8 M9", needs="vellum-debug mini", limit=300)
def smp_mini_debug(t):
    """Three CPUs on a debug build, which checks the order of locks and waits at random wherever CPUs
    race; each step of a transition fails in turn."""
    check(t, Qemu(t, image("vellum-debug", opts="mem=all delays=20000"), smp=3), 290, "exit-16")


@test("smp-mini-bochs", shows="U7 M1 M8 M9", needs="vellum mini", limit=300)
def smp_mini_bochs(t):
    """Two CPUs in Bochs."""
    check(t, Bochs(t, image(), cpus=2), 290, "shutdown-port")
