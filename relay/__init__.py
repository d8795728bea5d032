"""Transactional outbox relay: PostgreSQL to Kafka, in order per aggregate, exactly once.

What a service needs is imported from here; each name is loaded when it is first used.
"""

# Type checkers take it for true; an import of typing would take longer than this module.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from relay.bus import DomainEventBus, event_context
    from relay.consume import Context, Fatal, Group, Retryable
    from relay.events import DomainEvent

__all__ = [
    "Context",
    "DomainEvent",
    "DomainEventBus",
    "Fatal",
    "Group",
    "Retryable",
    "event_context",
]

__version__ = "0.1.0"

_HOMES = {
    "Context": "relay.consume.context",
    "DomainEvent": "relay.events",
    "DomainEventBus": "relay.bus",
    "Fatal": "relay.consume.failures",
    "Group": "relay.consume.group",
    "Retryable": "relay.consume.failures",
    "event_context": "relay.outbox.context",
}

# Type checkers know the names above and no others.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
