"""``python -m benchmarks [ingest|latency|reads|memory|fanout|tail|otlp|recordings]``: measure, and print a table."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import fanout, ingest, latency, machine, memory, otlp, reads, recordings, tail
from benchmarks.table import Row, show

Measure = Callable[[Path, int], Coroutine[Any, Any, list[Row]]]
MEASURES: dict[str, Measure] = {
    "ingest": ingest.measure, "latency": latency.measure, "reads": reads.measure, "memory": memory.measure,
    "recordings": recordings.measure,
    "fanout": fanout.measure, "tail": tail.measure, "otlp": otlp.measure,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure a daemon.")
    parser.add_argument("what", nargs="*", choices=[[], *MEASURES], metavar="|".join(MEASURES), help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="how often each figure is taken (3)")
    parser.add_argument("--home", type=Path, help="where data goes, and stores already made are found again")
    options = parser.parse_args()
    print(machine.describe(), end="\n\n")
    with tempfile.TemporaryDirectory() if options.home is None else nullcontext(options.home) as home:
        for name in options.what or MEASURES:
            rows: list[Row] = uvloop.run(MEASURES[name](Path(home) / name, options.rounds))
            print(f"### {name}\n\n{show(rows)}\n", flush=True)


if __name__ == "__main__":
    main()
