# SPDX-License-Identifier: MIT
"""The first guest ends for good, and the other one gets the bare machine: docs/design.md, section 9b."""
import re
import time
from concurrent.futures import ThreadPoolExecutor

import images
from bochs import Bochs
from guest import check_state, check_tap, is_vellum, linux_image, symbols, vellum_range
from machine import plain
from qemu import Qemu
from registry import test


def image(words, hypervisor="vellum", more="", opts=""):
    """The mini guest, which makes one of itself, scattered over memory, and hands the machine over to it; `words` go to that."""
    return images.vellum(("mini", f"test=hand_over heir={words.replace(' ', '+')} {more}"), "mini", opts=opts, hypervisor=hypervisor)


def check(t, m, seconds, ending):
    end = m.wait(seconds)
    m.no_panic()
    lines = m.console.lines()
    t.check(any("the machine is mine" in line for line in lines), f"the heir has the machine: {lines[-5:]}")
    check_tap(t, m)
    t.equal(end, ending, "the heir's own verdict")


# What a guest sees of a machine, and guests of its own.
SUITE = "entry*,given*,guests_a*,guests_c*,guests_g*,guests_p2m,guests_r*,keys*,lapic*,layers*,locks*,memory*,paging*,pic*,timer*,trap*,user*"


@test("handover-mini-qemu", shows="M19 M12 I9", needs="vellum mini", limit=300)
def handover_mini_qemu(t):
    """The heir, whose memory lies all over the machine's, is devirtualized, virtualized and devirtualized again, its ticks and
    its memory going on; then it runs tests of the mini guest's on the bare machine, and makes guests of its own. QEMU."""
    check(t, Qemu(t, image(f"test={SUITE}"), icount=True), 280, "exit-16")


@test("handover-mini-bochs", shows="M19 M12 I9", needs="vellum mini", limit=400, slow=True)
def handover_mini_bochs(t):
    """The same in Bochs, whose PIT counts as the data sheet says."""
    check(t, Bochs(t, image("test=entry*,pic*,timer*,guests_created")), 380, "shutdown-port")


@test("handover-mini-tick", shows="M19 I3", needs="vellum mini", limit=100)
def handover_mini_tick(t):
    """A tick of the PIT that the heir has masked, for good as far as Vellum knows, is no hindrance: it waits in the real 8259. QEMU."""
    m = Qemu(t, image("held=1 test=entry*,timer*"), icount=True)
    check(t, m, 80, "exit-16")
    t.check("# heir: ticks that were held back: 1" in m.console.text, "it was there, once")


@test("handover-mini-uplink", shows="M19 I7", needs="vellum-debug mini", limit=300)
def handover_mini_uplink(t):
    """The machine changes hands while a network card is Vellum's and the uplink: the heir finds the card, devirtualizes, and can give
    it to Vellum in turn. Debug build."""
    card = ["-netdev", "user,id=net,restrict=on", "-device", "e1000,netdev=net"]
    m = Qemu(t, image("test=entry*,pci*", "vellum-debug", more="uplink=1"), icount=True, extra=card)
    check(t, m, 280, "exit-16")
    t.check(re.search(r"^ok \d+ - pci_taken\s*$", m.console.text, re.MULTILINE), "the heir had the card")


def check_failures(t, m, allocates=True):
    """Three steps, and as many allocations as the calls make."""
    found = re.search(r"^# heir: (\d+) of (\d+) calls failed", m.console.text, re.MULTILINE)
    t.check(found and 3 + allocates <= int(found.group(1)) < int(found.group(2)), f"calls failed, and others moved pages: {found and found.group(0)}")


@test("handover-mini-debug", shows="M19 M12 I9", needs="vellum-debug mini", limit=300)
def handover_mini_debug(t):
    """The same with a Vellum that audits its shadow, its owners and its locks, and whose calls to come home fail
    at each step and allocation first."""
    m = Qemu(t, image("test=entry*,guests_c*,guests_r*,pic*,timer*", "vellum-debug"), icount=True)
    check(t, m, 280, "exit-16")
    check_failures(t, m)


@test("handover-mini-kinds", shows="M19 M11 M12 M14 M15 M16 M17", needs="vellum-debug mini", limit=400)
def handover_mini_kinds(t):
    """The heir comes home by each kind of owners, through a spare frame and by exchange, with the same failures."""
    for owners in ("backmap", "refcount", "search"):
        for remap in ("indirect", "direct"):
            m = Qemu(t, image("test=entry*", "vellum-debug", opts=f"owners={owners} remap={remap}"), icount=True, name=f"{owners}-{remap}")
            check(t, m, 60, "exit-16")
            check_failures(t, m, owners != "search")


