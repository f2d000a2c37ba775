# SPDX-License-Identifier: MIT
"""Guest Linux under a resident Vellum: the tool, the log, the foreign kernel, the two commands."""
import json
import os
import re
import subprocess

import images
import pace
from bochs import Bochs, boot_smp
from guest import CONSOLE, finish_linux, linux_image, output_of, run_linux
from machine import plain
from qemu import Qemu
from registry import TOP, test

# GRUB to guest entry, beside the bytes that are copied and checksummed (issue: 30 M).
ENTRY_BUDGET = 30_000_000


def check_vl(t, m):
    """Output of the vl-smoke test in the guest."""
    lines = output_of(m, "vl-smoke")
    text = "\n".join(lines)
    t.check(re.search(r"^\s*mode:\s+passthrough$", text, re.MULTILINE), "vl info says mode: passthrough")
    for verb in ("info", "list", "dmesg"):
        found = re.search(rf"^json-{verb}: (.*?)(?=^json-|^sysfs:|^\S*vl )", text + "\nsysfs:",
                          re.MULTILINE | re.DOTALL)
        t.check(found, f"vl {verb} --json prints something")
        body = found[1].strip()
        try:
            value = json.JSONDecoder().raw_decode(body)[0]
        except ValueError as trouble:
            t.check(False, f"vl {verb} --json is JSON: {trouble}: {body[:200]!r}")
        t.check(value, f"vl {verb} --json is not empty")
    t.check(re.search(r"^domid: 0$", text, re.MULTILINE), "vl domname 0 and vl domid lead to each other")
    t.check(re.search(r"^renamed: renamed$", text, re.MULTILINE), "vl rename gives the domain another name")
    up = re.search(r"^\S+ +0  0:(\d\d):(\d\d)$", text, re.MULTILINE)
    t.check(up and int(up[1]) < 5, f"vl uptime says {up and up[0]!r}")
    t.check(re.search(r"^\S+ +0 +0 +0 +r-- +\d+\.\d$", text, re.MULTILINE), "vl vcpu-list has the first vcpu on CPU 0")
    t.check(re.search(r"^top: \S+ +0 r----- passthrough +\d+ +\d", text, re.MULTILINE), "vl top --batch lists the domain")
    t.check("top: drawn" in text, "vl top draws on the console")
    for line, what in ((1, "already"), (2, "position-independent|lacks Vellum's note"), (3, "MiB are missing")):
        t.check(re.search(rf"^/tmp/bad.cfg:{line}:\d+: error: .*(?:{what})", text, re.MULTILINE),
                f"vl check finds what is wrong in line {line}")
    t.check("Vellum " in text, "vl dmesg shows Vellum's banner")
    t.check(re.search(r"^sysfs: vellum passthrough$", text, re.MULTILINE), "/sys/hypervisor says vellum, passthrough")


@test("linux-vmlinux", shows="U3", needs="vellum min-vmlinux initrd-small", limit=120)
def linux_vmlinux(t):
    """Vellum starts our kernel as the ELF file that it is, by its note."""
    m = Qemu(t, linux_image(["mem"], "min-vmlinux", initrd="initrd-small"), memory=256, icount=True)
    finish_linux(t, m, ["mem"], 110)


@test("linux-min", shows="U1 U2 U3", needs="vellum min initrd-test", limit=120)
def linux_min(t):
    """The small Linux boots in passthrough under Vellum in QEMU; vl info, list and dmesg answer."""
    check_vl(t, run_linux(t, ["vl-smoke"]))


@test("linux-min-uefi", shows="U1", needs="vellum min initrd-test", limit=120)
def linux_min_uefi(t):
    """The small Linux boots in passthrough on UEFI firmware (OVMF, GRUB x86_64-efi)."""
    check_vl(t, run_linux(t, ["vl-smoke"], firmware="uefi", memory=512))


@test("linux-full", shows="U1 U2", needs="vellum full initrd-test", limit=180, slow=True)
def linux_full(t):
    """The distribution-like kernel boots with its default command line (SMP, KASLR, mitigations on)."""
    check_vl(t, run_linux(t, ["vl-smoke"], kernel="full", memory=512, seconds=150))


@test("linux-full-smp", shows="U1", needs="vellum full initrd-test", limit=240)
def linux_full_smp(t):
    """The distribution-like kernel brings up both CPUs of a two-CPU machine when it gets all RAM (mem=all)."""
    m = run_linux(t, ["vl-smoke"], kernel="full", memory=512, smp=2, opts="mem=all", seconds=200)
    t.check(re.search(r"Brought up 1 node, 2 CPUs", plain(m.console.text)), "both CPUs are up")


