# SPDX-License-Identifier: MIT
"""What scenarios with guest Linux and with the mini guest share."""
import re
import struct
import subprocess

import images
from machine import plain
from qemu import Qemu
from registry import Failure, path

CONSOLE = "console=ttyS0,115200"

# Vellum's own addresses: top-level slots 256..271 (hv/include/mem/layout.h).
SLOTS = range(256, 272)
PAGE_FAULT = 14
VELLUM_START = 0xffff800000000000
VELLUM_END = 0xffff880000000000


def linux_image(names, kernel="min", opts="", cmdline="", hypervisor="vellum", initrd="initrd-test"):
    """Image of Vellum and Linux that runs /tests/NAME for each name and powers off."""
    line = f"{CONSOLE} {cmdline} vltest={','.join(names)}".replace("  ", " ")
    return images.vellum((kernel, line), initrd, opts=opts, hypervisor=hypervisor)


def run_linux(t, names, kernel="min", opts="", cmdline="", seconds=100, hypervisor="vellum", **kw):
    """Boot, run the named tests in the guest, wait for the power-off; returns the Qemu."""
    m = Qemu(t, linux_image(names, kernel, opts, cmdline, hypervisor), **kw)
    finish_linux(t, m, names, seconds)
    return m


def finish_linux(t, m, names, seconds=100):
    """Wait for the end of a run and check that each test in the guest succeeded."""
    ending = m.wait(seconds)
    m.no_panic()
    statuses = dict(re.findall(r"^vltest: end (\S+) (\d+)$", plain(m.console.text), re.MULTILINE))
    t.equal(statuses, {name: "0" for name in names}, "tests in the guest and their status")
    t.equal(ending, "poweroff", "how the machine ended")


def output_of(m, name):
    """Lines that one test in the guest printed."""
    text = plain(m.console.text)
    match = re.search(rf"^vltest: begin {re.escape(name)}$(.*?)^vltest: end ", text,
                      re.MULTILINE | re.DOTALL)
    if not match:
        raise Failure(f"the guest did not run {name}")
    return match[1].strip("\n").split("\n")


def vellum_range(m, what):
    """[start, end) that Vellum's log gives on its line `vellum: WHAT [0x...-0x...)`."""
    match = re.search(rf"^vellum: {what} \[(0x[0-9a-f]+)-(0x[0-9a-f]+)\)", plain(m.console.text),
                      re.MULTILINE)
    if not match:
        raise Failure(f"Vellum's log has no line for its {what}")
    return int(match[1], 16), int(match[2], 16)


def text_copy(m):
    """Bytes that the kernel on Vellum keeps for the second copy of its text, in pages of 2 MiB."""
    start, end = re.search(r"([0-9a-f]+)-([0-9a-f]+) : Kernel code", m.console.text).groups()
    return (int(end, 16) - int(start, 16) | 0x1fffff) + 1


def symbols(name):
    """Addresses of a kernel's or Vellum's symbols."""
    text = subprocess.run(["nm", path(name)], check=True, capture_output=True, text=True).stdout
    return {f[2]: int(f[0], 16) for f in (line.split() for line in text.splitlines())
            if len(f) == 3}


def ram_ranges(m):
    """RAM of the machine as QEMU built it, [(start, end)], from its monitor: not from the guest."""
    ranges = set()
    text = m.hmp("info mtree -f")
    view = text.split("Root memory region: system")[1].split("FlatView")[0]
    for start, end, name in re.findall(r"^\s+([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ram\): (\S+)",
                                       view, re.MULTILINE):
        if name == "pc.ram":
            ranges.add((int(start, 16), int(end, 16) + 1))
    return join(sorted(ranges))


def join(ranges):
    """Merge touching ranges of a sorted list."""
    joined = []
    for start, end in ranges:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def within(inner, ranges):
    return any(start <= inner[0] and inner[1] <= end for start, end in ranges)


def tap(lines):
    """Parse a guest's TAP: (plan, {number: (ok, name)}); Failure on Bail out!."""
    plan, results = None, {}
    for line in lines:
        if line.startswith("Bail out!"):
            raise Failure(line)
        match = re.match(r"1\.\.(\d+)\b", line)
        if match:
            plan = int(match[1])
        match = re.match(r"(not )?ok (\d+)(?: - )?(.*)", line)
        if match:
            results[int(match[2])] = (not match[1], match[3])
    return plan, results


def check_tap(t, m):
    """Each line of the mini guest's TAP says ok, and none is missing."""
    plan, results = tap(m.console.lines())
    t.check(plan, "the mini guest prints a plan (1..N)")
    t.equal(sorted(results), list(range(1, plan + 1)), "numbers of the results")
    bad = [f"{n} {name}" for n, (ok, name) in results.items() if not ok]
    t.check(not bad, f"failed in the mini guest: {'; '.join(bad)}")
    t.log(f"{plan} tests in the guest")


def finish_mini(t, m, seconds):
    """The mini guest ends by itself, with a good verdict of its own and each test passed, and Vellum has not panicked."""
    ending = m.wait(seconds)
    m.no_panic()
    check_tap(t, m)
    t.equal(ending, m.good_ending, "how the run ended (exit-17: the mini guest's own verdict is bad)")


def page_entry(m, table, index):
    """Entry of a page table at a machine address."""
    return struct.unpack("<Q", m.memory((table & 0x000ffffffffff000) + 8 * index, 8))[0]


def is_vellum(address, partition):
    return VELLUM_START <= address < VELLUM_END or partition[0] <= address < partition[1]


def check_state(t, m, cpu, regs, partition, names):
    """One look at a stopped CPU: whose tables are loaded?"""
    for table in ("IDT", "GDT"):
        t.check(not is_vellum(regs[table], partition), f"{table} at {regs[table]:#x} is not Vellum's")
    root = regs["CR3"] & 0x000ffffffffff000
    t.check(not partition[0] <= root < partition[1], f"CR3 {root:#x} is not in Vellum's partition")
    mapped = [slot for slot in SLOTS if page_entry(m, root, slot)]
    t.check(not mapped, f"the root at {root:#x} maps nothing in Vellum's slots ({mapped})")
    own = m.virtual_memory(names["init_top_pgt"] + 511 * 8, 8, cpu)
    t.equal(page_entry(m, root, 511), int.from_bytes(own, "little"),
            "kernel half of the root, against the kernel's own init_top_pgt")
    gate = m.virtual_memory(regs["IDT"] + 16 * PAGE_FAULT, 16, cpu)
    handler = int.from_bytes(gate[0:2] + gate[6:12], "little")
    t.equal(handler, names["asm_exc_page_fault"], "page-fault handler in the IDT, against the kernel's symbol")


def check_cycles(t, m, cycles):
    """The test switch-load in the guest: so many cycles, nothing lost."""
    lines = output_of(m, "switch-load")
    t.check(f"ok: {cycles} cycles" in lines, f"the guest's verdict: {lines[-3:]}")
    rounds = re.search(r"rounds of the load: (\d+) (\d+) (\d+)", "\n".join(lines))
    t.check(rounds, "the load ran")
    t.log(f"{cycles} cycles, rounds of the load {rounds.groups()}")


def check_probe(t, m):
    """The test probe-switch: what the probe printed is the same in all modes."""
    lines = output_of(m, "probe-switch")
    t.check(not any(line.startswith("not ok") for line in lines), "\n".join(lines[:20]))
    t.check(re.search(r"probe end [1-9]\d{3} lines hash", lines[-1]), f"the probe's last line: {lines[-1]!r}")
    t.log(lines[-1])
