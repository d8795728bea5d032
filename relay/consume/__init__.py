"""Runs consumer groups: each record's handler takes effect once, in order per aggregate."""

from relay.consume.context import Context
from relay.consume.failures import Fatal, Poison, Retryable
from relay.consume.group import Group

__all__ = ["Context", "Fatal", "Group", "Poison", "Retryable"]
