"""Where spans go: the only part that has to know of ClaWatch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


@contextmanager
def provider(name: str) -> Iterator[TracerProvider]:
    """A tracer provider whose spans go to ClaWatch; what is left is sent at the end.

    ``name`` is what the agent is called there. ``$CLAWATCH_KEY`` is a key that may ingest, ``$CLAWATCH_URL`` the
    address, where it is not this machine's.
    """
    url = os.environ.get("CLAWATCH_URL", "http://127.0.0.1:8787").rstrip("/")
    exporter = OTLPSpanExporter(f"{url}/v1/traces", headers={"X-ClaWatch-Key": os.environ["CLAWATCH_KEY"]})
    traces = TracerProvider(resource=Resource.create({"service.name": name}))
    traces.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield traces
    finally:
        traces.shutdown()
