# SPDX-License-Identifier: MIT
"""Bytes of TCP between two cards at one wire, in instructions of the one CPU that both ends run on (tests/linux/netcost.c): nobody
outside takes part, so next to nothing of what is counted is waiting."""
import iocost
from guest import finish_linux, linux_image, output_of
from qemu import Qemu

WAYS = ("native", "forwarded", "switch")
ROWS = ("tcp_64k",)
WIRE = [word for i in (0, 1) for word in ("-netdev", f"hubport,id=wire{i},hubid=1", "-device", f"e1000,netdev=wire{i},mac=52:54:00:00:00:0{i}")]


def parse(text, ways=WAYS):
    return iocost.parse(text, ways, ROWS)


def run(t, seconds=170, **kw):
    """What the script net-cost says, in one boot of the first Linux and a later one."""
    m = Qemu(t, linux_image(["net-cost"], kernel="full", initrd="initrd-guests-full", cmdline="norandmaps", **kw), memory=768, icount=True, extra=WIRE)
    finish_linux(t, m, ["net-cost"], seconds)
    return "\n".join(output_of(m, "net-cost"))


def measure(t, seconds=170):
    """{way: {row: instructions}} of the first Linux and a later one."""
    return parse(run(t, seconds))
