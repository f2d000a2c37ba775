# SPDX-License-Identifier: MIT
"""The first Linux gives Vellum its devices and goes on using them through Vellum, round after round."""
import re

import lwip
import parts
from guest import finish_linux, linux_image, output_of
from qemu import Qemu
from registry import test

# Free lines of the machine's, one for each window.
WINDOWS = "virtio_mmio.device=4K@0xfef00000:7 virtio_mmio.device=4K@0xfef01000:6"
PARTITIONS = {1: (63, 1000), 2: (2048, 32768), 3: (34816, 8192)}  # the second is used
CARD = ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:{lwip.STREAM}", "-device", "e1000,netdev=net"]


def dual(t, rounds, seconds, net=False, disk=False, lend=False, **kw):
    """So many rounds with the card (lend: which stays on), the disk, or both; both sides' verdicts."""
    extra, words = CARD * net, f"rounds={rounds}" + " net=1" * net + " disk=1" * disk + " e1000.lend=1" * lend
    if disk:
        name = parts.make(t, PARTITIONS)
        for number in (2, 3):
            parts.make_file_system(t, name, PARTITIONS[number])
        extra = extra + ["-drive", f"if=ide,index=1,format=raw,file={name}"]
    m = Qemu(t, linux_image(["guests-dual"], kernel="full", cmdline=f"{WINDOWS} {words}", initrd="initrd-dual"),
             memory=512, extra=extra, **kw)
    m.expect(r"^dual: ready", seconds)
    stream = lwip.Stream(lwip.qemu_ports(m)[lwip.STREAM]) if net else None
    m.expect(r"^dual: rounds done", seconds)
    if net:
        stream.finish()
    finish_linux(t, m, ["guests-dual"], seconds)
    lines = output_of(m, "guests-dual")
    t.log("\n".join(line for line in lines if line.startswith("dual: round ")))
    t.equal(lines[-1], f"ok: {rounds} rounds", "the guest's verdict")
    if net:
        check_stream(t, "\n".join(lines), stream, rounds, 100 if lend and kw.get("icount") else 5000)
    if disk:
        turns = int(re.search(r"^disk: (\d+) turns", "\n".join(lines), re.M).group(1))
        t.check(turns > 4 * rounds, f"{turns} files were written and read again")
        for number in (2, 3):
            parts.check_file_system(t, name, PARTITIONS[number])


def check_stream(t, text, stream, rounds, most):
    got, sent, stall = map(int, re.search(r"^stream: (\d+) blocks in, (\d+) out, stall (\d+) us", text, re.M).groups())
    t.equal((got, sent), (stream.sent, stream.got), "blocks there and back")
    t.check(got > 100 * rounds and sent > 100 * rounds, f"{got} blocks there, {sent} back")
    t.log(f"{got} blocks there, {sent} back, longest stall {stall / 1000:.1f} ms")
    t.check(stall <= most * 1000, f"the stream stands still for {most} ms at most (docs/io.md)")


@test("dual-network", shows="I7 I8 I10 U2", needs="vellum full initrd-dual", limit=600)
def dual_network(t):
    """The first Linux, with its e1000 in a bond, is virtualized, gives the card to Vellum by `vl-io take`, goes on with a virtio_net of its own
    through Vellum's switch, has the card back and is in passthrough again: 3 rounds. A TCP stream with the outside, both ways, loses,
    doubles or changes no byte, and is never reset. What refuses keeps its mode and says why, and a step that fails has those before it undone."""
    dual(t, 3, 580, net=True, icount=True, leaps=False)


@test("dual-network-lent", shows="I7 I8 I10 U2", needs="vellum full initrd-dual", limit=600)
def dual_network_lent(t):
    """The same with a card that stays on (e1000.lend=1), 10 rounds: the stream never stands still for more than 100 ms of the guest's time."""
    dual(t, 10, 580, net=True, lend=True, icount=True, leaps=False)


@test("dual-network-lent-smp", shows="I7 I8 I10 U7", needs="vellum full initrd-dual", limit=600)
def dual_network_lent_smp(t):
    """The same of a Linux with two CPUs, 5 rounds. Its time is the host's, so how long the stream stands still is told, not judged."""
    dual(t, 5, 580, net=True, lend=True, smp=2)


@test("dual-disk", shows="I7 I8 I10 U2", needs="vellum full initrd-dual", limit=600)
def dual_disk(t):
    """The same with its IDE controller, a partition of whose disk is a file system's by a map of the device mapper: `vl-io take` puts
    the map on a virtio disk of Vellum's, `vl-io return` puts it back, 5 rounds. Files are written and read again all the while; none is
    wrong, and fsck finds nothing in the end. What refuses keeps its mode and says why."""
    dual(t, 5, 580, disk=True, icount=True)


@test("soak-dual-network", shows="I7 I8 I10 U2", needs="vellum full initrd-dual", limit=3600, group="soak")
def soak_dual_network(t):
    """100 rounds with a card that stays on: the stream never stands still for more than 100 ms."""
    dual(t, 100, 3500, net=True, lend=True, icount=True, leaps=False)


@test("soak-dual-rounds", shows="I7 I8 I10 U2", needs="vellum full initrd-dual", limit=7200, group="soak")
def soak_dual_rounds(t):
    """100 rounds with card and disk; the card stays on, and the stream never stands still for more than 100 ms."""
    dual(t, 100, 7000, net=True, disk=True, lend=True, icount=True, leaps=False)
