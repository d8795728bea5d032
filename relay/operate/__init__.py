"""Answers an operator's questions: status, lag, one event's X-ray, verify, doctor."""
