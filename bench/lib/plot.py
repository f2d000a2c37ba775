# SPDX-License-Identifier: MIT
"""The plot: ratios to the bare machine, Vellum virtualized beside Xen, on a logarithmic scale."""
import math

from bounds import ratio

BAR, GAP, LEFT, WIDTH, HEAD = 9, 8, 130, 430, 44
COLOURS = {"virtualized": "#2b6cb0", "xen": "#c05621"}
NAMES = {"virtualized": "Vellum, virtualized", "xen": "Xen 4.17, PV dom0"}


def _escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _axis(most):
    """Ticks 1, 2, 5, 10, ... up to the first that covers the greatest ratio."""
    ticks = [1]
    for power in range(6):
        for step in (2, 5, 10):
            if ticks[-1] >= most:
                return ticks
            ticks.append(step * 10 ** power)
    return ticks


def _panel(columns, title, top):
    rows = list(columns["native"]["rows"])
    values = {(row, column): ratio(columns, column, row) for row in rows for column in COLOURS}
    ticks = _axis(max(values.values()))

    def x(r):
        return LEFT + WIDTH * math.log(max(r, 1)) / math.log(ticks[-1])

    step = 2 * BAR + GAP
    bottom = top + HEAD + step * len(rows)
    out = [f'<text x="10" y="{top + 16}" font-size="13" font-weight="bold">{_escape(title)}</text>']
    for tick in ticks:
        out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top + HEAD - 6}" y2="{bottom}" stroke="#ddd"/>'
                   f'<text x="{x(tick):.1f}" y="{top + HEAD - 10}" text-anchor="middle">{tick}x</text>')
    for i, row in enumerate(rows):
        y = top + HEAD + i * step
        out.append(f'<text x="{LEFT - 8}" y="{y + BAR + 4}" text-anchor="end">{row}</text>')
        for k, column in enumerate(COLOURS):
            r = values[row, column]
            out.append(f'<rect x="{LEFT}" y="{y + k * BAR}" width="{max(x(r) - LEFT, 1):.1f}" height="{BAR - 1}" '
                       f'fill="{COLOURS[column]}"/>'
                       f'<text x="{x(r) + 4:.1f}" y="{y + k * BAR + BAR - 1}" font-size="9">{r:.2f}</text>')
    return out, bottom + 16


def svg(results):
    """One panel for each set and clock that has both columns."""
    body, top = [], 30
    for k, column in enumerate(COLOURS):
        body.append(f'<rect x="{10 + 190 * k}" y="10" width="12" height="12" fill="{COLOURS[column]}"/>'
                    f'<text x="{28 + 190 * k}" y="20">{NAMES[column]}</text>')
    for chosen, clocks in results["sets"].items():
        for clock, columns in clocks.items():
            what = "instructions" if clock == "icount" else "time in TCG"
            lines, top = _panel(columns, f"Set {chosen}, {what}, ratio to the same kernel without hypervisor", top)
            body += lines
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 50}" height="{top}" '
            f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(body) + "\n</svg>\n")
