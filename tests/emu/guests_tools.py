# SPDX-License-Identifier: MIT
"""Later guests as the tools make and end them, from the first guest's shell."""
import json
import os
import random
import re

from guest import finish_linux, linux_image, output_of
from qemu import Qemu
from registry import test


def run(t, names, seconds, **kw):
    m = Qemu(t, linux_image(names, initrd="initrd-guests"), **kw)
    finish_linux(t, m, names, seconds)
    return m


@test("guests-tools", shows="M4 M7 M18 I9 U2", needs="vellum min initrd-guests", limit=180)
def guests_tools(t):
    """vl create in passthrough virtualizes, vl list, console, sched and destroy do what they say, and after the last guest
    the machine is in passthrough again with all its memory; what does not fit changes nothing, nor does what is refused since
    only a part of memory is virtualized."""
    m = run(t, ["guests-tools"], 160, memory=256)
    lines = output_of(m, "guests-tools")
    t.check("ok: created and destroyed" in lines, f"the guest's verdict: {lines[-3:]}")


@test("guests-killed", shows="M4 M18 I9", needs="vellum min initrd-guests", limit=240)
def guests_killed(t):
    """SIGKILL of vl create at points all over its life: no guest is left, no page is lost, and the machine is back in
    passthrough each time."""
    m = Qemu(t, linux_image(["guests-killed"], initrd="initrd-guests", cmdline="rounds=20"), memory=512, icount=True)
    finish_linux(t, m, ["guests-killed"], 220)
    lines = output_of(m, "guests-killed")
    verdict = re.match(r"ok: 20 kills, (\d+) too late", lines[-1])
    t.check(verdict and 2 <= int(verdict[1]) <= 15, f"the guest's verdict: {lines[-3:]}")


@test("guests-failpoints", shows="M4 M18 I9", needs="vellum-debug min initrd-guests", limit=240)
def guests_failpoints(t):
    """Each step of vl create that can fail fails once, those of the transition and each allocation of Vellum's: an errno,
    and modes, memory and domains are what they were."""
    m = Qemu(t, linux_image(["guests-failpoints"], initrd="initrd-guests", hypervisor="vellum-debug"), memory=256)
    finish_linux(t, m, ["guests-failpoints"], 220)
    lines = output_of(m, "guests-failpoints")
    t.log("; ".join(line for line in lines if "steps failed" in line))
    t.check("ok: all of them" in lines, f"the guest's verdict: {lines[-3:]}")


@test("guests-stop", shows="M4 M18 I9 I4 U2", needs="vellum min initrd-guests", limit=240)
def guests_stop(t):
    """Later guests crash and are kept, destroyed or started anew as their configurations say, also when the process that
    starts them anew is killed; then the machine is in passthrough again, with all its memory."""
    m = run(t, ["guests-stop"], 220, memory=256)
    lines = output_of(m, "guests-stop")
    t.check("ok: stopped" in lines, f"the guest's verdict: {lines[-3:]}")


# What guests do until they end, and what is done to them (tests/linux/scripts/guests-rounds).
KINDS = ("hello", "reboot", "restart", "triple", "crash", "calls", "abuse", "deaf", "dead", "flood", "victim",
         "killed", "late", "destroyed", "restarter")


def run_rounds(t, rounds, seconds):
    """VELLUM_ROUNDS_SEED makes the same rounds again, VELLUM_ROUNDS_FIRST begins with another one than the first."""
    seed = int(os.environ.get("VELLUM_ROUNDS_SEED", 0)) or random.randrange(1, 1 << 30)
    first = int(os.environ.get("VELLUM_ROUNDS_FIRST", 1))
    t.log(f"seed {seed}")
    line = f"rounds={rounds} seed={seed} first={first}"
    m = Qemu(t, linux_image(["guests-rounds"], initrd="initrd-guests", cmdline=line), memory=512, icount=True)
    finish_linux(t, m, ["guests-rounds"], seconds)
    lines = output_of(m, "guests-rounds")
    t.check(re.match(rf"ok: {rounds} rounds", lines[-1]), f"the guest's verdict: {lines[-3:]}")
    t.equal(sum(f"round {r}:" in line for line in lines for r in range(first, first + rounds)), rounds, "rounds")
    counts = {kind: int(n) for kind, n in re.findall(r"^of kind (\S+): (\d+)$", "\n".join(lines), re.MULTILINE)}
    t.log(f"{lines[-1]}; how they ended: {counts}")
    t.equal(tuple(counts), KINDS, "kinds of ends")
    return counts


