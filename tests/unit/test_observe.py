"""Whoever listens to the core can't disturb it."""

from __future__ import annotations

import logging
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest

from relay import observe
from relay.observe import Event, Events, ServerAvailable


def test_every_subscriber_gets_every_event_in_order() -> None:
    first: list[Event] = []
    second: list[Event] = []
    events = Events(first.append)
    events.subscribe(second.append)
    told = [ServerAvailable("Kafka", 1.0), ServerAvailable("PostgreSQL", 2.0)]
    for event in told:
        events.emit(event)
    assert first == second == told


def test_a_subscriber_that_fails_disturbs_nobody_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    seen: list[Event] = []

    def fails(event: Event) -> None:
        raise RuntimeError("does not work")

    events = Events(fails, seen.append)
    for _ in range(3):
        events.emit(ServerAvailable("Kafka", 1.0))
    assert len(seen) == 3
    assert len(caplog.records) == 1
    assert "ServerAvailable" in caplog.text


def test_every_event_is_a_frozen_value_and_named_in_all() -> None:
    kinds = get_args(Event)
    assert {kind.__name__ for kind in kinds} <= set(observe.__all__)
    for kind in kinds:
        assert is_dataclass(kind)
        assert fields(kind)
        assert kind.__dataclass_params__.frozen
