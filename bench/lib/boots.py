# SPDX-License-Identifier: MIT
"""The columns of the table: what is booted for each, and what it printed.

A set is a pair of kernels with their mitigations: ours, bare and on Vellum, and Debian's, bare and on
Xen. A clock is how the emulator tells time: icount (a nanosecond is an instruction) or wall.
"""
import os
import re
from dataclasses import dataclass

import images
import registry
from guest import CONSOLE, finish_linux, output_of, text_copy, vellum_range
from machine import plain
from qemu import Qemu
from registry import BUILD, Failure, path

COLUMNS = ("passthrough", "native", "virtualized", "devirtualized", "xen-native", "xen")
VELLUM_COLUMNS = ("passthrough", "virtualized", "devirtualized")
XEN = os.path.join(BUILD, "bench", "debian", "xen.gz")
DEBIAN_KERNEL = os.path.join(BUILD, "bench", "debian", "vmlinuz")
INITRD = os.path.join(BUILD, "bench", "initrd.cpio.gz")
MEMORY = 512  # MiB of the machine
LIMIT = 900  # seconds until a boot counts as failed

# Nothing that differs from boot to boot is wanted in the counts: no address randomization.
COMMON_LINE = "nokaslr norandmaps quiet"


@dataclass(frozen=True)
class Set:
    """One pair of kernels; `line` is for both of them, `xen` for the hypervisor."""
    name: str
    kernel: str
    line: str
    xen: str
    what: str


SETS = {
    "min": Set("min", "min", "mitigations=off", "spec-ctrl=no xpti=no pv-l1tf=no",
               "Vellum's small kernel (as in the study), no mitigations anywhere"),
    "full": Set("full", "full", "", "",
                "Vellum's distribution-like kernel; kernels and Xen with the mitigations that they choose themselves"),
}


class _Boot(registry.Test):
    """What tests/lib wants to know of a test, for one boot of ours."""

    def __init__(self, name, limit):
        super().__init__(None, name, "bench", "", "", limit, "a boot of the benchmark", False)

    @property
    def logdir(self):
        return os.path.join(BUILD, "bench", "logs", self.name)


def context(name, limit=LIMIT):
    """A context of tests/lib for one boot."""
    boot = _Boot(name, limit)
    os.makedirs(boot.logdir, exist_ok=True)
    return registry.Context(boot)


def command_line(chosen, column, groups, memory, only):
    """The guest kernel's command line; `memory` in bytes for those that do not get it from Vellum; `only`: rows, all
    if there are none."""
    console = "console=hvc0" if column == "xen" else CONSOLE
    bare = f" mem={memory:#x}" if column in ("native", "xen-native") else ""
    guest_column = column if column in VELLUM_COLUMNS else "native"
    return " ".join(f"{console} {COMMON_LINE} {chosen.line}{bare} "
                    f"column={guest_column} groups={','.join(groups)} {'rows=' * bool(only)}{','.join(only)} "
                    "vltest=benchmark".split())


def xen_options(chosen, memory):
    """Xen's own command line: as much memory for its first domain as the bare kernels have."""
    kib = memory // 1024
    return f"console=com1 com1=115200,8n1 loglvl=none guest_loglvl=none dom0_mem={kib}K,max:{kib}K {chosen.xen}".strip()


def _image(chosen, column, line, memory):
    if column in VELLUM_COLUMNS:
        return images.vellum((chosen.kernel, line), INITRD)
    if column == "xen":
        return images.vellum((DEBIAN_KERNEL, line), INITRD, opts=xen_options(chosen, memory), hypervisor=XEN)
    return images.native(chosen.kernel if column == "native" else DEBIAN_KERNEL, INITRD, line)


def _counters(words):
    return {key: int(value) for key, value in (word.split("=") for word in words.split())}


