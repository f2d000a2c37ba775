# SPDX-License-Identifier: MIT
"""Programs that others wrote to test a kernel (its own selftests, stress-ng) must not be able to tell
the modes apart: per program the same result natively, in passthrough, virtualized and after 100 switches.

Time is counted in instructions (icount) and leaps to the next timer while the guest waits, so no result depends on what else
this machine does: with the host's time instead, `rtcpie` failed natively on a busy host. What leaps past is a disk, which answers
in the host's time, and which Linux gives up after 30 s ("lost interrupt (Status 0x58)": still busy). So the programs are
copied to memory before they run. The CPU has no SMAP, because QEMU 7.2 executes far returns of users with the kernel's
rights to its stack: with SMAP two programs die natively (sysret_ss_attrs_64, test_syscall_vdso_32).
"""
import re
from concurrent.futures import ThreadPoolExecutor

from guest import CONSOLE, finish_linux, linux_image
from machine import plain
from qemu import Qemu
from registry import path, test

UNDER_VELLUM = ("passthrough", "virtualized", "after")


def machine(t, boot, name, limit, smp=1):
    """Boot with the disk of tests: boot is an image, or None and the native kernel's command line. Time is the host's on
    several CPUs: Linux does not bring up a second one where instructions are counted."""
    image, native = boot
    extra = ["-rtc", "clock=vm", "-drive", f"if=ide,format=raw,snapshot=on,file={path('thirdparty')}"]
    if native:
        extra += ["-kernel", path("full"), "-initrd", path("initrd-test"), "-append", native]
    m = Qemu(t, image, memory=1088, icount=smp == 1, smp=smp, extra=extra, limit=limit, name=name)
    finish_linux(t, m, ["thirdparty"], limit)
    return m


def results(t, m, phase):
    """{name: what was printed about it} of one phase, which must have come to its end."""
    text = plain(m.console.text)
    t.check(re.search(rf"^tp-end {phase}$", text, re.MULTILINE), f"the {phase} tests ran to their end")
    found = dict(re.findall(rf"^tp {phase} (\S+) (.*)$", text, re.MULTILINE))
    t.log(f"{phase}: {len(found)} programs,", ", ".join(
        f"{sum(v.startswith(word) for v in found.values())} {word}" for word in ("pass", "skip", "fail", "timeout")))
    return found


def compare(t, native, other, phase):
    t.equal(sorted(other), sorted(native), f"programs that ran, {phase}")
    different = [f"{name}: {other[name]}, natively {native[name]}" for name in native if other[name] != native[name]]
    t.check(not different, f"{phase}, {len(different)} of {len(native)} differ:\n" + "\n".join(different))


def run_native(t, chosen, limit, name="native", smp=1):
    m = machine(t, (None, f"{CONSOLE} vltest=thirdparty phases=native set={chosen}"), name, limit, smp)
    return results(t, m, "native")


def run_vellum(t, chosen, phases, limit, name="vellum", smp=1):
    line = f"phases={','.join(phases)} set={chosen}"
    m = machine(t, (linux_image(["thirdparty"], kernel="full", cmdline=line), None), name, limit, smp)
    return {phase: results(t, m, phase) for phase in phases}


@test("thirdparty-quick", shows="I1 I2 I3 M5 M9", needs="vellum full initrd-test thirdparty", limit=900, slow=True)
def quick(t):
    """The kernel's selftests for x86, signals, ptrace, futexes and timers and some of stress-ng give the same
    result per test natively, in passthrough, virtualized and after 100 switches, on the distribution-like kernel."""
    native = run_native(t, "quick", 300)
    t.check(len(native) >= 75, f"{len(native)} programs ran natively")
    for phase, found in run_vellum(t, "quick", UNDER_VELLUM, 580).items():
        compare(t, native, found, phase)


@test("soak-thirdparty", group="soak", shows="I1 I2 I3 M5 M9", needs="vellum full initrd-test thirdparty", limit=20000)
def whole(t):
    """All of these programs (selftests of x86, mm, timers, futex, ptrace, signal, seccomp and more, and the stressors),
    each mode on a machine of its own, because what they leave behind (fragmented memory) is seen by the next; two
    machines at a time, longest first."""
    with ThreadPoolExecutor(2) as two:
        runs = {phase: two.submit(run_vellum, t, "all", [phase], 9000, phase) for phase in reversed(UNDER_VELLUM)}
        native = two.submit(run_native, t, "all", 9000).result()
        found = {phase: run.result()[phase] for phase, run in runs.items()}
    t.check(len(native) >= 300, f"{len(native)} programs ran natively")
    for phase in UNDER_VELLUM:
        compare(t, native, found[phase], phase)


# Programs whose result on several CPUs is not always the same on the bare machine, and why. Others that are found are listed as such.
UNSTEADY = {
    "timers/rtcpie": "measures how late the clock's interrupts are, in the host's time",
}
NATIVE_RUNS, MORE_NATIVE_RUNS = 2, 5


def natively(t, chosen, limit, smp, runs, seen):
    """Add what so many native runs give to seen, {program: its results}."""
    for _ in range(runs):
        number = max(map(len, seen.values()), default=0)
        for name, result in run_native(t, chosen, limit, f"native-{number}", smp).items():
            seen.setdefault(name, []).append(result)


def strangers(seen, found):
    return [name for name in found if found[name] not in seen[name]]


def compare_unsteady(t, chosen, limit, smp, phase, seen):
    """Each result in this phase is one that the program has on the bare machine, where it is looked for more often then."""
    found = run_vellum(t, chosen, [phase], limit, phase, smp)[phase]
    t.equal(sorted(found), sorted(seen), f"programs that ran, {phase}")
    for _ in range(MORE_NATIVE_RUNS):
        left = strangers(seen, found)
        if not left:
            break
        natively(t, f"{chosen.split()[0]} only={','.join(left)}", limit, smp, 1, seen)
    left = [f"{name}: {found[name]}, natively {seen[name]}" for name in strangers(seen, found)]
    t.check(not left, f"{phase}, {len(left)} of {len(found)} differ:\n" + "\n".join(left))


def on_several(t, chosen, limit, smp):
    seen = {}
    natively(t, chosen, limit, smp, NATIVE_RUNS, seen)
    for phase in UNDER_VELLUM:
        compare_unsteady(t, chosen, limit, smp, phase, seen)
    for name, found in sorted(seen.items()):
        if len(set(found)) > 1:
            t.log(f"unsteady on the bare machine: {name}: {found}: {UNSTEADY.get(name, 'nobody has looked why')}")
    return seen


@test("soak-thirdparty-2", group="soak", shows="U7 I1 I2 I3 M5 M9", needs="vellum full initrd-test thirdparty", limit=60000)
def whole_2(t):
    """The same programs on two CPUs that run at a time give a result that each has on the bare machine with two, where they run twice,
    and those that are not always the same there are listed."""
    t.check(len(on_several(t, "all", 9000, 2)) >= 300, "so many programs ran")


@test("soak-thirdparty-few-2", group="soak", shows="U7 I1 I2 I3 M5 M9", needs="vellum full initrd-test thirdparty", limit=2000)
def few_2(t):
    """The same of a few that take little time."""
    t.equal(len(on_several(t, f"all only={','.join(FEW)}", 380, 2)), len(FEW), "programs that ran")


FEW = ["x86/ioperm_64", "x86/sigreturn_64", "x86/syscall_nt_64", "x86/fsgsbase_64", "x86/ptrace_syscall_64", "stress/context", "stress/cpu"]
