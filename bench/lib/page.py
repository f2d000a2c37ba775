# SPDX-License-Identifier: MIT
"""docs/performance.md, written from results.json: nothing in it is typed by hand."""
import disks
import remaps
import several
import table
import wire
from bounds import EXACT, HTTP, STUDY_MARGIN, XEN_ICOUNT, XEN_WALL, ratio

RULES = {
    "study": f"the study's ratio times {STUDY_MARGIN}",
    "paper": f"native times {HTTP}",
    "passthrough": f"passthrough within {EXACT} of native",
    "devirtualized": f"devirtualized within {EXACT} of native",
    "xen": f"Xen's ratio times {XEN_ICOUNT} in instructions, {XEN_WALL} in time",
    "switch": "instructions with interrupts off",
    "image": "size of the image",
    "resident": "0.5 % of the guest and 2 MiB",
    "disk": f"a later guest's disk in memory against the bare machine's, {disks.LIMIT}",
    "tcp": f"a later guest at the switch against the bare machine with two cards, {wire.LIMIT}",
    "remap": f"a REP MOVSQ of each page that is copied, {remaps.LIMIT}",
    "share": "per cent off its weight's share of the CPU",
}
CLOCKS = {"icount": "Instructions", "wall": "Time in TCG"}

INTRO = """# Performance

Written by `make bench` from build/bench/results.json; do not edit. What the rows are and how they are measured:
[bench/README.md](../bench/README.md). Each ratio is against the same kernel on the bare machine of the same emulator: an
instruction costs one there, whatever it would cost on a processor, and exceptions cost nothing but their handlers.
"""


def _facts(results):
    lines = [f"- {name}: {version}" for name, version in results["versions"].items()]
    lines += [f"- load average over the last 15 minutes of the run: {results['load']}; rounds in wall time: {results['rounds']}"]
    lines += [f"- QEMU's options: `{results['options']['qemu']}`; for instructions also `{results['options']['icount']}`"]
    for name, chosen in results["options"]["sets"].items():
        lines += [f"- Set `{name}`: {chosen['what']}. Linux: `{chosen['linux']}`; Xen: `{chosen['xen']}`; "
                  f"memory {chosen['memory'] // 1024:,} KiB in each column"]
    return "\n".join(lines)


def _switches(columns):
    names = {"first": "virtualize, for the first time", "in": "virtualize, again", "in-load": "virtualize, after the benchmark",
             "out-idle": "devirtualize, idle", "out-load": "devirtualize, after the benchmark"}
    return table.markdown(["transition", "instructions with interrupts off"],
                          [[names[name], f"{cycles:,}"] for name, cycles in columns["virtualized"]["switches"]])


def _resident(results):
    kib = results["resident"]
    return (f"Under a guest of {kib['guest']:,} KiB Vellum holds {kib['passthrough']:,} KiB of its partition of "
            f"{kib['partition']:,} KiB in passthrough and {kib['virtualized']:,} KiB virtualized, after some work. The guest "
            f"kernel keeps {kib['text_copy']:,} KiB of its own for the second copy of its text. The image has "
            f"{results['image']['text'] / 1024:.0f} KiB of text and {results['image']['rodata'] / 1024:.0f} KiB of rodata.")


DISK_64K = ("a page more costs about 1,950 instructions, on the bare machine 720: Vellum copies it and walks its descriptor (500 for the copy), "
            "there the device does it by DMA, which no instruction counts; 1.46 to 1.49 through the first guest's own driver")

# What the counters do not say by themselves.
CAUSES = {
    "switch first": "; the first time it makes shadow tables that later ones find made",
    "page_fault": "; 9 instructions are for the second way of the access cache, without which brk misses its bound (experiments.md)",
    "fork_exec": "; 50 of the hidden faults are first executions of pages that Linux mapped around another one, which a processor's TLB fills "
                 "for nothing; 1.143 to 1.156 by the order of rows, that is, by where pages lie",
    "remap, backmap, 50 % away": "pages at home between those that are away are looked at (docs/remap.md)",
    "disk_read_64k": DISK_64K, "disk_write_64k": DISK_64K,
    "tcp_64k": "the bare machine's cards cut 64 KiB into frames and make their checksums; Vellum's devices have no offloads, so each frame of 1.5 KB "
               "goes through the guest's stack at both ends, and is copied twice",
}


