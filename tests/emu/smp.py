# SPDX-License-Identifier: MIT
"""Several CPUs: the mini guest starts them as on bare hardware; calls and transitions of all at once."""
import re
import struct
import time

import images
from bochs import Bochs
from guest import finish_mini, symbols
from qemu import Qemu
from registry import test

# CPU against CPU, each waiting for what another one does. Where CPUs take turns, a wait costs a whole turn:
# not with emulators that do so the storms of remote flushes, nor (minutes in Bochs) a CPU that does not come.
ALL = "test=smp*"
IN_TURNS = ("test=smp_a*,smp_calls*,smp_c*,smp_d*,smp_failpoints,smp_i*,smp_j*,smp_l*,smp_m*,"
            "smp_not*,smp_off*,smp_one*")
LOCKING = "test=smp_a*,smp_calls*,smp_cycles,smp_d*,smp_failpoints,smp_i*,smp_j*,smp_layers,smp_memory,smp_off*"
LONGEST_HOLD = 20_000  # instructions
IN_BOCHS = "test=smp_a*,smp_calls*,smp_c*,smp_d*,smp_info*,smp_j*,smp_l*,smp_m*,smp_not*,smp_off*,smp_one_refused"


def image(cpus, hypervisor="vellum", opts="mem=all", cycles=1000, tests=ALL):
    """The mini guest reads numbers as hexadecimal ones."""
    line = f"map=all cpus={cpus:x} cycles={cycles:x} {tests}"
    return images.vellum(("mini", line), opts=opts, hypervisor=hypervisor)


@test("smp-mini-2", shows="U7 M1 M8 M9", needs="vellum mini", limit=200)
def smp_mini_2(t):
    """Two CPUs in QEMU that take turns: hypercalls on one root at a time; 1,000 transitions together; a
    CPU that is missing, refused, of another mind, comes later, goes offline and comes back; rights that
    are taken away while both look."""
    finish_mini(t, Qemu(t, image(2, tests=IN_TURNS), smp=2, thread="single"), 190)


@test("smp-mini-4", shows="U7 M1 M8 M9", needs="vellum mini", limit=300)
def smp_mini_4(t):
    """The same with four."""
    finish_mini(t, Qemu(t, image(4, tests=IN_TURNS), smp=4, thread="single"), 290)


@test("smp-mini-threads-2", shows="U7 M1 M8 M9", needs="vellum mini", limit=300)
def smp_mini_threads_2(t):
    """The same with two that run at a time, and fewer transitions, since waiting takes the host's time."""
    finish_mini(t, Qemu(t, image(2, cycles=100), smp=2), 290)


@test("smp-mini-threads-4", group="soak", shows="U7 M1 M8 M9", needs="vellum mini", limit=3600)
def smp_mini_threads_4(t):
    """And with four, which are more than the host may have: each meeting then takes some of its time slices."""
    finish_mini(t, Qemu(t, image(4, cycles=20, tests=ALL), smp=4), 3590)


@test("smp-guests-debug", shows="U7 I4 I9", needs="vellum-debug mini", limit=150)
def smp_guests_debug(t):
    """Pages go to other domains and come home while two more CPUs that run at a time look at them; then all three make,
    feed, steer and end domains at random. On a debug build, which compares who has which frame after each change."""
    m = Qemu(t, image(3, "vellum-debug", "mem=all delays=20000", tests="test=smp_guests*"), smp=3)
    finish_mini(t, m, 140)


@test("smp-mini-debug", shows="U7 M1 M8 M9", needs="vellum-debug mini", limit=300)
def smp_mini_debug(t):
    """Three CPUs on a debug build, which checks the order of locks and waits at random wherever CPUs
    race; each step of a transition fails in turn."""
    m = Qemu(t, image(3, "vellum-debug", "mem=all delays=20000", 100, IN_TURNS), smp=3, thread="single")
    finish_mini(t, m, 290)


def longest_hold(t, cpus, tests, attempt):
    """(ticks, rank of the lock, function) of the longest hold that a debug build measured."""
    m = Qemu(t, image(cpus, "vellum-debug", cycles=20 + attempt, tests=tests), smp=cpus, thread="single", icount=True,
             name=f"attempt-{attempt}")
    finish_mini(t, m, t.test.limit - 10)
    found = re.search(r"^# longest hold of \d+: (\w+): (\d+) ticks, taken at (0x[0-9a-f]+)\r?$", m.console.text, re.MULTILINE)
    t.check(found, "the guest tells the longest hold")
    functions = sorted((address, name) for name, address in symbols("vellum-debug").items())
    holder = [name for address, name in functions if address <= int(found[3], 16)][-1]
    t.log(f"{cpus} CPUs, {tests}: the longest hold is of {found[1]}, {found[2]} instructions, by {holder}")
    return int(found[2]), found[1], holder


def short_locks(t, cpus, tests):
    """QEMU counts what all CPUs execute, and lets another one work when a device's timer is due, also while this one holds a lock.
    Such a hold is as long as the other's turn, and another one, if any, in the next run, which begins a little later;
    one that is long by itself is long in each run."""
    holds = []
    while len(holds) < 3 and (not holds or holds[-1][0] > LONGEST_HOLD):
        holds.append(longest_hold(t, cpus, f"{tests},when_all_is_done*", len(holds)))
    t.check(holds[-1][0] <= LONGEST_HOLD, f"in each of {len(holds)} runs a lock was held for more than {LONGEST_HOLD} instructions: {holds}")


