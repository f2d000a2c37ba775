# SPDX-License-Identifier: MIT
"""What TCP costs Linux from one network card to another, on the bare machine, with Vellum below it, and as a later guest with two virtio
devices at Vellum's switch. Instructions, see tests/lib/netcost.py."""
import boots
import netcost

LIMIT = 1.5  # times the bare machine's: a later guest's
BYTES = 65536
HEAD = ["row", "bare", "passthrough", "forwarded", "later guest, at the switch"]


def measure():
    """{way: {row: instructions}}, in two boots."""
    bare = boots.in_context("wire-bare", boots.bare, "full", "initrd-guests-full", "net-cost", 512, netcost.WIRE)
    return netcost.parse(bare, ("bare",)) | boots.in_context("wire", netcost.measure, boots.LIMIT)


def ratio(wire, way):
    return wire[way]["tcp_64k"] / wire["bare"]["tcp_64k"]


def lines(wire):
    """Rows of the table, as words: 64 KiB, and a byte."""
    ways = netcost.WAYS
    bare = wire["bare"]["tcp_64k"]
    return [["tcp_64k", f"{bare:,}"] + [f"{wire[way]['tcp_64k']:,} ({ratio(wire, way):.3f})" for way in ways],
            ["a byte", f"{bare / BYTES:.2f}"] + [f"{wire[way]['tcp_64k'] / BYTES:.2f}" for way in ways]]
