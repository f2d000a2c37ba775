# SPDX-License-Identifier: MIT
"""The mini guest with lwIP: TCP with the outside over an e1000, natively, virtualized, and across the transitions."""
from concurrent.futures import ThreadPoolExecutor

import images
import lwip
from bochs import Bochs
from guest import finish_mini
from qemu import Qemu
from registry import test


def image(line="", opts="", hypervisor="vellum"):
    return images.vellum(("lwip", line), opts=opts, hypervisor=hypervisor)


def check_services(t, ports, mode):
    """Echo by as many connections as there can be, more under way than the guest may send; page, and a page that is not there."""
    with ThreadPoolExecutor(4) as all_at_once:
        list(all_at_once.map(lambda _: lwip.echo(ports[lwip.ECHO], 200000), range(4)))
    status, text = lwip.page(ports[lwip.HTTP])
    t.equal(status, 200, "status of the page")
    t.check("<h1>lwIP on Vellum</h1>" in text and f"mode: {mode}" in text and "wrong: nothing" in text, f"the page: {text}")
    t.equal(lwip.page(ports[lwip.HTTP], "/other")[0], 404, "status of a page that is not there")


def end(t, m, ports, stream, rounds):
    """Have the guest end, and compare what it says with what was seen here."""
    t.equal(lwip.page(ports[lwip.HTTP], "/end")[0], 200, "status of the last page")
    t.equal(m.wait(60), m.good_ending, "how the run ended (exit-17: the guest's own verdict is bad)")
    words = lwip.last_words(m)
    t.equal((words["rounds"], words["in"], words["out"], words["wrong"]), (rounds, stream.sent, stream.got, "nothing"),
            "rounds, blocks of the stream, complaints of the guest")
    t.log("\n".join(line for line in m.console.lines() if line.startswith("lwip: home in")))
    t.log(f"longest stall of the stream {words['stall']} us, longest way {words['way']} us, {words['lost']} frames lost")
    return words


def run(t, m, ports, mode, blocks=3000, rounds=0, seconds=100, card="e1000"):
    """The whole visit: services, a stream, which goes on until the rounds are done."""
    m.expect(rf"^(# \d+: )?lwip: 10\.0\.2\.15 by {card}", seconds)
    ports = ports or lwip.qemu_ports(m)
    check_services(t, ports, mode)
    stream = lwip.Stream(ports[lwip.STREAM])
    if rounds:
        m.expect(rf"^rounds: {rounds}\b", seconds)
        stream.check()
        blocks += stream.got
    stream.wait(blocks, seconds)
    stream.finish()
    return end(t, m, ports, stream, rounds)


def qemu(t, line="", opts="", **kw):
    return Qemu(t, image(line, opts), icount=True, leaps=False, extra=lwip.qemu_network(), **kw)


@test("lwip-qemu", shows="I1 U6", needs="vellum lwip", limit=100)
def lwip_qemu(t):
    """In passthrough and with an address by DHCP it echoes, has a page, and exchanges a stream of blocks with checksums
    with a process of the host, over an e1000 that is its own."""
    run(t, qemu(t, "dhcp"), None, "passthrough")


@test("lwip-virtualized", shows="I1 I2 I3 U6", needs="vellum lwip", limit=140)
def lwip_virtualized(t):
    """The same virtualized from the first instruction."""
    run(t, qemu(t, opts="begin=virtualized"), None, "virtualized")


@test("lwip-rounds", shows="M1 M2 M9 I1 I2 I3 U6", needs="vellum lwip", limit=140)
def lwip_rounds(t):
    """The stream goes on across 10 rounds of virtualize and devirtualize: no byte is lost, doubled or changed, the connection is
    never reset."""
    run(t, qemu(t, "rounds=a stay=a"), None, "passthrough", rounds=10, seconds=120)


@test("lwip-rounds-io", shows="M1 M2 M9 I1 I2 I3 I8 U6", needs="vellum lwip", limit=140)
def lwip_rounds_io(t):
    """The same with the layer of I/O, so that the ticks and the console are models' half of the time."""
    run(t, qemu(t, "rounds=a stay=a io"), None, "passthrough", rounds=10, seconds=120)


@test("lwip-dual", shows="I7 I8 I10 U6", needs="vellum lwip", limit=140)
def lwip_dual(t):
    """In each of 10 rounds the card goes to Vellum, and the stack on with a virtio device of its own, and back: no byte is lost, doubled or
    changed, the connection is never reset, and stands still for 100 ms of the guest's time at most."""
    check_stall(t, run(t, qemu(t, "rounds=a stay=a io dual"), None, "passthrough", rounds=10, seconds=120))


@test("lwip-dual-bochs", shows="I7 I8 I10 U6", needs="vellum lwip", limit=400)
def lwip_dual_bochs(t):
    """The same in Bochs, but that each driver resets the card: Bochs's cannot be left on with an empty ring. What comes while nobody has it
    is lost, and sent again after 1 to 1.5 s, so the stream may stand still for that long."""
    m, ports = bochs(t, "rounds=a stay=a io dual=reset")
    words = run(t, m, ports, "passthrough", rounds=10, seconds=300)
    t.check(words["stall"] <= 1800000, f"longest stall {words['stall']} us, at most 1800000")


