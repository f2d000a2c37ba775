# SPDX-License-Identifier: MIT
"""What TCP costs Linux from one network card to another, on the bare machine, with Vellum below it, and as a later guest with two virtio
devices at Vellum's switch. Instructions, see tests/lib/netcost.py."""
import boots
import images
import netcost
from guest import CONSOLE, finish_linux, output_of
from qemu import Qemu

LIMIT = 1.5  # times the bare machine's: a later guest's
BYTES = 65536
HEAD = ["row", "bare", "passthrough", "forwarded", "later guest, at the switch"]


def _bare():
    t = boots.context("wire-bare")
    try:
        line = f"{CONSOLE} norandmaps vltest=net-cost"
        m = Qemu(t, images.native("full", "initrd-guests-full", line), memory=512, icount=True, extra=netcost.WIRE)
        finish_linux(t, m, ["net-cost"], boots.LIMIT)
        return netcost.parse("\n".join(output_of(m, "net-cost")), ("bare",))
    finally:
        t.close()


def measure():
    """{way: {row: instructions}}, in two boots."""
    t = boots.context("wire")
    try:
        return _bare() | netcost.measure(t, boots.LIMIT)
    finally:
        t.close()


def ratio(wire, way):
    return wire[way]["tcp_64k"] / wire["bare"]["tcp_64k"]


def lines(wire):
    """Rows of the table, as words: 64 KiB, and a byte."""
    ways = netcost.WAYS
    bare = wire["bare"]["tcp_64k"]
    return [["tcp_64k", f"{bare:,}"] + [f"{wire[way]['tcp_64k']:,} ({ratio(wire, way):.3f})" for way in ways],
            ["a byte", f"{bare / BYTES:.2f}"] + [f"{wire[way]['tcp_64k'] / BYTES:.2f}" for way in ways]]
