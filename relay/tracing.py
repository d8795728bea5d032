"""Trace context as W3C Trace Context writes it, from and to OpenTelemetry.

Only OpenTelemetry's API is used: without an SDK there is no current span and nothing is carried.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["context_from", "current_trace"]


def current_trace() -> dict[str, str]:
    """`traceparent` and, where there is one, `tracestate` of the current span; empty without one.

    Source: W3C Trace Context, section 3.
    """
    # Without an import of it nobody has begun a span, and it takes longer than all of publishing.
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry import trace

    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    carrier: dict[str, str] = {}
    _propagator().inject(carrier)
    return carrier


def context_from(carrier: Mapping[str, str]) -> Context:
    """OpenTelemetry's context for spans that continue the trace of `traceparent` in `carrier`.

    carrier: an event's metadata or headers as text. A missing or malformed traceparent gives
    an empty context, as the standard asks.
    """
    from opentelemetry.context import Context

    return _propagator().extract(dict(carrier), Context())


@cache
def _propagator() -> TraceContextTextMapPropagator:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()