# Of struct vl_home_info's how: VL_REMAP_LIVE.
LIVE = 1 << 16
MODES = {"indirect": 1, "direct": 2}
OWNERS = {"backmap": 0 << 8, "refcount": 1 << 8, "search": 2 << 8}
BOUND = 1_000_000  # instructions, for which the heir may stand still


def live_image(how, heir="", more="near=1", hypervisor="vellum"):
    """The heir changes its memory while it comes home, and says so; near=1: its pages are in each other's places."""
    return image(f"live=1 bound={BOUND:x} {heir} test=entry*", hypervisor, f"how={how | LIVE:x} {more}")


def check_live(t, m, seconds, ending="exit-16"):
    """Its pages have come home while it ran; it saw no moment without itself that was too long."""
    check(t, m, seconds, ending)
    text = m.console.text
    for line in text.split("\n"):
        if line.startswith("# live: "):
            t.log(f"{m.name}: {line.strip()}")
    found = {name: int(re.search(pattern, text).group(1)) for name, pattern in {
        "away": r"# live: of (\d+) pages \d+ copied", "exchanged": r"(\d+) exchanged, in", "pieces": r"in (\d+) pieces",
        "failed": r"pieces, (\d+) failed", "changed": r"meanwhile (\d+) of \d+ pages were changed", "still": r"none for (\d+) ticks"}.items()}
    t.check(found["away"] > 3000 and found["pieces"] > 20, f"it came home in pieces: {found}")
    t.check(found["changed"] > found["pieces"], f"its memory was changed meanwhile: {found}")
    t.check(found["still"] <= BOUND, f"it stood still for {found['still']} ticks at most, of the {BOUND} that are allowed")
    return found


@test("handover-live-qemu", shows="M13 M11 M12 M15 M16 M17 M19", needs="vellum mini", limit=400)
def handover_live_qemu(t):
    """The heir checks and changes its memory all the while that it comes home, live, in each mode and with each kind of
    owners, counting instructions. In QEMU."""
    for mode, how in MODES.items():
        for kind, owners in OWNERS.items():
            check_live(t, Qemu(t, live_image(how | owners), icount=True, name=f"{mode}-{kind}"), 100)


@test("handover-live-bochs", shows="M13 M12 M19", needs="vellum mini", limit=400, slow=True)
def handover_live_bochs(t):
    """The same in Bochs, through a spare frame and by exchange. It stops the moves half-way and goes on in the other mode."""
    for mode, how in MODES.items():
        check_live(t, Bochs(t, live_image(how, "stop=1"), name=mode), 190, "shutdown-port")


@test("handover-live-debug", shows="M13 M11 M12 M15 M16 M17 M19", needs="vellum-debug mini", limit=400)
def handover_live_debug(t):
    """The same with a Vellum that audits itself, and whose pieces fail at each step and allocation first; the heir stops
    the moves half-way, and goes on in the other mode."""
    for mode, how in MODES.items():
        for kind, owners in OWNERS.items():
            m = Qemu(t, live_image(how | owners, "fail=1 stop=1", hypervisor="vellum-debug"), icount=True, name=f"{mode}-{kind}")
            failed = check_live(t, m, 100)["failed"]
            t.check(failed >= 3 + (kind != "search"), f"{failed} pieces failed")


@test("handover-live-pairs", shows="M13 M12 M15 M16", needs="vellum mini", limit=400)
def handover_live_pairs(t):
    """Each two pages are in each other's places: nothing but exchanges, or steps aside, of which each may search for who uses a
    frame. QEMU, counting instructions."""
    for mode, how in MODES.items():
        for kind in ("backmap", "refcount"):
            m = Qemu(t, live_image(how | OWNERS[kind], more="pairs=1"), icount=True, name=f"{mode}-{kind}")
            check_live(t, m, 100)
    # Too many to search for each, until few are left.
    m = Qemu(t, live_image(MODES["direct"] | OWNERS["refcount"], more="pairs=1 pages=3c00"), memory=512, icount=True, name="many")
    check_live(t, m, 200)
    counts = [int(n) for n in re.search(r"(\d+) moved aside, (\d+) exchanged", m.console.text).groups()]
    t.check(counts[0] > 1000 and 1000 < counts[1] < 3500, f"moved aside, exchanged: {counts}")


@test("handover-live-size", shows="M13 M14", needs="vellum mini", limit=400)
def handover_live_size(t):
    """Eight times as much memory, nearly as long a pause, and time for what is moved. QEMU, counting instructions."""
    small = check_live(t, Qemu(t, live_image(0, more="near=1 pages=f00"), icount=True, name="small"), 100)
    large = check_live(t, Qemu(t, live_image(0, more="near=1 pages=7800"), memory=512, icount=True, name="large"), 200)
    t.check(large["away"] > 7 * small["away"], "it is larger")
    t.check(large["still"] < small["still"] * 1.25, f"the longest moments without the heir: {small['still']} and {large['still']} ticks")
    t.check(large["pieces"] < small["pieces"] * 10, f"pieces: {small['pieces']} and {large['pieces']}")


def smp_image(cpus, words, hypervisor="vellum"):
    """The heir starts the others itself, by INIT and SIPI from below 1 MiB, which nobody has by then."""
    tests = f"cpus={cpus} low=1 map=all cycles=20 test=entry*,smp_calls*,smp_cycles,smp_j*,smp_layers,smp_memory,smp_off*"
    return image(tests, hypervisor, f"map=all cpus={cpus} {words}", "mem=all")


@test("handover-smp", shows="M19 U7 I4", needs="vellum-debug mini", limit=400)
def handover_smp(t):
    """On two CPUs and three: the heir, which ran on the first or on the last of them, gets the machine once the others are
    offline, whether they were virtualized or not; it starts them as on a machine that was just switched on, and all of them
    go through transitions."""
    for cpus, words in ((2, ""), (2, "there=1"), (2, "native=1"), (3, "there=1")):
        m = Qemu(t, smp_image(cpus, words, "vellum-debug"), smp=cpus, icount=True, name=f"{cpus}{words[:6]}")
        check(t, m, 90, "exit-16")


@test("handover-smp-bochs", shows="M19 U7 I4", needs="vellum mini", limit=300, slow=True)
def handover_smp_bochs(t):
    """The same in Bochs with two, where INIT ends a HLT at once."""
    for words in ("there=1", "native=1"):
        check(t, Bochs(t, smp_image(2, words), cpus=2, name=words[:6]), 140, "shutdown-port")


def vcpus_image(vcpus, cpus, words="", hypervisor="vellum"):
    """The heir has several vcpus, which work until it is asked to leave them; then it starts the CPUs that the machine has."""
    own = f"vcpus={vcpus} cpus={cpus} low=1 map=all claim=1 cycles=20 {words} test=entry*,guests_created,smp_calls*,smp_cycles,smp_layers"
    return image(own, hypervisor, f"map=all cpus={cpus} vcpus={vcpus}", "mem=all")


def check_vcpus(t, m, vcpus, seconds, ending="exit-16"):
    check(t, m, seconds, ending)
    t.check(f"# heir: vcpus that have worked: {vcpus}, now: 1" in m.console.text, "it was asked to leave its vcpus")


@test("handover-vcpus", shows="M19 U7", needs="vellum vellum-debug mini", limit=400)
def handover_vcpus(t):
    """A heir of several vcpus, on machines of one CPU and of more: it is asked to leave all but one, which go for good, and
    has the machine, all of its memory, and its CPUs, which it starts and has guests on. QEMU, counting instructions."""
    for hypervisor in ("vellum", "vellum-debug"):
        for vcpus, cpus in ((2, 1), (3, 2)):
            m = Qemu(t, vcpus_image(vcpus, cpus, hypervisor=hypervisor), smp=cpus, icount=True, name=f"{vcpus}on{cpus}-{hypervisor}")
            check_vcpus(t, m, vcpus, 90)


@test("handover-vcpus-bochs", shows="M19 U7", needs="vellum mini", limit=300, slow=True)
def handover_vcpus_bochs(t):
    """The same in Bochs."""
    for vcpus, cpus in ((2, 2),):
        check_vcpus(t, Bochs(t, vcpus_image(vcpus, cpus), cpus=cpus, name=f"{vcpus}on{cpus}"), vcpus, 140, "shutdown-port")


@test("handover-suite", shows="M19 I1 I2 I3 I8", needs="vellum mini", limit=1200, group="soak")
def handover_suite(t):
    """All of the mini guest's suite in the heir."""
    check(t, Qemu(t, image("test=*"), icount=True), 1180, "exit-16")


