"""The conventions' metrics of tokens. They know neither agent nor session: they are their process's.

Two generations may come side by side, so the newer one goes by a better rank, and anything that tells single calls by
a better one still.
"""

from __future__ import annotations

from clawatch.apis.attributes import text
from clawatch.apis.telemetry import MetricPoint

OLD_RANK, NEW_RANK, CALL_RANK = 1, 2, 3

_OLD = "gen_ai.client.token.usage"
_OLD_TYPES = {"input": ("input",), "output": ("output",), "completion": ("output",), "prompt": ("input",)}
_NEW_PREFIX = "gen_ai.client.inference.usage."
_NEW = {
    "input_tokens": ("input",),
    "output_tokens": ("output",),
    "cache_read.input_tokens": ("cache_read",),
    "cache_write.input_tokens": ("cache_write",),
}
"""Input includes cached tokens, output those of reasoning; the histograms of both repeat them call by call."""


def measures_of(point: MetricPoint) -> tuple[tuple[str, ...], int]:
    """The measures a point adds to, none when it is no usage; and its generation's rank."""
    if point.name == _OLD and point.kind in ("histogram", "exponential_histogram", "sum"):
        return _OLD_TYPES.get(text(point.attributes, "gen_ai.token.type") or "", ()), OLD_RANK
    if point.kind == "sum" and point.name.startswith(_NEW_PREFIX):
        return _NEW.get(point.name.removeprefix(_NEW_PREFIX), ()), NEW_RANK
    return (), 0

