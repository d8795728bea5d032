"""Configuration of the local broker."""

from __future__ import annotations

from pathlib import Path

from relay.local.kafka_config import broker_properties, java_options, render


def test_given_properties_override_the_defaults() -> None:
    found = broker_properties(
        port=1, controller_port=2, data=Path("/d"), extra={"message.max.bytes": "10"}
    )

    assert found["message.max.bytes"] == "10"
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"


def test_a_missing_topic_is_never_created_automatically() -> None:
    found = broker_properties(port=1, controller_port=2, data=Path("/d"), extra={})

    assert found["auto.create.topics.enable"] == "false"


def test_a_backslash_is_escaped_in_properties() -> None:
    assert render({"log.dirs": "C:\\data"}) == "log.dirs=C:\\\\data\n"


def test_figures_are_measured_with_a_larger_heap_than_tests_need() -> None:
    assert "-Xmx256m" in java_options("small")
    assert "-Xmx1G" in java_options("measuring")