def look_from_outside(t, m, partition, kernel):
    """What devirtualized-window sees of a guest that was booted; each of its looks."""
    names, levels = symbols(kernel), []
    for _ in range(10):
        m.pause()
        regs = m.registers(0)
        check_state(t, m, 0, regs, partition, names)
        t.check(not is_vellum(regs["RIP"], partition), f"RIP {regs['RIP']:#x} is the guest's")
        levels.append(regs["CPL"])
        m.cont()
        time.sleep(0.1)
    t.check(0 in levels, f"the guest kernel was seen at CPL 0: {levels}")


def check_linux(t, m, seconds, kernel="min-vmlinux"):
    m.expect(r"heir: passthrough", seconds)
    look_from_outside(t, m, vellum_range(m, "partition"), kernel)
    m.expect(r"heir: (done|not ok)", 120)
    m.no_panic()
    text = plain(m.console.text)
    t.check("heir: done" in text, f"the heir's verdict: {text[-400:]}")
    t.equal(re.findall(r"^heir: (passthrough|virtualized)\r?$", text, re.MULTILINE),
            ["passthrough", "passthrough", "virtualized", "passthrough"], "its modes")
    t.equal(m.wait(60), "reset", "it restarts the machine")


@test("handover-linux", shows="M19 M12 M13 I9 U2", needs="vellum min min-vmlinux initrd-guests", limit=300, slow=True)
def handover_linux(t):
    """vl destroy --force of the first Linux: the second one, which made nothing of it, goes to passthrough with its memory, its
    clock and its console, which is seen from outside, too; can be virtualized again, and restarts the machine. QEMU."""
    check_linux(t, Qemu(t, linux_image(["handover"], initrd="initrd-guests", cmdline="how=--paused"), memory=512), 200)


@test("handover-linux-live", shows="M19 M12 M13 I9 U2", needs="vellum min min-vmlinux initrd-guests", limit=300, slow=True)
def handover_linux_live(t):
    """The same with memory that comes home live, by exchange and a count of users, while the second Linux computes checksums and
    writes files; its `vl devirtualize` shows how far that is. QEMU."""
    m = Qemu(t, linux_image(["handover"], initrd="initrd-guests", cmdline="how=--live+--remap+direct+--owners+refcount"), memory=512)
    check_linux(t, m, 200)
    text = plain(m.console.text)
    t.log("\n".join(re.findall(r"^heir: (?:progress .*|\d+ rounds.*)$", text, re.MULTILINE)))
    t.check(re.search(r"^heir: progress .* 100 %  \d{4,} of", text, re.MULTILINE), "vl devirtualize showed it")


@test("handover-linux-smp", shows="M19 U7 I9 U2", needs="vellum full min-vmlinux initrd-guests", limit=400, slow=True)
def handover_linux_smp(t):
    """vl destroy --force of the distribution-like Linux on a machine of two CPUs, which goes offline on the second one for that: the
    other Linux goes to passthrough on the first. QEMU."""
    image = linux_image(["handover"], kernel="full", initrd="initrd-guests", cmdline="how=--paused")
    check_linux(t, Qemu(t, image, memory=1024, smp=2), 300)


ROUNDS, SHARED_EVERY = 200, 4
LIVES = "test=entry*,guests_created"