@test("soak-lwip-dual", group="soak", shows="I7 I8 I10 U6", needs="vellum lwip", limit=1200)
def soak_lwip_dual(t):
    """lwip-dual with 100 rounds."""
    check_stall(t, run(t, qemu(t, "rounds=64 stay=14 io dual"), None, "passthrough", rounds=100, seconds=1100))


@test("soak-lwip-rounds", group="soak", shows="M1 M2 M9 I1 I2 I3 I8 U6", needs="vellum lwip", limit=1200)
def soak_lwip_rounds(t):
    """100 rounds with the layer of I/O, and no stall of the stream of more than 100 ms of the guest's time."""
    check_stall(t, run(t, qemu(t, "rounds=64 stay=14 io"), None, "passthrough", rounds=100, seconds=1100))


def check_stall(t, words):
    t.check(words["stall"] <= 100000, f"longest stall {words['stall']} us, at most 100000")


def bochs(t, line="", opts=""):
    network, ports = lwip.bochs_network()
    return Bochs(t, image(line, opts), network=network), ports


@test("lwip-bochs", shows="I1 U6", needs="vellum lwip", limit=300)
def lwip_bochs(t):
    """lwip-qemu in Bochs, with its e1000."""
    m, ports = bochs(t, "dhcp")
    run(t, m, ports, "passthrough", seconds=240)


@test("lwip-rounds-bochs", shows="M1 M2 M9 I1 I2 I3 U6", needs="vellum lwip", limit=400)
def lwip_rounds_bochs(t):
    """lwip-rounds in Bochs."""
    m, ports = bochs(t, "rounds=a stay=a")
    run(t, m, ports, "passthrough", rounds=10, seconds=300)


def company(test_name="company_lwip", hypervisor="vellum"):
    """The mini guest with the other one as its initrd: the kernel of the guests that it makes."""
    return images.vellum(("mini", f"test={test_name}"), "lwip", hypervisor=hypervisor)


@test("lwip-guests", shows="U3 U6", needs="vellum-debug mini lwip", limit=200)
def lwip_guests(t):
    """Two later guests with lwIP on virtio devices exchange a stream by TCP through Vellum's switch: each block is right, and no
    frame is dropped. On a debug build."""
    finish_mini(t, Qemu(t, company(hypervisor="vellum-debug"), icount=True), 180)


@test("lwip-guests-bochs", shows="U3 U6", needs="vellum mini lwip", limit=300)
def lwip_guests_bochs(t):
    """The same in Bochs."""
    finish_mini(t, Bochs(t, company()), 280)


@test("lwip-heir", shows="M19 U6 I9", needs="vellum mini lwip", limit=200)
def lwip_heir(t):
    """A later guest with lwIP, which has served another one over its virtio device, inherits the machine: it comes home, finds the
    e1000 on the PCI bus, and the same stack with the same address serves the outside over it, in both modes and across 10 rounds of them."""
    m = Qemu(t, company("company_lwip_heir"), icount=True, leaps=False, extra=lwip.qemu_network())
    run(t, m, None, "passthrough", rounds=10, seconds=160)


@test("lwip-heir-bochs", shows="M19 U6 I9", needs="vellum mini lwip", limit=400)
def lwip_heir_bochs(t):
    """The same in Bochs."""
    network, ports = lwip.bochs_network()
    run(t, Bochs(t, company("company_lwip_heir"), network=network), ports, "passthrough", rounds=10, seconds=300)


@test("lwip-heir-stream", shows="M19 U6 I7 I9", needs="vellum mini lwip", limit=300)
def lwip_heir_stream(t):
    """A later guest with lwIP serves the outside by its virtio device and Vellum's e1000. While a stream goes on it inherits the machine,
    goes on with the e1000 itself, and through 10 rounds of both modes: the same connection, and no byte lost."""
    m = Qemu(t, company("company_lwip_outside"), icount=True, leaps=False, extra=lwip.qemu_network())
    run(t, m, None, "virtualized", rounds=10, seconds=260, card="virtio")
    t.check(any(line.startswith("lwip: 10.0.2.15 by e1000") for line in m.console.lines()), "it has the card")


@test("lwip-heir-stream-bochs", shows="M19 U6 I7 I9", needs="vellum mini lwip", limit=400)
def lwip_heir_stream_bochs(t):
    """The same in Bochs, whose card receives as soon as it is told to. (QEMU's does so a second later: it waits that long behind each
    write to the register that switches it on.) The stream stands still for 0.17 s, or 1.2 to 1.4 s if a frame to the guest comes while nobody has
    the card, in 1 of 10 runs, on a busy host more: then only that way stands still, until its sender's timer of 1 to 1.5 s."""
    network, ports = lwip.bochs_network()
    words = run(t, Bochs(t, company("company_lwip_outside"), network=network), ports, "virtualized", rounds=10, seconds=360, card="virtio")
    t.check(words["stall"] <= 1800000, f"longest stall {words['stall']} us, at most 1800000")
