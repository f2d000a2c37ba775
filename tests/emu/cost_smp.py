# SPDX-License-Identifier: MIT
"""What a transition of several CPUs costs each of them, counted from outside: QEMU executes one instruction at a time and says
which CPU did. So what a CPU does is told from what it waits for the others, which no clock of one CPU could."""
import bisect
import re
import subprocess
from collections import defaultdict

import images
from guest import finish_mini, symbols
from machine import plain
from qemu import Qemu
from registry import path, test

IN, OUT = 5_000, 10_000  # with interrupts off
RATIO = 1.3  # against one CPU
CALLS = {"virtualize": "call_virtualize", "devirtualize": "call_devirtualize"}
# Where CPUs meet (hv/transition/together.c); what they call there counts as work.
MEETING = {"together_begin", "together_wait", "together_agree", "together_end", "wait_a_moment"}
VELLUM = (0xffff800000000000, 0xffff800010000000)


class Functions:
    """Which function of Vellum an address is in, and where functions of the mini guest lie."""

    def __init__(self):
        text = subprocess.run(["nm", "-n", path("vellum")], check=True, capture_output=True, text=True).stdout
        self._list = [(int(f[0], 16), f[2]) for f in map(str.split, text.splitlines()) if len(f) == 3 and f[1] in "tT"]
        self._starts = [start for start, _ in self._list]

    def at(self, address):
        """Its name, and whether this is its first instruction."""
        start, name = self._list[bisect.bisect_right(self._starts, address) - 1]
        return name, start == address


def extent(name):
    """[start, end) of a function of the mini guest."""
    text = subprocess.run(["nm", "-S", path("mini")], check=True, capture_output=True, text=True).stdout
    start, size = re.search(rf"^([0-9a-f]+) ([0-9a-f]+) t {name}$", text, re.MULTILINE).groups()
    return int(start, 16), int(start, 16) + int(size, 16)


def is_vellum(address):
    return VELLUM[0] <= address < VELLUM[1]


def calls(log, caller):
    """{CPU: [addresses, a list for each call]}: what it executed between two instructions of the function that calls."""
    done, now = defaultdict(list), defaultdict(list)
    with open(log, encoding="utf-8", errors="replace") as lines:
        for cpu, address in re.findall(r"^Trace (\d+): \S+ \[[0-9a-f]+/([0-9a-f]+)/", lines.read(), re.MULTILINE):
            cpu, address = int(cpu), int(address, 16)
            if not caller[0] <= address < caller[1]:
                now[cpu].append(address)
            elif now[cpu]:
                done[cpu].append(now.pop(cpu))
    return done


def transition(functions, addresses, function):
    """What of a call is the transition: up to where the guest, back in the hypercall page, needs Vellum again. None: not this call."""
    begin = next((i for i, a in enumerate(addresses) if is_vellum(a) and functions.at(a) == (function, True)), None)
    if begin is None:
        return None
    back = next(i for i, a in enumerate(addresses) if i > begin and not is_vellum(a))
    return addresses[:next((i for i, a in enumerate(addresses) if i > back and is_vellum(a)), len(addresses))]


def spent(functions, addresses):
    """(work in each phase, waiting): a phase is what is done between two places where CPUs wait."""
    phases, waiting = [0], 0
    for address in addresses:
        name, first = functions.at(address) if is_vellum(address) else ("the hypercall page", False)
        if name == "together_wait" and first:
            phases.append(0)
        if name in MEETING:
            waiting += 1
        else:
            phases[-1] += 1
    return phases, waiting


def measure(t, cpus):
    """{way: [(phases, waiting) of each CPU]} of the last of some transitions."""
    m = Qemu(t, images.vellum(("mini", f"map=all cpus={cpus:x} observed test=smp_cost"), opts="mem=all"), smp=cpus, icount=True,
             thread="single", name=f"cost-{cpus}", extra=["-dfilter", ",".join(
                 f"{start:#x}..{end - 1:#x}" for start, end in (VELLUM, extent("call_one"), page()))])
    m.expect("# cost: the last turn", 80)
    log = m.file("executed")
    m.hmp(f"logfile {log}")
    m.hmp("log exec,nochain")
    m.hmp("singlestep on")
    m.send("\n")
    finish_mini(t, m, 80)
    functions, found = Functions(), defaultdict(list)
    done = calls(log, extent("call_one"))
    t.equal(sorted(done), list(range(cpus)), "CPUs that called")
    for way, function in CALLS.items():
        for cpu in range(cpus):
            ours = [c for c in (transition(functions, c, function) for c in done[cpu]) if c]
            t.equal(len(ours), 1, f"calls to {way} that CPU {cpu} of {cpus} made")
            found[way].append(spent(functions, ours[0]))
    return found


def page():
    start = symbols("mini")["hypercall_page"]
    return start, start + 4096


def path_of(found):
    """Instructions on the longest way through: in each phase the others wait for the CPU that does most."""
    return sum(max(phase) for phase in zip(*(phases for phases, _ in found)))


@test("switch-cost-smp", shows="U7 M1 M9", needs="vellum mini", limit=400)
def switch_cost_smp(t):
    """On 1, 2 and 4 CPUs each CPU is in Vellum for as many instructions as the only CPU of a machine, within 1.3 times, but for what it
    waits in the meeting, which is told apart; and so is the time that a transition takes, the CPU that does most in each phase."""
    found = {cpus: measure(t, cpus) for cpus in (1, 2, 4)}
    for way, limit in (("virtualize", IN), ("devirtualize", OUT)):
        alone = path_of(found[1][way])
        for cpus, ways in found.items():
            work = [sum(phases) for phases, _ in ways[way]]
            longest = path_of(ways[way])
            t.log(f"{way} on {cpus} CPU(s), instructions: work {work}, in phases {[phases for phases, _ in ways[way]]}, "
                  f"meeting {[waiting for _, waiting in ways[way]]}, longest way {longest} ({longest / alone:.2f})")
            t.check(longest <= limit, f"{way} on {cpus} CPU(s) takes {longest} instructions, the limit is {limit}")
            for mine in work + [longest]:
                t.check(mine <= RATIO * alone, f"{way} on {cpus} CPU(s): {mine} instructions, {alone} on the only one")
