# SPDX-License-Identifier: MIT
"""Guest Linux across the transitions: virtualized and back, under load."""
from bochs import Bochs
from guest import check_cycles, check_probe, finish_linux, linux_image, run_linux
from registry import test


@test("linux-switch-min", shows="M1 M2 M3 M5 M6 M9 I1 I2 I3 I8", needs="vellum min initrd-test", limit=240)
def linux_switch_min(t):
    """The small Linux is virtualized and devirtualized 50 times while processes fork, pipe, sleep and
    checksum: nothing is lost, and the kernel complains of nothing."""
    check_cycles(t, run_linux(t, ["switch-load"], cmdline="cycles=50", memory=256, icount=True, seconds=200), 50)


@test("linux-switch-full", shows="M1 M2 M9 I1 I2 I3", needs="vellum full initrd-test", limit=300, slow=True)
def linux_switch_full(t):
    """The same 20 times on the distribution-like kernel with its default command line: KASLR, SMP=y,
    mitigations, IA32, LDT, ftrace, kprobes, modules."""
    m = run_linux(t, ["switch-load"], kernel="full", cmdline="cycles=20", memory=512, icount=True, seconds=280)
    check_cycles(t, m, 20)


@test("linux-machine-checks", shows="I1 I2 M2", needs="vellum full initrd-test", limit=240)
def linux_machine_checks(t):
    """Linux looks for machine checks while virtualized (each second here, each five minutes by itself) and is well."""
    run_linux(t, ["machine-checks"], kernel="full", memory=512, icount=True, seconds=220)


@test("linux-switch-bochs", shows="M1 M2 M9 I1 I2 I3", needs="vellum min initrd-test", limit=240, slow=True)
def linux_switch_bochs(t):
    """One boot and toggle under the same load with the small kernel in Bochs. PCIDs, which this version
    refuses, are off on the kernel's command line."""
    m = Bochs(t, linux_image(["switch-load"], cmdline="cycles=1 nopcid"))
    finish_linux(t, m, ["switch-load"], 220)
    check_cycles(t, m, 1)


@test("probe-min", shows="I1 I2 I3 M5 M9", needs="vellum min initrd-test", limit=240)
def probe_min(t):
    """What a user process can see of the CPU (47 subjects: selectors, every kind of fault, flags,
    signal frames, stepping, 16- and 32-bit code) is the same natively, virtualized and devirtualized."""
    check_probe(t, run_linux(t, ["probe-switch"], memory=512, icount=True, seconds=220))


@test("probe-full", shows="I1 I2 I3 M5 M9", needs="vellum full initrd-test", limit=500, slow=True)
def probe_full(t):
    """The same on the distribution-like kernel, on a CPU with SMAP, with its default command line."""
    check_probe(t, run_linux(t, ["probe-switch"], kernel="full", memory=512, cpu="max,la57=off", icount=True,
                             seconds=480))


@test("probe-bochs", shows="I1 I2 I3 M5 M9", needs="vellum min initrd-test", limit=2400, group="soak")
def probe_bochs(t):
    """The same in Bochs, which checks more strictly what a processor checks."""
    m = Bochs(t, linux_image(["probe-switch"], cmdline="nopcid"))
    finish_linux(t, m, ["probe-switch"], 2300)
    check_probe(t, m)


@test("linux-audited", shows="M5 M6", needs="vellum-debug min initrd-test", limit=240)
def linux_audited(t):
    """Linux switches under load on a debug build, whose audit looks at each entry of the shadow."""
    m = run_linux(t, ["switch-load"], cmdline="cycles=10", memory=256, hypervisor="vellum-debug", icount=True, seconds=220)
    check_cycles(t, m, 10)
