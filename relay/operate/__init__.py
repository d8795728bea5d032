"""Read-only views for an operator: X-ray, timeline, status, lag, verify, doctor."""
