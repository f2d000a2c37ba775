# SPDX-License-Identifier: MIT
"""The first Linux gives Vellum its devices and goes on using them through Vellum, round after round."""
import re

import lwip
from guest import finish_linux, linux_image, output_of
from qemu import Qemu
from registry import test

# Free lines of the machine's, one for each window.
WINDOWS = "virtio_mmio.device=4K@0xfef00000:7 virtio_mmio.device=4K@0xfef01000:6"


def dual_network(t, rounds, seconds, **kw):
    net = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:{lwip.STREAM}"
    m = Qemu(t, linux_image(["guests-dual"], kernel="full", cmdline=f"{WINDOWS} rounds={rounds}", initrd="initrd-dual"),
             memory=512, extra=["-netdev", net, "-device", "e1000,netdev=net"], **kw)
    m.expect(r"^dual: ready", seconds)
    stream = lwip.Stream(lwip.qemu_ports(m)[lwip.STREAM])
    m.expect(r"^dual: rounds done", seconds)
    stream.finish()
    finish_linux(t, m, ["guests-dual"], seconds)
    lines = output_of(m, "guests-dual")
    t.equal(lines[-1], f"ok: {rounds} rounds", "the guest's verdict")
    got, sent, stall = map(int, re.search(r"^stream: (\d+) blocks in, (\d+) out, stall (\d+) us", "\n".join(lines), re.M).groups())
    t.equal((got, sent), (stream.sent, stream.got), "blocks there and back")
    t.check(got > 100 * rounds and sent > 100 * rounds, f"{got} blocks there, {sent} back")
    t.log(f"{got} blocks there, {sent} back, longest stall {stall / 1000:.1f} ms")
    t.check(stall <= 5000000, "the stream stands still for 5 s at most (docs/io.md)")


@test("dual-network", shows="I7 I8 I10 U2", needs="vellum full initrd-dual", limit=600)
def dual(t):
    """The first Linux, with its e1000 in a bond, is virtualized, gives the card to Vellum by `vl-io take`, goes on with a virtio_net of its own
    through Vellum's switch, has the card back and is in passthrough again: 3 rounds. A TCP stream with the outside, both ways, loses,
    doubles or changes no byte, and is never reset. What refuses keeps its mode and says why."""
    dual_network(t, 3, 580, icount=True, leaps=False)
