"""Options of librdkafka: what one kind of client refuses is said at the start."""

from __future__ import annotations

import re
from typing import Any

import pytest

from relay.errors import ConfigurationInvalid
from relay.kafka.clients import refuse_bad_options
from relay.publish.producer import AtLeastOnceProducer
from relay.settings import RESERVED_KAFKA_OPTIONS, Settings, load_settings


def settings_with(**options: Any) -> Settings:
    return load_settings(
        database_url="postgresql://-",
        kafka_bootstrap_servers="127.0.0.1:9",
        kafka_options={name.replace("_", "."): value for name, value in options.items()},
    )


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"fetch_wait_max_ms": -1}, "fetch.wait.max.ms"),
        ({"max_in_flight": 100}, "max.in.flight"),
        ({"message_timeout_ms": 999_999_999_999}, "message.timeout.ms"),
        ({"no_such_option": 1}, "no.such.option"),
        ({"debug": {}}, "debug"),
    ],
)
def test_an_option_that_any_kind_of_client_refuses_is_named_in_one_line(
    options: dict[str, Any], name: str
) -> None:
    with pytest.raises(ConfigurationInvalid, match="EVENT_BUS_KAFKA_OPTIONS") as raised:
        refuse_bad_options(settings_with(**options))
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", sorted(RESERVED_KAFKA_OPTIONS))
def test_an_option_that_the_guarantees_depend_on_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=re.escape(name)):
        settings_with(**{name.replace(".", "_"): "x"})


def test_good_options_are_not_refused() -> None:
    refuse_bad_options(settings_with(linger_ms=5, security_protocol="plaintext"))


def test_no_record_times_out_before_those_after_it() -> None:
    """With a time limit of its own, one record of a batch may be dropped and the next one not."""
    settings = settings_with()
    producer = AtLeastOnceProducer(settings, 0, 1_000_000)
    assert producer._own_options(settings, 0)["message.timeout.ms"] == 0
    producer.drop()
