"""How an outage is logged: when it begins, every few seconds, and when it ends."""

from __future__ import annotations

import logging

import pytest

from relay.observe import Events
from relay.outages import Outage
from relay.process.event_log import log_event


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage("Kafka", Events(log_event), clock)


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.unavailable("reader", "connection refused")
    assert outage.lasts
    clock.now += 45
    outage.recovered("reader")
    assert not outage.lasts
    assert caplog.messages == [
        "Kafka is unavailable, waiting for it: connection refused",
        "Kafka is available again after 45.0 s",
    ]


def test_while_an_outage_lasts_there_is_a_line_every_five_seconds_however_often_it_is_reported(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(300):
        outage.unavailable("reader", "connection refused")
        outage.unavailable("flags", "connection refused")
        clock.now += 0.1
    assert len(caplog.messages) == 6
    assert caplog.messages[1] == "Kafka is still unavailable after 5 s: connection refused"


def test_an_outage_ends_with_the_last_reporter(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.unavailable("reader", "reset")
    outage.unavailable("flags", "reset")
    outage.recovered("reader")
    assert outage.lasts
    assert len(caplog.messages) == 1
    outage.recovered("flags")
    assert not outage.lasts
    assert len(caplog.messages) == 2


def test_a_flapping_server_is_logged_once_a_minute(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(110):
        outage.unavailable("reader", "reset")
        clock.now += 0.5
        outage.recovered("reader")
        clock.now += 0.5
    assert len(caplog.messages) == 4


def test_an_outage_that_lasts_is_logged_though_one_was_just_over(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.unavailable("reader", "first")
    outage.recovered("reader")
    clock.now += 1
    outage.unavailable("reader", "second")
    assert len(caplog.messages) == 2
    clock.now += 5
    outage.unavailable("reader", "second")
    assert caplog.messages[2:] == ["Kafka is unavailable, waiting for it: second"]
    outage.recovered("reader")
    assert caplog.messages[3:] == ["Kafka is available again after 5.0 s"]


def test_a_reporter_that_never_lost_the_server_ends_nothing(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.unavailable("reader", "reset")
    outage.recovered("flags")
    assert outage.lasts