def hand_over_once(t, number):
    """One machine, whose size and so all that is counted on it differs from the others'; the seed."""
    mode, kind = list(MODES)[number % 2], list(OWNERS)[number // 2 % 3]
    live = number // 6 % 2 == 1
    more = "share=1" if number // 12 % SHARED_EVERY == SHARED_EVERY - 1 else ""
    if live:
        iso = image(f"live=1 bound={BOUND:x} {LIVES}", more=f"how={MODES[mode] | OWNERS[kind] | LIVE:x} near=1 {more}")
    else:
        iso = image(LIVES, more=more, opts=f"owners={kind} remap={mode}")
    m = Qemu(t, iso, memory=200 + number, icount=True, name=f"{number}-{mode}-{kind}")
    if live:
        check_live(t, m, 300)
    else:
        check(t, m, 300, "exit-16")
    if more:
        check_shared(t, m)
    seed = re.search(r"^# scattered by (\w+)", m.console.text, re.MULTILINE).group(1)
    m.stop()
    t.log(f"round {number}: {mode}, {kind}, {'live' if live else 'paused'} {more}, seed {seed}")
    return seed


@test("soak-handover-rounds", shows="M19 M11 M12 M13 M14 M15 M16 M17 U8 I9", needs="vellum mini", limit=14000, group="soak")
def soak_handover_rounds(t):
    """200 times the heir gets the machine, its memory scattered each time otherwise, every fourth time round with shared pages: in each
    mode, by each kind of owners, paused and live in turn. It is devirtualized, virtualized again, devirtualized, and makes guests of
    its own. QEMU, counting instructions, two machines at a time."""
    with ThreadPoolExecutor(2) as two:
        seeds = list(two.map(lambda number: hand_over_once(t, number), range(ROUNDS)))
    t.equal(len(set(seeds)), ROUNDS, "seeds that differ")


def full_image(more, kernel="min"):
    """The distribution-like Linux is the heir."""
    return linux_image(["handover"], kernel=kernel, initrd="initrd-guests-full", cmdline=f"heir_memory=176 {more}")


@test("handover-full", shows="M19 I9 U2", needs="vellum min full-vmlinux initrd-guests-full", limit=500, slow=True)
def handover_full(t):
    """The distribution-like Linux, a kernel for several CPUs, is the heir, with one vcpu; its memory comes home paused, and live. QEMU."""
    for how in ("--paused", "--live"):
        m = Qemu(t, full_image(f"how={how}"), memory=768, name=how.strip("-"))
        check_linux(t, m, 200, "full-vmlinux")
        check_added(t, plain(m.console.text))


@test("handover-vcpus-linux", shows="M19 U7 I9 U2", needs="vellum min full full-vmlinux initrd-guests-full", limit=600, slow=True)
def handover_vcpus_linux(t):
    """Linux with two vcpus is the heir, on machines of one CPU and of two: it takes the second one offline by itself, and goes on with
    one CPU, which it does not try to change; and with memory that the first guest had. QEMU."""
    for kernel, cpus in (("min", 1), ("full", 2)):
        image = full_image("how=--live heir_vcpus=2", kernel)
        m = Qemu(t, image, memory=1024, smp=cpus, name=f"on{cpus}")
        check_linux(t, m, 300, "full-vmlinux")
        text = plain(m.console.text)
        t.check("heir: CPUs now: 1" in text, "it has one CPU")
        check_added(t, text)


def check_added(t, text):
    """A kernel that can have memory plugged in has that of the first guest: whole blocks of 128 MiB."""
    found = re.search(r"^heir: memory added: (\d+) MiB, of now (\d+) KiB", text, re.MULTILINE)
    t.check(found and int(found.group(1)) >= 256 and int(found.group(2)) > int(found.group(1)) * 1024, f"memory was added: {found and found.group(0)}")


def check_shared(t, m):
    found = re.search(r"^# share: the heir has (\d+) pages in (\d+) frames", m.console.text, re.MULTILINE)
    t.check(found and int(found.group(1)) > 300 and int(found.group(2)) < int(found.group(1)) / 4, f"pages of the heir were shared: {found and found.group(0)}")


@test("share-handover", shows="U8 M12 M19", needs="vellum vellum-debug mini", limit=400)
def share_handover(t):
    """A guest that is scattered over the machine, and most of whose pages share frames, gets the machine: paused, and live in each mode
    and with each kind of owners, its memory is what it was. QEMU, counting instructions."""
    for hypervisor in ("vellum", "vellum-debug"):
        m = Qemu(t, image("test=entry*,guests_c*", hypervisor, "share=1"), icount=True, name=hypervisor)
        check(t, m, 100, "exit-16")
        check_shared(t, m)
    for mode, how in MODES.items():
        for kind, owners in OWNERS.items():
            more = f"how={how | owners | LIVE:x} near=1 share=1"
            m = Qemu(t, image("live=1 bound=f4240 test=entry*", more=more), icount=True, name=f"{mode}-{kind}")
            check_live(t, m, 100)
            check_shared(t, m)


@test("share-handover-linux", shows="U8 M12 M13 M19", needs="vellum min min-vmlinux initrd-guests", limit=400, slow=True)
def share_handover_linux(t):
    """vl destroy --force while pages of the second Linux share frames: they are parted, it gets the machine, and its memory
    comes home live. QEMU."""
    m = Qemu(t, linux_image(["handover"], initrd="initrd-guests", cmdline="how=--live share=1"), memory=512)
    check_linux(t, m, 300)
    t.check(re.search(r"^shared now: \d{3,} pages", m.console.text, re.MULTILINE), "its pages were shared")
