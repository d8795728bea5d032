"""Reads the current span of OpenTelemetry as W3C Trace Context.

Only OpenTelemetry's API is used: without an SDK there is no current span.
"""

from __future__ import annotations

import sys

__all__ = ["current_trace"]


def current_trace() -> dict[str, str]:
    """Returns `traceparent` and, if set, `tracestate` of the current span; {} without a span.

    Source: W3C Trace Context, section 3.
    """
    # If nobody has imported it, no span exists; the import takes longer than publishing.
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry import trace

    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier
