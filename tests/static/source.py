# SPDX-License-Identifier: MIT
"""Checks of the tree itself: they need no emulator and no kernel."""
import os
import re
import statistics
import subprocess

from registry import TOP, Environment, path, test

C_LIKE = (".c", ".h", ".S", ".mk", ".sh", ".py", ".def")
FILE_LINES = 600
FUNCTION_LINES = 100
LONG_FUNCTION = 45


def run(t, *command, what):
    """A command must succeed; its output is what the failure shows."""
    done = subprocess.run(command, cwd=TOP, check=False, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    t.log(done.stdout, done.stderr)
    t.check(done.returncode == 0, f"{what}\n{(done.stdout + done.stderr).strip()[-3000:]}")
    return done.stdout


def tree():
    """Files of the project: what git tracks or would track; all but build/ without git."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=False,
                          capture_output=True, text=True)
    if done.returncode == 0:
        names = done.stdout.split("\n")
    else:
        names = [os.path.relpath(os.path.join(folder, name), TOP)
                 for folder, _, files in os.walk(TOP) for name in files]
        names = [n for n in names if not n.startswith(("build/", ".git/"))]
    return sorted(n for n in set(names) if n and os.path.isfile(os.path.join(TOP, n)))


def text_of(name):
    with open(os.path.join(TOP, name), encoding="utf-8", errors="replace") as data:
        return data.read()


def functions(text):
    """(name, lines) of each function in C of this project's layout."""
    found, start, name = [], None, ""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line == "{":
            start = number
            head = " ".join(lines[max(0, number - 4):number])
            names = re.findall(r"(\w+)\(", head.rsplit(";", 1)[-1].rsplit("}", 1)[-1])
            name = names[0] if names else "?"
        elif line == "}" and start is not None:
            found.append((name, number - start + 1))
            start = None
    return found


@test("format", group="quick", limit=60)
def check_format(t):
    """Every C source is as clang-format leaves it."""
    run(t, "make", "-s", "format-check", what="clang-format would change files (make format):")


@test("headers", group="quick", limit=200)
def check_headers(t):
    """Each header compiles by itself with gcc and with clang under the full warning set."""
    run(t, "scripts/check-headers", what="a header does not stand by itself:")


@test("build-gcc", group="quick", limit=300)
def check_gcc(t):
    """The hypervisor, the tool and the mini guest are up to date and build with gcc without a warning."""
    run(t, "make", "-s", "build/vellum.elf", "build/vl", "build/mini/mini.elf",
        what="gcc does not build everything:")


@test("build-clang", group="quick", limit=400)
def check_clang(t):
    """The hypervisor, the tools and the mini guest build with clang without a warning."""
    run(t, "make", "-s", "clang", what="clang does not build everything:")


@test("lwip-clang", needs="lwip", limit=200)
def check_lwip_clang(t):
    """So does the mini guest with lwIP, whose source is Debian's: our part of it without a warning."""
    run(t, "make", "-s", "CC=clang", "B=build/clang", "build/clang/mini/lwip.elf", what="clang does not build the mini guest with lwIP:")


@test("generated", group="quick", limit=30, shows="U3")
def check_generated(t):
    """The committed hypercall header and reference page are what the definition generates."""
    run(t, "scripts/gen-hypercalls", "--check", what="generated files are stale:")


@test("image-size", group="quick", limit=30, needs="vellum")
def check_size(t):
    """Vellum's text and read-only data are at most 256 KiB: the bar of docs/design.md, section 12, where 128 KiB
    are the aim. (45 KiB were the boot alone, 129 are one guest on one CPU with its fast paths.)"""
    out = run(t, "size", "-A", path("vellum"), what="size fails:")
    sizes = {f[0]: int(f[1]) for f in (line.split() for line in out.split("\n"))
             if len(f) == 3 and f[1].isdigit()}
    total = sum(size for name, size in sizes.items() if name.startswith((".text", ".rodata")))
    t.check(".text" in sizes and ".rodata" in sizes, "the image has .text and .rodata")
    t.check(total <= 262144, f"text and read-only data have {total} bytes, at most 262144")


@test("wx-image", group="quick", limit=30, needs="vellum")
def check_wx(t):
    """No segment of Vellum's image is both writable and executable."""
    out = run(t, "readelf", "-lW", path("vellum"), what="readelf fails:")
    flags = re.findall(r"^\s+LOAD\s.*\s([R ][W ][E ])\s+0x", out, re.MULTILINE)
    t.check(len(flags) >= 3, f"the image has text, read-only and data segments: {flags}")
    for flag in flags:
        t.check(not ("W" in flag and "E" in flag), f"segment flags {flag!r} are not WE")


@test("licences", group="quick", limit=30)
def check_spdx(t):
    """Each source file names its licence in its first lines; kernel patches say GPL-2.0-only."""
    without = [name for name in tree()
               if (name.endswith(C_LIKE) or name.startswith(("scripts/", "tests/run", ".ci/")))
               and not name.endswith(".txt") and os.path.getsize(os.path.join(TOP, name)) > 0
               and "SPDX-License-Identifier: " not in "\n".join(text_of(name).split("\n")[:3])]
    t.check(not without, f"files without an SPDX line: {' '.join(without)}")


@test("tree-hygiene", group="quick", limit=30)
def check_hygiene(t):
    """No file names this machine, a private folder or a package registry; no large or binary file."""
    private = re.compile(r"(?<![\w.$}])/(?:work|root|home)/\w|file:///|(?:\d{1,3}\.){3}\d{1,3}:\d{4,5}"
                         r"|[\w-]+\.(?:internal|corp|intranet)\b")
    registries = re.compile(r"https?://[^\s/]*(?:pypi|crates|npmjs|artifactory|nexus|mirror|proxy"
                            r"|deb\.debian|rubygems|golang)[^\s/]*", re.IGNORECASE)
    for name in tree():
        if name == "tests/static/source.py":
            continue
        with open(os.path.join(TOP, name), "rb") as data:
            raw = data.read()
        t.check(len(raw) < 400000, f"{name} has {len(raw)} bytes")
        t.check(b"\0" not in raw or name.startswith("tests/fuzz/"), f"{name} is text")
        for regex in (private, registries):
            match = regex.search(raw.decode("utf-8", "replace"))
            t.check(not match, f"{name} has {match and match.group(0)!r}")


@test("size-limits", group="quick", limit=30)
def check_lengths(t):
    """Files stay below 600 lines, functions below 100; few exceed 45 and the median is small."""
    lengths = []
    for name in tree():
        if not name.endswith((".c", ".h")) or name == "hv/include/public/calls.h":  # which is generated
            continue
        text = text_of(name)
        lines = text.count("\n")
        t.check(lines < FILE_LINES or "GENERATED by" in text[:500],
                f"{name} has {lines} lines, less than {FILE_LINES}")
        for function, length in functions(text):
            t.check(length <= FUNCTION_LINES, f"{name}: {function}() has {length} lines")
            lengths.append(length)
    if not lengths:
        raise Environment("no functions found")
    long = sum(n > LONG_FUNCTION for n in lengths)
    t.check(long * 50 <= len(lengths), f"{long} of {len(lengths)} functions exceed {LONG_FUNCTION} lines")
    t.check(statistics.median(lengths) <= 14, f"median length is {statistics.median(lengths)} lines")


@test("scripts", group="quick", limit=60)
def check_scripts(t):
    """Shell scripts parse with their own shell, Python programs compile, packages have reasons."""
    for name in tree():
        first = text_of(name).split("\n", 1)[0]
        if first.startswith("#!/bin/bash"):
            run(t, "bash", "-n", name, what=f"{name} does not parse:")
        elif first.startswith("#!/bin/sh"):
            run(t, "/bin/busybox", "sh", "-n", name, what=f"{name} does not parse:")
        if first.startswith("#!/usr/bin/python3") or name.endswith(".py"):
            compile(text_of(name), name, "exec")
        t.check(not first.startswith("#!/usr/bin/env python"), f"{name} uses Debian's Python")


@test("help", group="quick", limit=30)
def check_help(t):
    """`make help` lists every target that a person may type."""
    out = run(t, "make", "-s", "help", what="make help fails:")
    phony = set(re.findall(r"^\.PHONY: (.*)$", text_of("GNUmakefile"), re.MULTILINE))
    wanted = {name for line in phony for name in line.split()} - {"products", "quick-products", "test-products",
                                                                            "scenario-products"}
    listed = set(re.findall(r"^  make ([a-z-]+) ", out, re.MULTILINE))
    t.equal(sorted(wanted - listed), [], "targets that make help does not list")
    t.check({"run", "check", "iso", "setup", "gdb"} <= listed, "the main targets are there")


@test("ledger", group="quick", limit=30)
def check_ledger(t):
    """tests/run answers for each row of the ledger, and fails for a row that does not exist; what the ledger calls
    built has tests, and nothing else has."""
    out = run(t, "tests/run", "--rows", what="--rows fails:")
    for row in ("M1", "M19", "I10", "U8"):
        t.check(re.search(rf"^{row} ", out, re.MULTILINE), f"--rows lists {row}")
    done = subprocess.run(["tests/run", "--row", "X1"], cwd=TOP, check=False, capture_output=True)
    t.check(done.returncode != 0, "--row X1 fails")
    shown = {row: tests.strip() != "none" for row, tests in re.findall(r"^([MIU]\d+) .*\n((?: .*\n?)+)", out, re.MULTILINE)}
    text = text_of("docs/features.md").split("## Where it stands")[-1]
    stands = {row: state != "not yet" for rows, state in re.findall(r"^\| ([MIU][MIU0-9, ]+) \| ([^|]+) \|", text, re.MULTILINE)
              for row in rows.replace(" ", "").split(",")}
    t.check(len(shown) > 30, f"--rows has {len(shown)} rows")
    t.equal(sorted(shown.items()), sorted(stands.items()), "rows with tests, and rows that features.md says stand")


# The folders of hv/ from the highest floor down, as docs/design.md, section 2, has them.
FLOORS = (("transition",), ("hypercall",), ("cpu",), ("domain",), ("shadow", "irq", "sched"), ("p2m",), ("mem", "io"), ("lib", "public"))
# Constants for assembly are of no floor; the dispatcher's table has the handlers of all.
NO_FLOOR = {("hv/cpu/asm_offsets.c", "hypercall/hypercall.h"), ("hv/domain/enter.S", "cpu/asm_offsets.h"),
            ("hv/hypercall/dispatch.c", "transition/tidy.h")}


@test("floors", group="quick", limit=30)
def check_floors(t):
    """A file of the hypervisor includes its own folder and lower floors only."""
    floor = {folder: number for number, folders in enumerate(reversed(FLOORS)) for folder in folders}
    wrong, seen = [], 0
    for name in tree():
        found = re.match(r"hv/(?:include/)?(\w+)/.*\.[chS]$", name)
        if not found or found[1] == "public":
            continue
        for header in re.findall(r'^#include "((\w+)/[^"]+)"', text_of(name), re.MULTILINE):
            seen += 1
            if header[1] in floor and (name, header[0]) not in NO_FLOOR:
                same = floor[header[1]] == floor[found[1]] and header[1] != found[1]
                if same or floor[header[1]] > floor[found[1]]:
                    wrong.append(f"{name}: {header[0]}")
    t.check(seen > 300, f"only {seen} includes were looked at")
    t.equal(wrong, [], "includes of a higher floor, or of a neighbour's")


DOCS = ("README.md", "docs/design.md", "docs/features.md", "docs/invariants.md", "docs/porting.md", "docs/experiments.md",
        "guest-linux-patches/README.md", "tests/mini/README.md")


def tests_there_are(t):
    """Names in tests/run --list, and of the mini guest's tests."""
    listed = run(t, "tests/run", "--list", what="--list fails:")
    names = set(re.findall(r"^([a-z0-9-]+)", listed, re.MULTILINE))
    for name in tree():
        if re.match(r"tests/mini/tests/.*\.c$", name):
            names.update(re.findall(r"^TEST(?:_ON_REQUEST)?\((\w+)", text_of(name), re.MULTILINE))
    return names


@test("docs", group="quick", limit=60)
def check_docs(t):
    """Files that the documentation names exist, and so do the tests and functions that the invariants name; the code
    cites no invariant that there is not."""
    code = "\n".join(text_of(name) for name in tree() if re.match(r"(hv|boot)/.*\.[chS]$", name))
    missing = []
    for doc in DOCS:
        for word in re.findall(r"\]\(([^)#:]+)\)", text_of(doc)):
            if not os.path.exists(os.path.join(TOP, os.path.dirname(doc), word)):
                missing.append(f"{doc}: {word}")
        for word in re.findall(r"`((?:hv|tests|docs|boot|scripts|dom-tools|guest-linux-patches)/[\w./-]+)`", text_of(doc)):
            if not os.path.exists(path(word)):
                missing.append(f"{doc}: {word}")
    invariants = text_of("docs/invariants.md")
    for word in re.findall(r"`(\w+)\(\)`", invariants):
        if not re.search(rf"\b{word}\(", code):
            missing.append(f"invariants: {word}()")
    names = tests_there_are(t)
    for shown in re.findall(r"Shown by([^\n]*(?:\n[^\n]+)?)", invariants):
        for word in re.findall(r"`([a-z0-9_*-]+)`", shown):
            if not any(name == word or ("*" in word and re.fullmatch(word.replace("*", ".*"), name)) for name in names):
                missing.append(f"invariants: test {word}")
    there = set(re.findall(r"^\*\*([SMID]\d+)\.", invariants, re.MULTILINE))
    missing += [f"code: invariant {cited}" for cited in sorted(set(re.findall(r"\b[SD]\d+\b", code)) - there)]
    t.check(len(there) > 25 and len(names) > 150, "invariants and tests were found")
    t.equal(missing, [], "what does not exist")


def writable(image):
    """Names of the variables of an image that its tables map writable."""
    lines = subprocess.run(["nm", "-n", "--defined-only", path(image)], check=True, capture_output=True,
                           text=True).stdout.split("\n")
    names = [line.split()[2] for line in lines if line]
    behind = names[names.index("image_rodata_end"):]
    marks = {"image_rodata_end", "image_end", "boot_stack_top", "cpu_window"}
    # The compiler numbers variables of functions.
    return {name.split(".")[0] for name in behind} - marks


@test("global-state", group="quick", limit=60, needs="vellum vellum-debug")
def global_state(t):
    """Vellum has no mutable state outside of its CPUs and domains but what docs/invariants.md lists."""
    text = text_of("docs/invariants.md")
    table = text[text.index("### Global state"):]
    rows = [row.split("|") for row in table.split("\n") if row.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row[1])}
    of_debug = {name for row in rows if row[3].strip().startswith("debug builds")
                for name in re.findall(r"`([^`]+)`", row[1])}
    t.check(len(listed) > 20, "the list was not found")
    for image, wanted in (("build/vellum.elf", listed - of_debug), ("build/debug/vellum.elf", listed)):
        found = writable(image)
        t.check(not found - wanted, f"{image} has what the list has not: {sorted(found - wanted)}")
        t.check(not wanted - found, f"the list has what {image} has not: {sorted(wanted - found)}")
    for row in rows:
        for name in re.findall(r"`([^`]+)`", row[2]):
            t.check(os.path.isfile(os.path.join(TOP, name)) or "/" not in name, f"there is no {name}")
