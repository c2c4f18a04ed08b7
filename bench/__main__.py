"""bin/bench NAME: measure, print a table, write bench/results/NAME.json and a chart.

Everything listens on 127.0.0.1, is bounded and stops by itself. Contenders run in turn, so that a machine whose speed
drifts drifts under all of them; a figure is the median of the runs, with the least and the most beside it.
"""

import argparse
import importlib
import json
import os
import platform
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.charts import draw

RESULTS = Path(__file__).parent / "results"
NAMES = ["publish", "deliver", "purchase", "server", "onsale", "scale", "memory", "pages"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # Then what was started is stopped, too.
    subject = importlib.import_module(f"bench.{options.name}")
    measured = subject.measure(options.runs)

    table = {
        contender: {figure: [median(values), min(values), max(values)] for figure, values in figures.items()}
        for contender, figures in measured.items()
    }
    columns = list(dict.fromkeys(figure for figures in table.values() for figure in figures))
    width = max(map(len, table))
    print(" " * width, *(f"{column:>24}" for column in columns))
    for contender, figures in table.items():
        print(f"{contender:<{width}}", *(f"{_cell(figures.get(column)):>24}" for column in columns))

    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load before": os.getloadavg()[2],
    }
    result = {"date": datetime.now(UTC).date().isoformat(), "machine": machine, "runs": options.runs}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / options.name
    path.with_suffix(".json").write_text(json.dumps({**result, "median, least, most": table}, indent=1) + "\n")
    draw(path, table, subject.CHART, subject.__doc__.splitlines()[0].rstrip("."))


def _cell(figures: list[float] | None) -> str:
    return "{:,.3g} ({:,.3g} to {:,.3g})".format(*figures) if figures else ""


if __name__ == "__main__":
    main()
