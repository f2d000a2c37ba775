# SPDX-License-Identifier: MIT
"""What requests to disks cost a Linux that has the machine, and one that has virtio devices of Vellum's."""
import iocost
import netcost
from registry import test

LIMIT = 1.5  # of the first Linux's own


@test("disk-cost", shows="I7 I8", needs="vellum min initrd-guests", limit=120)
def disk_cost(t):
    """A later Linux's requests of 4 KiB, to a disk in memory and to the machine's, cost at most 1.5 times what the first one's cost by
    its IDE driver; what those of 64 KiB cost, and those that the first one forwards through Vellum, is shown. Instructions."""
    found = iocost.measure(t)
    ratios = {(way, row): found[way][row] / found["native"][row] for way in iocost.WAYS for row in iocost.ROWS}
    for row in iocost.ROWS:
        t.log(f"{row}: native {found['native'][row]}, " + ", ".join(f"{way} {found[way][row]} ({ratios[way, row]:.2f})"
                                                                    for way in iocost.WAYS[1:]))
    for row in ("disk_read_4k", "disk_write_4k"):
        for way in ("memory", "machine"):
            t.check(ratios[way, row] <= LIMIT, f"{row}, {way}: {ratios[way, row]:.2f} times what it costs the first guest; the limit is {LIMIT}")


# Without offloads each frame of 1.5 KB is the guest's, and its checksums; the first guest's card does that for 64 KiB at a time.
# 5.4 to 5.8, by how segments and acknowledgements meet.
SWITCH_LIMIT = 6.5


@test("net-cost", shows="I7 U6", needs="vellum full initrd-guests-full", limit=180)
def net_cost(t):
    """TCP between two cards of the first Linux costs at most 1.5 times as much with Vellum below it as natively; what it costs a later Linux by
    two virtio devices at Vellum's switch is shown, and bounded by what it is. Instructions of both ends."""
    found = {way: rows["tcp_64k"] for way, rows in netcost.measure(t).items()}
    t.log("64 KiB: " + ", ".join(f"{way} {ticks} ({ticks / found['native']:.2f})" for way, ticks in found.items()))
    for way, limit in (("forwarded", LIMIT), ("switch", SWITCH_LIMIT)):
        t.check(found[way] / found["native"] <= limit, f"{way}: {found[way] / found['native']:.2f} times what it costs natively; the limit is {limit}")
