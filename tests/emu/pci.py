# SPDX-License-Identifier: MIT
"""PCI functions that Vellum takes from the first guest, and what it does with them."""
import images
from bochs import Bochs
from guest import finish_mini
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
