# SPDX-License-Identifier: MIT
"""The mini guest: the same image in both emulators, its TAP checked line by line."""
import images
from bochs import Bochs
from guest import finish_mini
from qemu import CPU, Qemu
from registry import test


@test("mini-qemu", shows="U1 U3", needs="vellum mini", limit=90)
def mini_qemu(t):
    """The mini guest boots in passthrough by its ELF note in QEMU and all its tests pass."""
    m = Qemu(t, images.vellum("mini"), icount=True)
    finish_mini(t, m, 80)


@test("mini-qemu-uefi", shows="U1", needs="vellum mini", limit=90)
def mini_qemu_uefi(t):
    """The same on UEFI firmware, which does not start under -icount: QEMU's time is the host's, whose load costs ticks."""
    m = Qemu(t, images.vellum(("mini", "map=all hosttime"), opts="mem=all"), firmware="uefi", memory=512)
    finish_mini(t, m, 80)


@test("mini-bochs", shows="U1 U3", needs="vellum mini", limit=90)
def mini_bochs(t):
    """The same in Bochs, on a CPU model with other features and stricter checks."""
    m = Bochs(t, images.vellum("mini"))
    finish_mini(t, m, 80)


@test("mini-virtualized-qemu", shows="M1 M3 M5 M6 M9 I1 I2 I3 I4 I8", needs="vellum mini", limit=120)
def mini_virtualized_qemu(t):
    """Each test of the mini guest, run between a virtualize and a devirtualize: at ring 3, on shadow
    tables, it sees what it sees on the bare CPU. QEMU."""
    m = Qemu(t, images.vellum(("mini", "virtualized")), icount=True)
    finish_mini(t, m, 110)


@test("mini-virtualized-bochs", shows="M1 M3 M5 M6 M9 I1 I2 I3 I4 I8", needs="vellum mini", limit=240)
def mini_virtualized_bochs(t):
    """The same in Bochs."""
    m = Bochs(t, images.vellum(("mini", "virtualized")))
    finish_mini(t, m, 220)


@test("mini-begins-qemu", shows="M1 M3 M5 M6 I1 I2 I3 I8 U3", needs="vellum mini", limit=120)
def mini_begins_qemu(t):
    """The same with a mini guest that is virtualized from its first instruction, as later guests are, and stays so until
    a test devirtualizes it. QEMU."""
    m = Qemu(t, images.vellum(("mini", "virtualized"), opts="begin=virtualized"), icount=True)
    finish_mini(t, m, 110)


@test("mini-begins-bochs", shows="M1 M3 M5 M6 I1 I2 I3 I8 U3", needs="vellum mini", limit=240)
def mini_begins_bochs(t):
    """The same in Bochs."""
    m = Bochs(t, images.vellum(("mini", "virtualized"), opts="begin=virtualized"))
    finish_mini(t, m, 220)


@test("mini-begins-audited", shows="M5 M6", needs="vellum-debug mini", limit=150)
def mini_begins_audited(t):
    """The same on a debug build, whose audit looks at each entry of the shadow. QEMU."""
    m = Qemu(t, images.vellum(("mini", "virtualized audited"), opts="begin=virtualized", hypervisor="vellum-debug"), icount=True)
    finish_mini(t, m, 140)


# Tests that have more to do on a debug build, and those around them.
DEBUG_TESTS = "test=moved*,portions*,guests*,failpoints,layers*,image*,transition*,when_all_is_done*"


@test("mini-debug-qemu", shows="M1 M3 M4 M8 M9 I10", needs="vellum-debug mini", limit=120)
def mini_debug_qemu(t):
    """A debug build moves pages of the running kernel away and home, and lets each step of a transition
    fail: the kernel sees the same memory, ticks and registers as before, and no frame is lost. QEMU."""
    m = Qemu(t, images.vellum(("mini", DEBUG_TESTS), opts="vellum_mem=16M", hypervisor="vellum-debug"), icount=True)
    finish_mini(t, m, 110)


@test("mini-debug-bochs", shows="M1 M3 M4 M8 M9 I10", needs="vellum-debug mini", limit=120)
def mini_debug_bochs(t):
    """The same in Bochs."""
    m = Bochs(t, images.vellum(("mini", DEBUG_TESTS), opts="vellum_mem=16M", hypervisor="vellum-debug"))
    finish_mini(t, m, 110)


@test("mini-old-cpu", shows="U1 U3", needs="vellum mini", limit=60)
def mini_old_cpu(t):
    """The same on a CPU without execute-disable, without 1 GiB pages and without SSE4.2, whose CRC32
    instruction Vellum verifies its image with."""
    m = Qemu(t, images.vellum("mini"), cpu=CPU + ",nx=off,pdpe1gb=off,sse4.2=off", icount=True)
    finish_mini(t, m, 50)


@test("mini-huge", shows="M10 U1", needs="vellum mini", limit=60)
def mini_huge(t):
    """On a machine with 700 GiB Vellum needs more than one top-level slot for its direct map: hypercalls
    store them all, and leave none."""
    image = images.vellum(("mini", "map=all test=hypercall*,entry*"), opts="mem=all")
    backend = ["-object", "memory-backend-ram,id=ram,size=700G,reserve=off", "-machine", "memory-backend=ram"]
    m = Qemu(t, image, memory=700 * 1024, extra=backend)
    finish_mini(t, m, 50)


@test("mini-audited", shows="M5 M6", needs="vellum-debug mini", limit=150)
def mini_audited(t):
    """All tests of the mini guest, virtualized, on a debug build, whose audit looks at each entry of the shadow. QEMU."""
    m = Qemu(t, images.vellum(("mini", "virtualized audited"), hypervisor="vellum-debug"), icount=True)
    finish_mini(t, m, 140)


@test("paging-audited", shows="M5 M6", needs="vellum-debug mini", limit=150)
def paging_audited(t):
    """The same with the page-table entries by brute force of the exactness tests. QEMU."""
    image = images.vellum(("mini", "virtualized test=exact_paging"), hypervisor="vellum-debug")
    m = Qemu(t, image, cpu="max,la57=off,erms=off")
    finish_mini(t, m, 140)


SPOILED = {
    "spoiled_frame": r"is mapped to frame [0-9a-f]+, but the guest's tables lead to [0-9a-f]+",
    "spoiled_rights": r"is writable, but the guest's tables grant no write",
    "spoiled_users": r"is in the user's view, but it is the guest kernel's",
}


@test("shadow-audit", shows="M5 M6", needs="vellum-debug mini", limit=120)
def shadow_audit(t):
    """The audit of debug builds can fail: an entry of the shadow that leads to another frame, is writable, or shows
    users a page of their kernel is a panic that says so."""
    for name, sentence in SPOILED.items():
        m = Qemu(t, images.vellum(("mini", f"virtualized test={name}"), hypervisor="vellum-debug"), name=name)
        m.console.expect(rf"^vellum: panic: shadow audit: [0-9a-f]+ {sentence}", 35)
        m.console.expect("^vellum: halted: ", 10)
        m.stop()
