# SPDX-License-Identifier: MIT
"""Requests to disks, counted in instructions, by one boot of Linux on Vellum (tests/linux/scripts/disk-cost). The disk is one
that answers at once, so that next to nothing of what is counted is waiting; where Vellum drives it, that is what it polls for."""
import re

from guest import finish_linux, linux_image, output_of
from qemu import Qemu
from registry import Failure

WAYS = ("native", "forwarded", "memory", "machine")
ROWS = ("disk_read_4k", "disk_read_64k", "disk_write_4k", "disk_write_64k")
DISK = ["-blockdev", "driver=null-co,node-name=null,size=16777216,read-zeroes=on", "-device", "ide-hd,drive=null,bus=ide.0,unit=1"]


def parse(text, ways=WAYS, rows=ROWS):
    """{way: {row: instructions}} of what the guest printed."""
    found = {way: {} for way in ways}
    for way, row, least in re.findall(r"^bench (\w+) (\w+) min (\d+) ", text, re.MULTILINE):
        found.setdefault(way, {})[row] = int(least)
    for way in ways:
        missing = [row for row in rows if row not in found[way]]
        if missing:
            raise Failure(f"{way}: rows are missing: {' '.join(missing)}")
    return found


def measure(t, seconds=110):
    m = Qemu(t, linux_image(["disk-cost"], initrd="initrd-guests", cmdline="norandmaps"), memory=320, icount=True, extra=DISK)
    finish_linux(t, m, ["disk-cost"], seconds)
    return parse("\n".join(output_of(m, "disk-cost")))
