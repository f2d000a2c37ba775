# SPDX-License-Identifier: MIT
"""What requests to disks cost a Linux that has the machine, and one that has virtio devices of Vellum's."""
import re

import iocost
import netcost
from registry import test

LIMIT = 1.5  # of the first Linux's own
LONGEST_HOLD = 20000  # instructions: L2


@test("disk-cost", shows="I7 I8", needs="vellum min initrd-guests", limit=120)
def disk_cost(t):
    """A later Linux's requests of 4 and 64 KiB, to a disk in memory and to the machine's, cost at most 1.5 times what the first one's cost by
    its IDE driver; what those cost that the first one forwards through Vellum is shown. Instructions."""
    found = iocost.measure(t)
    ratios = {(way, row): found[way][row] / found["native"][row] for way in iocost.WAYS for row in iocost.ROWS}
    for row in iocost.ROWS:
        t.log(f"{row}: native {found['native'][row]}, " + ", ".join(f"{way} {found[way][row]} ({ratios[way, row]:.2f})"
                                                                    for way in iocost.WAYS[1:]))
    for row in iocost.ROWS:
        for way in ("memory", "machine"):
            t.check(ratios[way, row] <= LIMIT, f"{row}, {way}: {ratios[way, row]:.2f} times what it costs the first guest; the limit is {LIMIT}")


@test("net-cost", shows="I7 U6", needs="vellum full initrd-guests-full", limit=180)
def net_cost(t):
    """TCP between two cards of the first Linux costs at most 1.5 times as much with Vellum below it as natively, and so it does a later Linux
    by two virtio devices at Vellum's switch. Instructions of both ends."""
    found = {way: rows["tcp_64k"] for way, rows in netcost.measure(t).items()}
    t.log("64 KiB: " + ", ".join(f"{way} {ticks} ({ticks / found['native']:.2f})" for way, ticks in found.items()))
    for way in ("forwarded", "switch"):
        t.check(found[way] / found["native"] <= LIMIT, f"{way}: {found[way] / found['native']:.2f} times what it costs natively; the limit is {LIMIT}")


@test("net-locks", shows="I7 U7", needs="vellum-debug full initrd-guests-full", limit=300)
def net_locks(t):
    """While frames of up to 64 KiB go through the switch no lock is held for more than 20,000 instructions, by a debug build, which measures
    each hold."""
    holds = {rank: int(ticks) for rank, ticks in re.findall(r"longest hold of (\w+): (\d+) ticks", netcost.run(t, 290, hypervisor="vellum-debug"))}
    t.log(holds)
    for rank in ("irq", "switch"):
        t.check(1000 < holds.get(rank, 0) <= LONGEST_HOLD, f"{rank}: held for {holds.get(rank)} instructions; the limit is {LONGEST_HOLD}")
