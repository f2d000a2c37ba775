# SPDX-License-Identifier: MIT
"""What requests to disks cost Linux, one at a time, past its page cache: on the bare machine, with Vellum below it, and as a
later guest through Vellum. Instructions, see tests/lib/iocost.py."""
import boots
import images
import iocost
from guest import CONSOLE, finish_linux, output_of
from qemu import Qemu

LIMIT = 1.5  # times the bare machine's: a later guest's 64 KiB to a disk in memory
BOUND_ROWS = ("disk_read_64k", "disk_write_64k")
HEAD = ["row", "bare", "passthrough", "forwarded", "later guest, in memory", "later guest, the machine's"]


def _bare():
    t = boots.context("disks-bare")
    try:
        line = f"{CONSOLE} norandmaps vltest=disk-cost"
        m = Qemu(t, images.native("min", "initrd-guests", line), memory=320, icount=True, extra=iocost.DISK)
        finish_linux(t, m, ["disk-cost"], boots.LIMIT)
        return iocost.parse("\n".join(output_of(m, "disk-cost")), ("bare",))
    finally:
        t.close()


def measure():
    """{way: {row: instructions}}, in two boots."""
    t = boots.context("disks")
    try:
        return _bare() | iocost.measure(t, boots.LIMIT)
    finally:
        t.close()


def ratio(disks, way, row):
    return disks[way][row] / disks["bare"][row]


def lines(disks):
    """Rows of the table, as words."""
    return [[row, f"{disks['bare'][row]:,}"] + [f"{disks[way][row]:,} ({ratio(disks, way, row):.3f})" for way in iocost.WAYS]
            for row in iocost.ROWS]