@test("smp-locks-2", shows="U7", needs="vellum-debug mini", limit=300)
def smp_locks_2(t):
    """On two CPUs no lock is held for more than 20,000 instructions, by a debug build, which measures each hold, of transitions,
    calls at a time, messages and moves of pages; and says who had the longest."""
    short_locks(t, 2, LOCKING)


@test("smp-locks-4", shows="U7", needs="vellum-debug mini", limit=300)
def smp_locks_4(t):
    """The same on four."""
    short_locks(t, 4, LOCKING)


def race(t, cpus, rounds, seed, seconds):
    """Each CPU of a debug build goes its own random way through so many transitions, and Vellum waits at random at each
    lock and meeting. A failure says the seed."""
    line = f"map=all cpus={cpus:x} cycles={rounds:x} seed={seed:x} test=smp_race"
    m = Qemu(t, images.vellum(("mini", line), opts=f"mem=all delays=20000,{seed}", hypervisor="vellum-debug"),
             smp=cpus, limit=seconds + 10, name=f"seed-{seed}")
    finish_mini(t, m, seconds)
    t.log([line for line in m.console.lines() if line.startswith("# CPU ")])


@test("smp-race", shows="U7 M1 M8 M9 I3", needs="vellum-debug mini", limit=500)
def smp_race(t):
    """Four CPUs, 20 rounds: transitions whose steps fail at random, with flushes, moves of pages, IPIs and NMIs between them
    and no order among the CPUs but what Vellum makes."""
    race(t, 4, 20, 1, 480)


@test("soak-smp-race", group="soak", shows="U7 M1 M8 M9 I3", needs="vellum-debug mini", limit=14000)
def soak_smp_race(t):
    """500 rounds of it, by five seeds."""
    for seed in range(1, 6):
        race(t, 4, 100, seed, 2700)


@test("soak-smp-race-2", group="soak", shows="U7 M1 M8 M9 I3", needs="vellum-debug mini", limit=7000)
def soak_smp_race_2(t):
    """500 rounds on two CPUs."""
    race(t, 2, 500, 11, 6900)


@test("smp-mini-bochs", shows="U7 M1 M8 M9", needs="vellum mini", limit=300)
def smp_mini_bochs(t):
    """Two CPUs in Bochs."""
    finish_mini(t, Bochs(t, image(2, cycles=100, tests=IN_BOCHS), cpus=2), 290)


@test("smp-x2apic-bochs", shows="U7 I3", needs="vellum mini", limit=400)
def smp_x2apic_bochs(t):
    """Two CPUs whose local APICs are reached as MSRs, which only Bochs has: one is started by the other, they go in and out
    together, and each message to a virtualized CPU comes. Not those to logical ids, which the bare Bochs loses."""
    line = "map=all cpus=2 cycles=4 x2apic test=smp_a*,smp_cycles,smp_init*"
    finish_mini(t, Bochs(t, images.vellum(("mini", line), opts="mem=all"), cpus=2), 390)


NMIS = 40
KERNEL_BASE = 0xffff_ffff_8000_0000  # tests/mini/layout.h
MAX_CPUS = 8


def send_nmis(t, m, phase, at, cpus):
    """NMIs by the line, to both CPUs, each when `cpus` have had all before it; returns how many each had."""
    def words(name, index, n):
        return struct.unpack(f"<{n}I", m.memory(at[name] - KERNEL_BASE + 4 * index, 4 * n))

    def wait(what, condition):
        deadline = time.monotonic() + 60
        while not condition():
            t.check(time.monotonic() < deadline, what)
            time.sleep(0.002)

    def counts():
        return words("smp_nmis", phase * MAX_CPUS, 2)

    wait(f"phase {phase} begins", lambda: words("smp_nmi_phases", 0, 1)[0] > phase)
    for i in range(1, NMIS + 1):
        m.hmp("nmi")
        wait(f"NMI {i} of phase {phase} comes: {counts()}", lambda i=i: min(counts()[:cpus]) >= i)
    time.sleep(0.1)
    return counts()


@test("smp-nmi-lines", shows="U7 I3", needs="vellum mini", limit=300)
def smp_nmi_lines(t):
    """NMIs of a device come once to each CPU, in both modes; with kicks of Vellum's own all the while, to the CPU that
    is not kicked all of them, and to the other no more than there were (those that meet a kick in the processor
    are lost, L7)."""
    m = Qemu(t, images.vellum(("mini", f"map=all cpus=2 test=smp_nmi_lines nmis={NMIS:x}"), opts="mem=all"), smp=2)
    at = symbols("build/mini/mini.elf")
    for phase in (0, 1):
        t.equal(send_nmis(t, m, phase, at, 2), (NMIS, NMIS), f"NMIs of the CPUs in phase {phase}")
    first, kicked = send_nmis(t, m, 2, at, 1)
    t.log(f"{kicked} of {NMIS} came to the CPU that is kicked")
    t.equal(first, NMIS, "NMIs of the CPU that is not kicked")
    t.check(kicked <= NMIS, f"no kick comes to the guest: {kicked} NMIs, {NMIS} were sent")
    finish_mini(t, m, 60)
