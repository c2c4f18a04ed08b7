"""python -m bench publish | deliver | purchase: measure, print a table, write bench/results/NAME.json.

Everything listens on 127.0.0.1, is bounded and stops by itself. Contenders run in turn, so that a machine whose speed
drifts drifts under all of them; a figure is the median of the runs, with the least and the most beside it.
"""

import argparse
import importlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=["publish", "deliver", "purchase"])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    measured = importlib.import_module(f"bench.{options.name}").measure(options.runs)

    table = {
        contender: {figure: [median(values), min(values), max(values)] for figure, values in figures.items()}
        for contender, figures in measured.items()
    }
    columns = list(next(iter(table.values())))
    width = max(map(len, table))
    print(" " * width, *(f"{column:>26}" for column in columns))
    for contender, figures in table.items():
        cells = (f"{middle:,.3g} ({least:,.3g} to {most:,.3g})" for middle, least, most in figures.values())
        print(f"{contender:<{width}}", *(f"{cell:>26}" for cell in cells))

    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    result = {"date": datetime.now(UTC).date().isoformat(), "machine": machine, "runs": options.runs}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{options.name}.json"
    path.write_text(json.dumps({**result, "median, least, most": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
