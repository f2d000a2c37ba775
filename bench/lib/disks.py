# SPDX-License-Identifier: MIT
"""What requests to disks cost Linux, one at a time, past its page cache: on the bare machine, with Vellum below it, and as a
later guest through Vellum. Instructions, see tests/lib/iocost.py."""
import boots
import iocost

LIMIT = 1.5  # times the bare machine's: a later guest's 64 KiB to a disk in memory
BOUND_ROWS = ("disk_read_64k", "disk_write_64k")
HEAD = ["row", "bare", "passthrough", "forwarded", "later guest, in memory", "later guest, the machine's"]


def measure():
    """{way: {row: instructions}}, in two boots."""
    bare = boots.in_context("disks-bare", boots.bare, "min", "initrd-guests", "disk-cost", 320, iocost.DISK)
    return iocost.parse(bare, ("bare",)) | boots.in_context("disks", iocost.measure, boots.LIMIT)


def ratio(disks, way, row):
    return disks[way][row] / disks["bare"][row]


def lines(disks):
    """Rows of the table, as words."""
    return [[row, f"{disks['bare'][row]:,}"] + [f"{disks[way][row]:,} ({ratio(disks, way, row):.3f})" for way in iocost.WAYS]
            for row in iocost.ROWS]
