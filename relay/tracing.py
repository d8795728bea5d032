"""Trace context as W3C Trace Context writes it, from and to OpenTelemetry.

Only OpenTelemetry's API is used: without an SDK there is no current span and nothing is carried.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["context_from", "current_trace"]

_propagator = TraceContextTextMapPropagator()


def current_trace() -> dict[str, str]:
    """`traceparent` and, where there is one, `tracestate` of the current span; empty without one.

    Source: W3C Trace Context, section 3.
    """
    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier


def context_from(carrier: Mapping[str, str]) -> Context:
    """OpenTelemetry's context for spans that continue the trace of `traceparent` in `carrier`.

    carrier: an event's metadata or headers as text. A missing or malformed traceparent gives
    an empty context, as the standard asks.
    """
    return _propagator.extract(dict(carrier), Context())
