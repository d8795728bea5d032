"""How an outage is logged: when it begins, once a minute, and when it is over."""

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
    outage.away("reader", "connection refused")
    assert outage.lasts
    clock.now += 45
    outage.back("reader")
    assert not outage.lasts
    assert caplog.messages == [
        "Kafka is unavailable, waiting for it: connection refused",
        "Kafka is available again after 45.0 s",
    ]


def test_while_an_outage_lasts_there_is_a_line_a_minute_however_often_it_is_reported(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1800):
        outage.away("reader", "connection refused")
        outage.away("flags", "connection refused")
        clock.now += 0.1
    assert len(caplog.messages) == 3
    assert caplog.messages[1] == "Kafka is still unavailable after 60 s: connection refused"


def test_an_outage_ends_with_the_last_one_who_misses_the_server(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.away("reader", "reset")
    outage.away("flags", "reset")
    outage.back("reader")
    assert outage.lasts
    assert len(caplog.messages) == 1
    outage.back("flags")
    assert not outage.lasts
    assert len(caplog.messages) == 2


def test_a_server_that_comes_and_goes_is_logged_once_a_minute(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(110):
        outage.away("reader", "reset")
        clock.now += 0.5
        outage.back("reader")
        clock.now += 0.5
    assert len(caplog.messages) == 4


def test_an_outage_that_lasts_is_logged_though_one_was_just_over(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.away("reader", "first")
    outage.back("reader")
    clock.now += 1
    outage.away("reader", "second")
    assert len(caplog.messages) == 2
    clock.now += 5
    outage.away("reader", "second")
    assert caplog.messages[2:] == ["Kafka is unavailable, waiting for it: second"]
    outage.back("reader")
    assert caplog.messages[3:] == ["Kafka is available again after 5.0 s"]


def test_whoever_never_missed_the_server_ends_nothing(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.away("reader", "reset")
    outage.back("flags")
    assert outage.lasts
