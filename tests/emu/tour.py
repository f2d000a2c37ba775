# SPDX-License-Identifier: MIT
"""`make run` without a terminal: the tour that README.md shows."""
import difflib
import os
import re
import subprocess
import time

from registry import TOP, test
from tour import in_readme, session, shape


def run_tour(t, *words):
    """`make run` as a newcomer would; each step and its answer are in README.md in that order."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    start = time.monotonic()
    with open(os.path.join(t.dir, "make.log"), "w", encoding="utf-8") as log:
        done = subprocess.run(["make", "run", *words], cwd=TOP, check=False, stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, timeout=t.test.limit - 10, env=env)
    with open(os.path.join(t.dir, "make.log"), encoding="utf-8", errors="replace") as log:
        text = log.read()
    t.log(f"{time.monotonic() - start:.0f} s")
    t.check(done.returncode == 0, f"make run exits 0, not {done.returncode}: {text[-500:]!r}")
    for pattern in (r"GRUB", r"^Vellum \d", r"^vellum: guest memory \[", r"^vellum# "):
        t.check(re.search(pattern, text, re.MULTILINE), f"the log shows {pattern}")
    want, got = shape(in_readme()), shape(session(text))
    t.check(want == got, "README.md has this log: " + "; ".join(difflib.unified_diff(want, got, lineterm="", n=0)))


@test("run-tour", shows="U1 U2 M18", needs="vellum full initrd-run", limit=300, slow=True)
def run_tour_qemu(t):
    """`make run` without a terminal plays the tour: GRUB, banner, memory map, shell, both switches, the mini guest and Linux made
    from passthrough, their consoles, their end, passthrough again, power-off; exit 0. README.md shows it line by line."""
    run_tour(t)


@test("run-tour-bochs", shows="U1 U2 M18", needs="vellum min initrd-run", limit=300, slow=True)
def run_tour_bochs(t):
    """`make run EMU=bochs` without a terminal plays the same tour in Bochs."""
    run_tour(t, "EMU=bochs")