def _reason(bound, columns):
    """What the numbers themselves say about a bound that was missed."""
    if bound["rule"] == "xen" and bound["limit"] < 1:
        return f"out of reach: Xen's ratio is {ratio(columns, 'xen', bound['row']):.3f}, so native misses it, too"
    if bound["rule"] in ("passthrough", "devirtualized"):
        return "Vellum executes nothing in this column; the boots differ in something else (scheduling, allocators)"
    if bound["rule"] in ("study", "xen", "paper") and bound["clock"] == "icount":
        names = table.EXITS
        counts = dict(zip(names, table.exits(columns, bound["row"])))
        found = [f"{n:.2f} {name.replace('exits_', '').replace('_', ' ')}" for name, n in counts.items() if n >= 0.01]
        return "a repetition has " + (", ".join(found) or "crossings on the fast paths only") + CAUSES.get(bound["row"], "")
    if bound["rule"] in ("disk", "remap", "tcp"):
        return CAUSES.get(bound["row"], "")
    if bound["rule"] == "switch":
        return "counted by the guest around the call" + CAUSES.get(bound["row"], "")
    if bound["rule"] == "xen":
        return "see the instructions and exits of this row"
    return ""


def _missed(results, rules):
    lines = []
    for bound in results["bounds"]:
        if bound["met"] or bound["rule"] not in rules:
            continue
        columns = results["sets"].get(bound["set"], {}).get(bound["clock"])
        lines.append([bound["set"], bound["row"], bound["clock"], RULES[bound["rule"]], f"{bound['value']:,.4g}",
                      f"{bound['limit']:,.4g}", _reason(bound, columns)])
    return lines


def _bounds(results):
    met = sum(b["met"] for b in results["bounds"])
    lines = _missed(results, RULES)
    text = f"{met} of {len(results['bounds'])} bounds are met."
    if lines:
        text += " The others:\n\n" + table.markdown(["set", "row", "clock", "bound", "measured", "limit", "from the counters"], lines)
    return text


def _set(name, clocks):
    out = [f"## Set `{name}`"]
    for clock, columns in clocks.items():
        out += [f"### {CLOCKS[clock]}", table.markdown(["row", *table.CELLS], table.rows(columns))]
    columns = clocks["icount"]
    out += ["### Exits and shadow work of Vellum, virtualized, in one repetition",
            "Crossings that the fast paths serve (SYSCALL, SYSRET, SWAPGS, IRETQ to the user) are not exits and not counted; reading the counters adds two hypercalls to each row's sum.",
            table.markdown(table.EXIT_HEAD, list(table.exit_lines(columns, columns["native"]["rows"]))),
            "### Transitions", _switches(columns)]
    return out


def markdown(results):
    """The whole page."""
    parts = [INTRO.strip(), f"Measured on {results['date']} at commit {results['commit']}.", _facts(results),
             "![Ratios](performance.svg)", "## Bounds", _bounds(results), "## Memory", _resident(results)]
    for name, clocks in results["sets"].items():
        parts += _set(name, clocks)
    if "several" in results:
        parts += ["## Several guests on one CPU", "Instructions, by the mini guest.",
                  table.markdown(several.HEAD, several.lines(results["several"]))]
    if "remaps" in results:
        parts += ["## Remaps", f"Instructions to bring a guest's memory home, of {remaps.PAGES * 4 // 1024} MiB, paused, through a spare frame; a page copied by REP MOVSQ takes "
                  f"{results['remaps'][0]['copy']}. Other ways and larger memories: [remap.md](remap.md).",
                  table.markdown(remaps.HEAD, remaps.lines(results["remaps"]))]
    if "disks" in results:
        parts += ["## Requests to disks", "Instructions of the set `min`, one request at a time, past the page cache.",
                  table.markdown(disks.HEAD, disks.lines(results["disks"]))]
    if "wire" in results:
        parts += ["## Bytes of TCP", "Instructions of the set `full`, both ends, for 64 KiB from one network card to another.",
                  table.markdown(wire.HEAD, wire.lines(results["wire"]))]
    parts += ["## Not measured yet", "Sharing, portions."]
    return "\n\n".join(parts) + "\n"
