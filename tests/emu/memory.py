# SPDX-License-Identifier: MIT
"""M10 on machines of many shapes: what the guest sees of memory, against what the machine has.

Three independent sources are compared: the RAM that QEMU built (from its monitor), Vellum's partition (its
log), and the firmware map and /proc/iomem that the running guest prints.
"""
import re

from guest import join, linux_image, output_of, ram_ranges, vellum_range, within
from guest import finish_linux
from qemu import Qemu
from registry import add

LOW = 1 << 20

# (MiB, firmware, Vellum's options)
SHAPES = (
    (64, "bios", ""),
    (256, "bios", ""),
    (512, "bios", ""),
    (2048, "bios", ""),
    (3584, "bios", ""),
    (6144, "bios", ""),
    (512, "uefi", ""),
    (6144, "uefi", ""),
    (512, "bios", "mem=all"),
    (6144, "bios", "mem=all"),
    (6144, "uefi", "mem=all"),
)


def usable(lines):
    """RAM in the kernel's copy of the firmware map, touching ranges joined."""
    found = re.findall(r"BIOS-e820: \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] usable", "\n".join(lines))
    return join(sorted((int(a, 16), int(b, 16) + 1) for a, b in found))


def system_ram(lines):
    found = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", "\n".join(lines), re.MULTILINE)
    return sorted((int(a, 16), int(b, 16) + 1) for a, b in found)


def overlap(a, b):
    return max(a[0], b[0]) < min(a[1], b[1])


def check_map(t, m, machine, lines, opts):
    partition = vellum_range(m, "partition")
    ram = usable(lines)
    shown = sum(b - a for a, b in ram)
    total = sum(b - a for a, b in machine)
    t.log("machine", machine, "guest", ram, "partition", partition)
    t.check(within(partition, machine), "Vellum's partition lies in RAM of the machine")
    t.check(shown + partition[1] - partition[0] <= total, "guest and partition are no larger than the machine")
    for part in ram:
        t.check(within(part, machine), f"guest RAM {part[0]:#x}-{part[1]:#x} is machine RAM, no hole in it")
        t.check(not overlap(part, partition), f"guest RAM {part[0]:#x}-{part[1]:#x} is not Vellum's")
    for part in system_ram(lines):
        t.check(within(part, ram), f"System RAM {part[0]:#x}-{part[1]:#x} of /proc/iomem is in the map")
    t.check(system_ram(lines), "/proc/iomem has System RAM")
    if "mem=all" in opts:
        t.check(ram[0][0] < LOW, "mem=all shows RAM below 1 MiB")
        # Firmware tables and ACPI areas take a little; a lost range would take megabytes.
        t.check(total - shown - (partition[1] - partition[0]) < 24 << 20,
                f"mem=all shows all RAM: {shown >> 20} of {total >> 20} MiB")
        high = [r for r in machine if r[0] >= 1 << 32]
        t.equal([r for r in ram if r[0] >= 1 << 32], high, "RAM above 4 GiB in mem=all")
    else:
        t.equal(len(ram), 1, f"number of RAM ranges ({ram})")
        t.check(ram[0][0] >= LOW and ram[0][1] <= 1 << 32, "it is between 1 MiB and 4 GiB")
        below = sum(min(b, 1 << 32) - a for a, b in machine if a < 1 << 32)
        least = 0.55 if below < 128 << 20 else 0.7 if below < 512 << 20 else 0.8
        t.check(shown >= least * below - (20 << 20), f"it has most of the RAM: {shown >> 20} of {below >> 20} MiB")


def declare(size, firmware, opts):
    name = f"memory-{size}-{firmware}" + ("-all" if "mem=all" in opts else "")

    def run(t):
        m = Qemu(t, linux_image(["mem"], opts=opts, initrd="initrd-small"), memory=size, firmware=firmware)
        machine = ram_ranges(m)
        finish_linux(t, m, ["mem"], 100)
        check_map(t, m, machine, output_of(m, "mem"), opts)

    add(run, name, shows="M10 I6 U1", needs="vellum min initrd-small", limit=120,
        doc=f"On a machine with {size} MiB and {firmware.upper()} firmware ({opts or 'default options'}) Linux "
            "gets a map that is a subset of machine RAM, has no hole and nothing of Vellum's partition.")


for shape in SHAPES:
    declare(*shape)