def _rows(lines):
    """{row: {least, median, reps[, counters]}} of what the guest printed."""
    text = "\n".join(lines)
    rows = {name: {"least": int(least), "median": int(median), "reps": int(reps)} for name, least, median, reps in
            re.findall(r"^bench (\S+) min (\d+) median (\d+) reps (\d+)$", text, re.MULTILINE)}
    for name, words in re.findall(r"^counters (\S+) reps \d+ (.*)$", text, re.MULTILINE):
        rows[name]["counters"] = _counters(words)
    return rows


def _check_world(t, m, column):
    """The column is what it says: no table with a native kernel in Xen's place."""
    text = plain(m.console.text)
    t.equal("vellum: " in text, column in VELLUM_COLUMNS, "Vellum in the log")
    t.equal("(XEN) " in text, column == "xen", "Xen in the log")


def boot(chosen, column, clock, groups, memory, wanted, only=()):
    """One boot of one column; returns what is kept of it in results.json. A failure is an exception."""
    t = context(f"{chosen.name}-{clock}-{column}")
    line = command_line(chosen, column, groups, memory, only)
    try:
        m = Qemu(t, _image(chosen, column, line, memory), memory=MEMORY, icount=clock == "icount")
        finish_linux(t, m, ["benchmark"], LIMIT)
        _check_world(t, m, column)
        output = output_of(m, "benchmark")
        rows = _rows(output)
        missing = [name for name in wanted if name not in rows]
        if missing:
            raise Failure(f"rows are missing: {' '.join(missing)}")
        text = "\n".join(output)
        found = {"rows": rows, "command_line": line,
                 "clock_source": re.search(r"^clock: (\S+)", text, re.MULTILINE)[1],
                 "switches": [[name, int(cycles)] for name, cycles in
                              re.findall(r"^switch (\S+) cycles (\d+)$", text, re.MULTILINE)]}
        if column == "passthrough":
            # Thresholds of a kernel grow with its memory, so the others get as much as this one.
            found["memory"] = vellum_range(m, "partition")[0] - text_copy(m)
        return found
    finally:
        t.close()


def _info(text):
    return {key: int(value) for key, value in re.findall(r"^(\w+): (\d+)(?: KiB)?$", text, re.MULTILINE)}


def resident():
    """Vellum's memory under a guest of 1 GiB: {guest, passthrough, virtualized} in KiB."""
    t = context("resident")
    line = f"{CONSOLE} {COMMON_LINE} vltest=resident"
    try:
        m = Qemu(t, images.vellum(("min", line), INITRD), memory=1024 + 64)
        finish_linux(t, m, ["resident"], LIMIT)
        text = "\n".join(output_of(m, "resident"))
        found = {"guest": vellum_range(m, "partition")[0] // 1024, "text_copy": text_copy(m) // 1024}
        _, *parts = re.split(r"^(passthrough|virtualized)$", text, flags=re.MULTILINE)
        for name, info in zip(parts[0::2], parts[1::2]):
            facts = _info(info)
            found[name] = facts["partition_size"] - facts["partition_free"]
            found["partition"] = facts["partition_size"]
        return found
    finally:
        t.close()


def image_sizes():
    """{text, rodata}: bytes of Vellum's code and constants."""
    import subprocess
    text = subprocess.run(["size", "-A", "-d", path("vellum")], check=True, capture_output=True, text=True).stdout
    sections = {f[0]: int(f[1]) for f in (line.split() for line in text.splitlines()) if len(f) == 3 and f[1].isdigit()}
    return sections


def in_context(name, measure, *args):
    """What measure(context, ...) returns."""
    t = context(name)
    try:
        return measure(t, *args)
    finally:
        t.close()


def bare(t, kernel, initrd, test, memory, extra):
    """What a test's script prints on the bare machine, counting instructions."""
    m = Qemu(t, images.native(kernel, initrd, f"{CONSOLE} norandmaps vltest={test}"), memory=memory, icount=True, extra=extra)
    finish_linux(t, m, [test], LIMIT)
    return "\n".join(output_of(m, test))
