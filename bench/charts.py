"""Draw what was measured: lines where contenders are measured at several sizes, bars where they are not."""

import re
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

# Ours in the shop's reds; the others in colours that differ in print, too.
OURS = ["#c8372d", "#e8968d"]
OTHERS = ["#1f4e79", "#6c8ebf", "#5b5b5b", "#a5a5a5", "#7a5195", "#b79bc9"]
SIZED = re.compile(r"(?P<series>.+), (?P<size>[\d,]+) (?P<unit>at once|a second|tickets)")


def draw(path: Path, table: dict, panels: list[tuple[str, str]], title: str) -> None:
    """Write path.png and path.svg with a panel for each (figure, unit of size, or "" for bars)."""
    plt.rcParams.update({"font.size": 9, "svg.hashsalt": "bench", "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 3.6), squeeze=False, layout="constrained")
    figure.suptitle(title)
    for panel, (name, unit) in zip(axes[0], panels, strict=True):
        (_lines if unit else _bars)(panel, table, name, unit)
    for kind in ("png", "svg"):
        figure.savefig(path.with_suffix(f".{kind}"), dpi=144, metadata={"Date": None} if kind == "svg" else None)
    plt.close(figure)


def _lines(panel, table: dict, name: str, unit: str) -> None:
    series = defaultdict(list)
    for contender, figures in table.items():
        found = SIZED.fullmatch(contender)
        if found and found["unit"] == unit and name in figures:
            series[found["series"]].append((int(found["size"].replace(",", "")), *figures[name]))
    ours, others = iter(OURS), iter(OTHERS)
    for label, points in series.items():
        colour = next(ours if label.startswith("ours") else others)
        sizes, middles, least, most = zip(*sorted(points), strict=True)
        panel.plot(sizes, middles, "o-", label=label, color=colour, linewidth=2.2 if colour in OURS else 1.4)
        panel.fill_between(sizes, least, most, color=colour, alpha=0.12, linewidth=0)
    sizes = sorted({point[0] for points in series.values() for point in points})
    panel.set(xlabel=unit, ylabel=name, xscale="log")
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    panel.minorticks_off()
    panel.set_ylim(0, 1.05 * max(point[3] for points in series.values() for point in points))
    panel.legend(frameon=False, fontsize=8)


def _bars(panel, table: dict, name: str, _unit: str) -> None:
    rows = [(contender, *figures[name]) for contender, figures in table.items() if name in figures][::-1]
    labels, middles, least, most = zip(*rows, strict=True)
    spread = [
        [middle - low for middle, low in zip(middles, least, strict=True)],
        [high - middle for middle, high in zip(middles, most, strict=True)],
    ]
    colours = [OURS[0] if label.startswith("ours") else OTHERS[1] for label in labels]
    panel.barh(labels, middles, xerr=spread, color=colours, error_kw={"linewidth": 1, "ecolor": "#333333"})
    panel.set_xlabel(name)
