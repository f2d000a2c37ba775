# SPDX-License-Identifier: MIT
"""Remapping: a guest that looks at all of its memory is scattered over the machine and brought home."""
import images
from bochs import Bochs
from guest import finish_mini
from qemu import Qemu
from registry import test


def image(names, more=""):
    return images.vellum(("mini", f"test={names} {more}"), hypervisor="vellum-debug")


def check(t, m, seconds):
    finish_mini(t, m, seconds)
    for line in m.console.text.split("\n"):
        if line.startswith(("# cost", "# live")) or "allocations" in line:
            t.log(line)


@test("remap-mini-qemu", shows="M4 M10 M11 M12 M14 M15 M16 M17", needs="vellum-debug mini", limit=300)
def remap_mini_qemu(t):
    """Each mode and each kind of owners; stopped anywhere; each allocation fails; what cannot be is refused. The guest's words
    are right all the while, in a debug build, whose p2ms are audited. QEMU."""
    check(t, Qemu(t, image("remapped_ways,remapped_stops,remapped_failpoints,remapped_refused"), icount=True), 280)


@test("remap-mini-bochs", shows="M4 M11 M12 M14 M15 M16 M17", needs="vellum-debug mini", limit=400, slow=True)
def remap_mini_bochs(t):
    """The same in Bochs, but for the failpoints."""
    check(t, Bochs(t, image("remapped_ways,remapped_refused")), 380)


@test("remap-live-qemu", shows="M4 M11 M12 M13 M15 M16 M17", needs="vellum-debug mini", limit=300)
def remap_live_qemu(t):
    """The guest runs beside the first one while it is brought home, a few pages a call, and changes all of its memory meanwhile; the
    frames of all are frozen; it ends early, fails, is destroyed half-way. QEMU."""
    check(t, Qemu(t, image("remapped_live,remapped_live_ends"), icount=True), 280)


@test("remap-live-bochs", shows="M4 M11 M12 M13 M15 M16 M17", needs="vellum-debug mini", limit=400, slow=True)
def remap_live_bochs(t):
    """The same in Bochs, but for how it ends early, with two thirds of the pages: each call of a debug build looks at all of them."""
    check(t, Bochs(t, image("remapped_live", "pages=320")), 380)


@test("remap-live-ends-bochs", shows="M12 M13", needs="vellum-debug mini", limit=400, slow=True)
def remap_live_ends_bochs(t):
    """In Bochs: how it ends early, with half as many pages: each call of a debug build looks at all of them."""
    check(t, Bochs(t, image("remapped_live_ends", "pages=258")), 380)


@test("remap-cost", shows="M14 M15 M16 M17", needs="vellum-debug mini", limit=300)
def remap_cost(t):
    """Of 32 MiB, 0, 1, 10, 50 and 100 % are away: remapping takes time for what is away: at most 1.2 times the instructions of as
    many REP MOVSQ of a page, and next to none when nothing is away; and what exchanges and searches take. QEMU, counting instructions."""
    check(t, Qemu(t, image("remapped_cost", "pages=2000"), icount=True), 280)


@test("soak-remap-cost", group="soak", shows="M14 M15 M16 M17", needs="vellum-debug mini", limit=3600)
def soak_remap_cost(t):
    """The same of 256 MiB, and of 1 GiB."""
    check(t, Qemu(t, image("remapped_cost", "pages=10000"), memory=512, icount=True), 1200)
    check(t, Qemu(t, image("remapped_cost", "pages=40000"), memory=1536, icount=True, name="larger"), 2300)
