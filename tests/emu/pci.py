# SPDX-License-Identifier: MIT
"""PCI functions that Vellum takes from the first guest, and what it does with them."""
import images
from bochs import Bochs
from guest import finish_linux, finish_mini, linux_image, output_of
from qemu import Qemu
from registry import test

CARD = ["-netdev", "user,id=net,restrict=on", "-device", "e1000,netdev=net"]


def taken(t, hypervisor, tests="pci*"):
    m = Qemu(t, images.vellum(("mini", f"map=all test={tests}"), hypervisor=hypervisor), icount=True, extra=CARD)
    finish_mini(t, m, 80)
    t.check("pci_taken # SKIP" not in m.console.text, "there is no card")


@test("pci-taken", shows="I8 I10", needs="vellum mini", limit=90)
def pci_taken(t):
    """The mini guest gives its network card to Vellum and gets it back, again and again: meanwhile configuration space,
    ports and registers read as ones and take no writes, other functions are there, and there is no devirtualize."""
    taken(t, "vellum")


@test("pci-taken-debug", shows="I8", needs="vellum-debug mini", limit=90)
def pci_taken_debug(t):
    """The same on a debug build, which looks at locks and the shadow."""
    taken(t, "vellum-debug")


@test("uplink-mini", shows="I7 U3", needs="vellum-debug mini", limit=200)
def uplink_mini(t):
    """A network card is Vellum's, and the uplink of another guest: that one asks QEMU's gateway for its address and pings it with
    frames of all sizes by its virtio device; then the card is the first guest's again. Debug build."""
    tests = "company_uplink_calls,company_uplink_ping"
    image = images.vellum(("mini", f"map=all test={tests}"), "mini", hypervisor="vellum-debug")
    m = Qemu(t, image, icount=True, extra=CARD)
    finish_mini(t, m, 180)
    t.check("# SKIP" not in m.console.text, "there is no card")
    t.log(next(line for line in m.console.text.splitlines() if "pinged" in line))


def uplink(t, seconds, **kw):
    net = "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:/bin/cat"
    m = Qemu(t, linux_image(["guests-uplink"], initrd="initrd-guests"), memory=512,
             extra=["-netdev", net, "-device", "e1000,netdev=net"], **kw)
    finish_linux(t, m, ["guests-uplink"], seconds)
    lines = output_of(m, "guests-uplink")
    t.log("\n".join(line for line in lines if line.startswith("uplink: ")))
    t.equal(lines[-1], "ok: out and back", "the guest's verdict")


@test("uplink-linux", shows="I7 I8 I10 U2 U3", needs="vellum min initrd-guests", limit=400)
def uplink_linux(t):
    """`vl pci-take` makes the e1000 of the first Linux the uplink of a later one, which pings the outside and sends it a TCP
    stream that comes back, by its virtio_net; the first one finds no card meanwhile, and after `vl pci-return` its own driver
    does the same again, virtualized and in passthrough."""
    uplink(t, 380, icount=True)


@test("uplink-linux-smp", shows="I7 U7", needs="vellum min initrd-guests", limit=400, slow=True)
def uplink_linux_smp(t):
    """The same on two CPUs, on either of which the later guest may be."""
    uplink(t, 380, smp=2)
