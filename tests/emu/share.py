# SPDX-License-Identifier: MIT
"""Page sharing: guests with equal pages, within each and between them, and what happens when one is written to."""
import images
from bochs import Bochs
from guest import finish_mini
from qemu import Qemu
from registry import test

TESTS = "share_merges,share_breaks,share_breaks_for_vellum,share_ends,share_refused,share_failpoint"


def image(names, hypervisor="vellum", opts=""):
    return images.vellum(("mini", f"test={names}"), hypervisor=hypervisor, opts=opts)


def check(t, m, seconds):
    finish_mini(t, m, seconds)
    for line in m.console.text.split("\n"):
        if line.startswith("# share"):
            t.log(line.strip())


@test("share-mini-qemu", shows="U8 M4 I4 I9", needs="vellum mini", limit=200)
def share_mini_qemu(t):
    """Pages of zeros and others are merged within two guests and between them; a store, a call's answer and an A bit are seen in
    one page alone; guests end while they share; `off` gives each page its own frame; counts are exact. QEMU."""
    check(t, Qemu(t, image(TESTS), icount=True), 180)


@test("share-mini-debug", shows="U8 M4 I4 I9 M13", needs="vellum-debug mini", limit=300)
def share_mini_debug(t):
    """The same with a Vellum that audits its shadow, its owners and its groups, and has no memory for the table once."""
    check(t, Qemu(t, image(TESTS, "vellum-debug"), icount=True), 280)


@test("share-mini-bochs", shows="U8 M4 I4 I9", needs="vellum-debug mini", limit=400, slow=True)
def share_mini_bochs(t):
    """The same in Bochs."""
    check(t, Bochs(t, image(TESTS, "vellum-debug")), 380)
