"""`relay doctor` shows the sources of settings, and finds what would break a guarantee."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from relay.local.ports import HOST
from tests.integration.majors import add_major
from tests.relaying import SCHEMA_FIELDS, Relay, add_event_type


def examine(relay: Relay, **settings: str) -> tuple[int, dict[str, Any]]:
    """Exit status and document."""
    done = relay.command("doctor", "--json", **settings)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def of(document: dict[str, Any], check: str) -> list[tuple[str, str]]:
    """Levels and messages of one check."""
    return [(c["level"], c["message"]) for c in document["checks"] if c["check"] == check]


def test_a_sound_relay_has_no_failing_check(relay: Relay) -> None:
    status, document = examine(relay)
    assert [c for c in document["checks"] if c["level"] == "fail"] == []
    assert status == 0
    assert {"catalog", "database", "kafka", "migrations", "pins", "topics", "registry"} <= {
        c["check"] for c in document["checks"] if c["level"] == "ok"
    }


def test_every_setting_is_shown_with_its_source_and_without_secrets(relay: Relay) -> None:
    # Given settings from the environment, a .env file, a TOML file and by default
    (relay.folder / ".env").write_text("EVENT_BUS_MAX_ATTEMPTS=7\n")
    (relay.folder / "relay.toml").write_text("page_rows = 1000\nmax_attempts = 9\n")

    # When they are shown
    options = '{"sasl.password": "geheim", "client.dns.lookup": "use_all_dns_ips"}'
    _, document = examine(relay, EVENT_BUS_KAFKA_OPTIONS=options)
    settings = {s["name"]: (s["value"], s["source"]) for s in document["settings"]}

    # Then each has its source, and there is no secret in it
    assert settings["EVENT_BUS_MAX_ATTEMPTS"] == ("7", ".env")
    assert settings["EVENT_BUS_PAGE_ROWS"] == ("1000", "relay.toml")
    assert settings["EVENT_BUS_ON_DEAD"] == ("hold", "default")
    assert settings["EVENT_BUS_NAME"] == (relay.name, "environment")
    password = psycopg.conninfo.conninfo_to_dict(relay.database_url)["password"]
    assert password not in json.dumps(document)
    assert "geheim" not in json.dumps(document)
    assert "***" in settings["EVENT_BUS_DATABASE_URL"][0]


def test_bad_settings_end_with_2_in_one_line(relay: Relay) -> None:
    done = relay.command("doctor", EVENT_BUS_SHARDS="many")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "EVENT_BUS_SHARDS" in line


def test_rows_of_another_system_a_cached_sequence_and_an_unregistered_schema_fail(
    relay: Relay,
) -> None:
    # Given a restored row, a sequence with a cache, and a new schema
    relay.sql(
        "insert into outbox.domain_events (xid, event_type, aggregate_type, aggregate_id, payload) "
        "values ('4000000000', 'counted', 'counter', 'a', '{}')"
    )
    relay.sql("alter table outbox.domain_events alter column seq set cache 20")
    relay.add_event_type("measured", SCHEMA_FIELDS)

    # When it is examined, then each is a failure that says what to do
    status, document = examine(relay)
    assert status == 1
    assert "relay recover" in of(document, "foreign-rows")[0][1]
    assert "cache 20" in of(document, "sequence")[0][1]
    ((level, message),) = of(document, "registry")
    assert (level, "relay schemas register" in message) == ("fail", True)


def test_an_event_type_that_nobody_decided_about_and_reworded_files_are_no_failure(
    relay: Relay,
) -> None:
    # Given an event type that came when the review had begun, and other docs in an active version
    add_event_type(relay.folder / "schemas", relay.domain, "gifted", SCHEMA_FIELDS)
    file = relay.folder / "schemas" / relay.domain / "counted.v1.avsc"
    file.write_text(file.read_text().replace("free text", "any text"))

    # When it is examined, then the one is reported and the other is registered as approved
    status, document = examine(relay)
    ((level, message),) = of(document, "review")
    assert (status, level) == (0, "warn")
    assert "'gifted'" in message
    assert "relay schemas adopt" in message
    assert of(document, "registry") == [("ok", "all 1 active schemas are registered")]


def test_servers_that_can_t_be_reached_are_failures_and_the_rest_is_checked_all_the_same(
    relay: Relay,
) -> None:
    status, document = examine(
        relay,
        EVENT_BUS_DATABASE_URL=f"postgresql://nobody@{HOST}:9/nothing",
        EVENT_BUS_SCHEMA_REGISTRY_URL=f"http://{HOST}:9",
    )
    assert status == 1
    assert of(document, "database")[0][0] == "fail"
    assert of(document, "registry")[0][0] == "fail"
    assert of(document, "kafka")[0][0] == "ok"
    assert of(document, "topics")[0][0] == "ok"


def test_topics_that_one_broker_alone_has_are_a_warning(relay: Relay) -> None:
    status, document = examine(relay)
    ((level, message),) = of(document, "copies")
    assert (status, level) == (0, "warn")
    assert "have one copy" in message
    assert relay.topic in message


def test_another_number_of_shards_fails_the_pins(relay: Relay) -> None:
    status, document = examine(relay, EVENT_BUS_SHARDS="3")
    ((level, message),) = of(document, "pins")
    assert (status, level) == (1, "fail")
    assert "EVENT_BUS_SHARDS" in message


def test_a_converter_that_can_t_be_run_is_named(relay: Relay) -> None:
    _, document = examine(relay)
    assert of(document, "converters") == []
    add_major(relay.folder / "schemas", relay.domain)
    _, document = examine(relay)
    ((level, message),) = of(document, "converters")
    assert (level, message) == ("ok", "1 between major versions can be run")

    (relay.folder / "schemas" / relay.domain / "counted_v2.py").write_text("import no_such_module")
    status, document = examine(relay)
    ((level, message),) = of(document, "converters")
    assert (status, level) == (1, "fail")
    assert "counted_v2.py" in message
    assert "no_such_module" in message
