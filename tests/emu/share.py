# SPDX-License-Identifier: MIT
"""Page sharing: guests with equal pages, within each and between them, and what happens when one is written to."""
import images
from bochs import Bochs
from guest import finish_linux, finish_mini, linux_image, output_of
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


@test("share-linux", shows="U8 M4 M18", needs="vellum min initrd-guests", limit=500, slow=True)
def share_linux(t):
    """Two Linux guests run a load that checks its memory while their equal pages are merged; one is destroyed, the other goes on, also when
    nothing is shared any more, and the machine goes back to passthrough with all of its memory."""
    m = Qemu(t, linux_image(["guests-two-linux"], initrd="initrd-guests", cmdline="share=1"), memory=512, icount=True)
    finish_linux(t, m, ["guests-two-linux"], 480)
    lines = output_of(m, "guests-two-linux")
    t.log("; ".join(line for line in lines if line.startswith(("shared now", "since boot", "longest pause"))))
    t.check("ok: two Linux guests" in lines, f"the guest's verdict: {lines[-3:]}")