@test("linux-full-one-cpu", shows="U1 M10", needs="vellum full initrd-test", limit=240)
def linux_full_one_cpu(t):
    """Without low RAM (mem=contiguous) the patched kernel runs a two-CPU machine on one CPU and is well."""
    m = run_linux(t, ["vl-smoke"], kernel="full", memory=512, smp=2, opts="mem=contiguous", seconds=200)
    t.check(not re.search(r"Brought up 1 node, 2 CPUs", plain(m.console.text)), "the second CPU stays off")


@test("linux-reset", shows="U1", needs="vellum min", limit=90)
def linux_reset(t):
    """A guest that panics resets the machine itself (panic=-1): Vellum is not in the way."""
    m = Qemu(t, images.vellum(("min", f"{CONSOLE} panic=-1")))
    t.equal(m.wait(80, panic_is_wanted=True), "reset", "how the machine ended")
    t.check("Kernel panic - not syncing" in m.console.text, "the guest's own panic is on its console")


@test("linux-bochs", shows="U1 U2", needs="vellum min initrd-test", limit=150, slow=True)
def linux_bochs(t):
    """The small Linux boots under Vellum in Bochs and vl info says passthrough."""
    m = Bochs(t, linux_image(["vl-smoke"]))
    finish_linux(t, m, ["vl-smoke"], 140)
    check_vl(t, m)


@test("linux-bochs-smp", shows="U1", needs="vellum full initrd-test", limit=400, slow=True)
def linux_bochs_smp(t):
    """The distribution-like kernel brings up both CPUs of a two-CPU machine in Bochs (mem=all)."""
    def run(m):
        finish_linux(t, m, ["vl-smoke"], 180)
        return m

    m = boot_smp(t, linux_image(["vl-smoke"], kernel="full", opts="mem=all"), run, memory=512, limit=185)
    t.check(re.search(r"Brought up 1 node, 2 CPUs", plain(m.console.text)), "both CPUs are up")
    check_vl(t, m)


@test("entry-budget", shows="U1", needs="vellum min initrd-test", limit=120)
def entry_budget(t):
    """From GRUB's jump to the guest's first instruction Vellum takes at most 30 M instructions plus copying."""
    m = run_linux(t, ["vl-smoke"], icount=True)
    text = plain(m.console.text)
    entry = int(re.search(r"^vellum: entry tsc (\d+)$", text, re.MULTILINE)[1])
    leave = re.search(r"^vellum: guest entry tsc (\d+), (\d+) bytes copied, (\d+) bytes checked$", text, re.MULTILINE)
    spent, copied, checked = int(leave[1]) - entry, int(leave[2]), int(leave[3])
    t.log(f"{spent} instructions from entry to guest entry; {copied} bytes copied, {checked} checked")
    # Copying with rep movsb is one counted instruction a byte at most in QEMU.
    t.check(0 < spent <= ENTRY_BUDGET + copied,
            f"{spent} instructions with {copied} bytes copied; the budget is {ENTRY_BUDGET} + copying")


def make(t, *words, seconds):
    """Run make without a terminal; returns its output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    with open(os.path.join(t.dir, "make.log"), "w", encoding="utf-8") as log:
        done = subprocess.run(["make", *words], cwd=TOP, check=False, stdin=subprocess.DEVNULL,
                              stdout=log, stderr=subprocess.STDOUT, timeout=seconds * pace.SLOWEST, env=env)
    with open(os.path.join(t.dir, "make.log"), encoding="utf-8", errors="replace") as log:
        text = log.read()
    t.check(done.returncode == 0, f"make {' '.join(words)} exits 0, not {done.returncode}: {text[-500:]!r}")
    return text


@test("make-iso", shows="U1", needs="vellum min initrd-test", limit=150)
def make_iso(t):
    """`make iso` turns anybody's kernel, initrd and command line into an image that boots under Vellum."""
    image = os.path.join(t.dir, "out.iso")
    make(t, "iso", "KERNEL=build/linux/min/bzImage", "INITRD=build/initrd/test.cpio.gz",
         f"CMDLINE={CONSOLE} odd=a,b;c$e&f vltest=mem,vl-smoke", f"OUT={image}", seconds=60)
    m = Qemu(t, image)
    finish_linux(t, m, ["mem", "vl-smoke"], 80)
    text = plain(m.console.text)
    t.check("options: mem=all" in text, "the image passes mem=all to Vellum")
    t.check("odd=a,b;c$e&f vltest=mem,vl-smoke" in text, "the command line arrives as it was given")
    check_vl(t, m)


@test("iso-as-disk", shows="U1", needs="vellum min initrd-test", limit=120)
def iso_as_disk(t):
    """The same image boots when it was copied to a disk, as on a USB stick."""
    image = linux_image(["vl-smoke"])
    m = Qemu(t, None, extra=["-drive", f"if=ide,format=raw,snapshot=on,file={image}", "-boot", "c"])
    finish_linux(t, m, ["vl-smoke"], 100)
