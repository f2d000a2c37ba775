# SPDX-License-Identifier: MIT
"""The tour of `make run`: what is typed and answered, its log as README.md shows it, and that log's shape.

The shape is what two runs have in common: words and their order, without numbers, times and what a guest that is left to
itself has printed meanwhile.
"""
import os
import re

from registry import TOP

DETACH = "\x1d"
PROMPT = r"^vellum# "
GUEST_PROMPT = r"^guest-\d+# "
ALL_THREE = r"^first .*^mini .*^linux "
# What is typed, what has to be in the answer, and what to wait for before the next.
STEPS = (
    ("vl info", r"mode:\s+passthrough", PROMPT),
    ("vl virtualize", "", PROMPT),
    ("vl list", r"\d virtualized", PROMPT),
    ("vl p2m", r"PFN +MFN", PROMPT),
    ("vl devirtualize", "", PROMPT),
    ("cat /sys/hypervisor/mode", "passthrough", PROMPT),
    ("vl create /etc/vl/mini.cfg", "", PROMPT),
    ("cat /sys/hypervisor/mode", "virtualized", PROMPT),
    ("vl create /etc/vl/linux.cfg", "", PROMPT),
    ("vl list", ALL_THREE, PROMPT),
    ("vl console mini", "mini guest: hello", r"^3 s$"),
    (DETACH, "", PROMPT),
    ("vl console linux", "Welcome to Linux in domain", GUEST_PROMPT),
    ("cat /sys/hypervisor/mode", "virtualized", GUEST_PROMPT),
    ("vl list", r"^linux ", GUEST_PROMPT),
    ("free -m", "Mem: ", GUEST_PROMPT),
    (DETACH, "", PROMPT),
    ("vl list", ALL_THREE, PROMPT),
    ("vl destroy mini", "", PROMPT),
    ("vl destroy linux", "", PROMPT),
    ("vl list", r"^first .*passthrough", PROMPT),
    ("vl info", r"mode:\s+passthrough", PROMPT),
)

KERNEL_LINE = re.compile(r"\[ *\d+\.\d+\] ")
KERNEL_SHOWN = re.compile(r"Linux version|[Vv]ellum|Run /init|Power down")


def session(text):
    """Lines of a run's output from Vellum's banner on, without most of what the kernel says while it boots."""
    lines = [line.rstrip() for line in text[re.search(r"^Vellum \d", text, re.MULTILINE).start():].split("\n")]
    shown = []
    for line in lines:
        if line.startswith("run: "):
            break
        if KERNEL_LINE.match(line) and not KERNEL_SHOWN.search(line):
            continue
        if line or (shown and shown[-1]):
            shown.append(line)
    return shown


def shape(lines):
    """What every run's session has in common, from the first command to the last."""
    common = []
    for line in lines:
        line = re.sub(r"(?<![a-z])[r-][b-]---- ", "STATE ", line)
        line = re.sub(r"0x[0-9a-f]+|\d+(\.\d+)*| - ", "N", line)
        line = re.sub(r"\s+", "", line)
        if line and not KERNEL_LINE.match(line) and not (line == "Ns" and common and common[-1] == "Ns"):
            common.append(line)
    first, last = common.index("vellum#vlinfo"), common.index("vellum#poweroff")
    return common[first:last + 1]


def in_readme():
    """The session as README.md shows it."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as readme:
        block = re.search(r"^```text\n(Vellum \d.*?)^```$", readme.read(), re.MULTILINE | re.DOTALL)
    return block[1].split("\n")
