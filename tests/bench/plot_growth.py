#!/usr/bin/python3
"""Draws what a task costs at the sizes that `make growth` has measured.

    plot_growth.py FIGURES.jsonl PLOT.svg

A panel for each scenario: CPU time a task, of the server and of all processes, as the median and what
lay farthest from it. Equal figures make equal files.
"""

import argparse
import json
import math
import sys

TITLES = {
    "growth-backlog": "waiting tasks that nobody runs",
    "growth-sessions": "connected executors without work",
    "growth-types": "types of the tasks",
}
# Seconds per million are microseconds each.
CURVES = {
    "cpu_seconds_per_million": ("all processes", "#5b6770", "o"),
    "server_cpu_seconds_per_million": ("server", "#1f6fb4", "s"),
}


def number(line, name):
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"no number {name}")
    return value


def point(line):
    """(least, median, most) of each curve; those of a single run are one."""
    least, most = line.get("least", line), line.get("most", line)
    return {name: (number(least, name), number(line, name), number(most, name)) for name in CURVES}


def read(lines):
    """{scenario: {size: point}}, sizes ascending. ValueError names the line that cannot be read."""
    panels = {}
    for count, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            scenario, size = line["scenario"], number(line, "size")
            panels.setdefault(scenario, {})[size] = point(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {count}: {error}") from error
    if not panels:
        raise ValueError("no figures")
    return {name: dict(sorted(sizes.items())) for name, sizes in panels.items()}


def places(sizes):
    """Where sizes stand on a logarithmic axis; nothing is a decade below the least of the others."""
    zero = math.log10(min((size for size in sizes if size > 0), default=1)) - 1
    return [math.log10(size) if size > 0 else zero for size in sizes]


def draw(panels, path):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "kantoku", "svg.fonttype": "none", "font.size": 9,
                            "axes.spines.top": False, "axes.spines.right": False})
    figure, all_axes = pyplot.subplots(1, len(panels), sharey=True, squeeze=False,
                                       figsize=(3.2 * len(panels), 2.9), layout="constrained")
    for axes, (name, sizes) in zip(all_axes[0], panels.items()):
        draw_panel(axes, sizes)
        axes.set_title(TITLES.get(name, name), fontsize=9)
    all_axes[0][0].set_ylim(bottom=0)
    all_axes[0][0].set_ylabel("CPU time a task, µs")
    all_axes[0][0].legend(loc="lower left", frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def draw_panel(axes, sizes):
    where = places(sizes)
    for name, (label, color, marker) in CURVES.items():
        least, median, most = zip(*(of_size[name] for of_size in sizes.values()))
        spread = [[m - l for m, l in zip(median, least)], [m - l for m, l in zip(most, median)]]
        axes.errorbar(where, median, yerr=spread, label=label, color=color, marker=marker,
                      markersize=4, linewidth=1.4, elinewidth=1, capsize=3)
    axes.set_xticks(where, [f"{size:,}" for size in sizes])
    axes.grid(axis="y", color="#e3e6e8", linewidth=0.8)
    axes.set_axisbelow(True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures")
    parser.add_argument("plot")
    arguments = parser.parse_args()
    try:
        with open(arguments.figures, encoding="utf-8") as lines:
            panels = read(lines)
    except (OSError, ValueError) as error:
        sys.exit(f"plot_growth: {arguments.figures}: {error}")
    draw(panels, arguments.plot)


if __name__ == "__main__":
    main()