@test("guests-rounds", shows="M4 M18 I4 I9", needs="vellum min initrd-guests", limit=240)
def guests_rounds(t):
    """Guests of random sizes come and go by random ends: power-off, reboot, triple fault, a crash with interrupts off, bad
    hypercalls, hanging, vl destroy, SIGKILL of vl create. After each round no page is lost, of Linux's or of Vellum's, nothing is
    left, the machine is in passthrough again by itself, and the first guest's memory is what it was. The seed is printed."""
    counts = run_rounds(t, 10, 220)
    t.check(sum(counts[kind] for kind in KINDS[:11]) >= 10, f"so many guests: {counts}")


@test("guests-rounds-500", shows="M4 M18 I4 I9", needs="vellum min initrd-guests", limit=7200, group="soak")
def guests_rounds_500(t):
    """The same 500 times: each end comes about, and of the kills some come in time and some too late."""
    counts = run_rounds(t, 500, 7000)
    t.check(min(counts.values()) >= 4, f"each end came about: {counts}")


@test("guests-linux", shows="M4 M18 I4 I8 I9 U2", needs="vellum min initrd-guests", limit=480)
def guests_linux(t):
    """The mini guest and Linux, from the kernel image of the first guest, run beside it: consoles, less memory and more again
    for a running Linux, a reboot from inside and a power-off that it is asked for; then passthrough with all memory."""
    m = run(t, ["guests-linux"], 460, memory=512)
    lines = output_of(m, "guests-linux")
    t.check("ok: two at once" in lines, f"the guest's verdict: {lines[-3:]}")


@test("guests-two-linux", shows="M4 M18 I4 I8 I9 U2 U4", needs="vellum min initrd-guests", limit=400)
def guests_two_linux(t):
    """Two later Linux guests at once boot to their shells and run a load that checks its memory; when one is destroyed, the
    other goes on; then it is destroyed, too, and the machine is in passthrough with all memory."""
    m = run(t, ["guests-two-linux"], 380, memory=512, icount=True)
    lines = output_of(m, "guests-two-linux")
    t.check("ok: two Linux guests" in lines, f"the guest's verdict: {lines[-3:]}")


@test("guests-linux-io", shows="I4 U2 U3", needs="vellum min initrd-guests", limit=400)
def guests_linux_io(t):
    """Two later Linux guests, whose own virtio drivers find a read-only disk with a file's contents, an empty one that keeps a file
    system, and each other: ping, and a TCP stream with the right checksum."""
    m = run(t, ["guests-io"], 380, memory=512, icount=True)
    lines = output_of(m, "guests-io")
    t.check("ok: disks and network" in lines, f"the guest's verdict: {lines[-3:]}")


def check_shares(t, before, after, weights):
    """What each guest got of the CPU is its weight's share of what they got together, within 5 %."""
    got = {name: after[name] - before[name] for name in weights}
    for name, weight in weights.items():
        share, want = got[name] / sum(got.values()), weight / sum(weights.values())
        t.log(f"{name}, weight {weight}: {got[name]:.3f} s, {share:.1%} of the CPU, its share is {want:.1%}")
        t.check(abs(share - want) <= 0.05 * want, f"{name} got {share:.1%}, its share is {want:.1%}")


@test("guests-shares", shows="I4 U2 U4", needs="vellum min initrd-guests", limit=400)
def guests_shares(t):
    """Linux and two mini guests of different weights spin beside the sleeping first guest: by vl list, each gets its weight's
    share of the CPU within 5 %, also when vl sched changes the weights."""
    m = run(t, ["guests-shares"], 380, memory=512, icount=True)
    lines = output_of(m, "guests-shares")
    t.check("ok: shared" in lines, f"the guest's verdict: {lines[-3:]}")
    lists = re.findall(r"^list begin$(.*?)^list end$", "\n".join(lines), re.MULTILINE | re.DOTALL)
    times = [{d["name"]: d["cpu_seconds"] for d in json.loads(text)} for text in lists]
    t.equal(len(times), 4, "lists")
    check_shares(t, times[0], times[1], {"linux": 512, "a": 256, "b": 768})
    check_shares(t, times[2], times[3], {"linux": 512, "a": 1024, "b": 256})
