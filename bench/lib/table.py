# SPDX-License-Identifier: MIT
"""The table on the screen, and the same in Markdown."""
from bounds import bare, ratio, value

CELLS = ("native", "passthrough", "virtualized", "devirtualized", "xen-native", "xen")


def _amount(number):
    return f"{number:,}"


def cells(columns, row):
    """One row: name, then for each column its amount, with the ratio to the bare machine behind it."""
    out = [row]
    for column in CELLS:
        if column not in columns:
            out.append("-")
        elif bare(columns, column) is not None:
            out.append(f"{_amount(value(columns, column, row))} ({ratio(columns, column, row):.3f})")
        else:
            out.append(_amount(value(columns, column, row)))
    return out


def rows(columns):
    names = next(iter(columns.values()))["rows"]
    return [cells(columns, row) for row in names]


def text(columns):
    """For a terminal."""
    return aligned([["row", *CELLS]] + rows(columns))


def aligned(lines):
    """Columns of equal width, the first to the left, the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(word.ljust(w) if i == 0 else word.rjust(w)
                               for i, (word, w) in enumerate(zip(line, widths))) for line in lines)


def markdown(head, lines):
    """A table of Markdown: the first column left, the others right."""
    return "\n".join(["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)] +
                     ["| " + " | ".join(line) + " |" for line in lines])


EXITS = ("exits_guest_fault", "exits_hidden_fault", "exits_hypercall", "exits_syscall", "exits_emulated",
         "exits_interrupt", "exits_reflected", "shadow_fills", "shadow_flushes", "shadow_evictions")


def exits(columns, row):
    """A row's work of Vellum: for each counter, how often in one repetition."""
    facts = columns["virtualized"]["rows"][row]
    return [facts["counters"][name] / facts["reps"] for name in EXITS]


def exit_lines(columns, names):
    """Lines of the breakdown: what a repetition costs more than native, and the counters."""
    for row in names:
        added = value(columns, "virtualized", row) - value(columns, bare(columns, "virtualized"), row)
        yield [row, _amount(added)] + [f"{n:.2f}" if n else "0" for n in exits(columns, row)]


EXIT_HEAD = ["row", "added instructions"] + [name.replace("exits_", "").replace("_", " ") for name in EXITS]
