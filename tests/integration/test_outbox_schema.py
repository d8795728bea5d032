"""schema.sql shows what the migrations lead to, and a database of unknown form is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files

import psycopg
import pytest

from relay.postgres.migrate import migrate, wanted_revision
from relay.postgres.sqlfile import load

SCHEMAS = ["outbox", "inbox", "registry"]

# Each gives (kind, name, definition) of what the three schemas hold, but for Alembic's own table.
CATALOG = {
    "relations": """
        select 'relation', c.oid::regclass::text,
            concat_ws(' ', c.relkind, c.relpersistence, c.reloptions, c.relrowsecurity,
                      obj_description(c.oid, 'pg_class'))
        from pg_class c
        where c.relkind in ('r', 'p', 'v', 'm', 'S')
            and c.relnamespace = any(%s::text[]::regnamespace[])""",
    "columns": """
        select 'column', c.oid::regclass || '.' || a.attname,
            concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                      nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
                      a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid),
                      col_description(c.oid, a.attnum))
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relkind in ('r', 'p', 'v', 'm')
            and c.relnamespace = any(%s::text[]::regnamespace[])""",
    "sequences": """
        select 'sequence', c.oid::regclass::text,
            concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
                      s.seqcache, s.seqcycle)
        from pg_class c
        join pg_sequence s on s.seqrelid = c.oid
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "constraints": """
        select 'constraint', c.oid::regclass || ' ' || k.conname, pg_get_constraintdef(k.oid)
        from pg_class c
        join pg_constraint k on k.conrelid = c.oid
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "indexes": """
        select 'index', i.indexrelid::regclass::text,
            pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' invalid' end
        from pg_class c
        join pg_index i on i.indrelid = c.oid
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "views": """
        select 'view', c.oid::regclass::text, pg_get_viewdef(c.oid)
        from pg_class c
        where c.relkind in ('v', 'm')
            and c.relnamespace = any(%s::text[]::regnamespace[])""",
    "triggers": """
        select 'trigger', c.oid::regclass || ' ' || t.tgname,
            concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
        from pg_class c
        join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "grants": """
        select 'grant', c.oid::regclass || coalesce('.' || a.attname, ''), acl::text
        from pg_class c
        cross join lateral (
            select null::name as attname, unnest(c.relacl) as acl
            union all
            select a.attname, unnest(a.attacl)
            from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
        ) a
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "functions": """
        select 'function', c.oid::regprocedure::text,
            concat_ws(' ', pg_get_functiondef(c.oid), c.proacl, obj_description(c.oid, 'pg_proc'))
        from (select oid, pronamespace as relnamespace, proacl from pg_proc where prokind <> 'a') c
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "types": """
        select 'type', c.oid::regtype::text, c.typtype::text
        from (select oid, typnamespace as relnamespace, typtype from pg_type
              where typtype in ('d', 'e', 'r')) c
        where c.relnamespace = any(%s::text[]::regnamespace[])""",
    "grants on schemas": """
        select 'grant', nspname::text, nspacl::text from pg_namespace where nspname = any(%s)""",
}


def catalog_of(url: str) -> set[tuple[str, str, str | None]]:
    """(kind, name, definition) of everything in the three schemas."""
    found: set[tuple[str, str, str | None]] = set()
    with psycopg.connect(url) as connection:
        for query in CATALOG.values():
            found |= set(connection.execute(query, [SCHEMAS]))
    own = ("outbox.migrations", "outbox.migrations_pkc")
    return {row for row in found if not row[1].split(" ")[0].startswith(own)}


@pytest.fixture
def written_url(database: str) -> str:
    """URL of a database that schema.sql was applied to."""
    schema = files("relay.postgres").joinpath("schema.sql").read_bytes()
    with psycopg.connect(database) as connection:
        connection.execute(schema)
        connection.execute(load("relay.postgres", "grant_writers.sql"))
    return database


def test_schema_sql_is_what_the_migrations_lead_to(database_url: str, written_url: str) -> None:
    migrated, written = catalog_of(database_url), catalog_of(written_url)
    assert sorted(migrated - written, key=str) == []
    assert sorted(written - migrated, key=str) == []
    assert {kind for kind, _, _ in written} == {
        "relation", "column", "sequence", "constraint", "index", "view", "trigger", "grant",
        "function",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("relation", "alter table outbox.deliveries set unlogged"),
        ("relation", "create table inbox.extra ()"),
        ("relation", "comment on table inbox.processed is 'something else'"),
        ("column", "alter table outbox.shards alter column worker type varchar(9)"),
        ("column", "alter table outbox.deliveries alter column attempts set default 2"),
        ("column", "alter table outbox.shards alter column epoch drop not null"),
        ("column", "alter table registry.settings add column extra text"),
        ("column", "comment on column inbox.parked.attempts is 'something else'"),
        ("sequence", "alter table outbox.domain_events alter column seq set cache 20"),
        ("constraint", "alter table outbox.holds drop constraint holds_check"),
        ("index", "drop index outbox.outcomes_dead"),
        ("view", "create or replace view outbox.domain_event_status as {view} where e.seq > 0"),
        ("trigger", "alter table outbox.schema_history disable trigger schema_history_append_only"),
        ("grant", "grant delete on outbox.domain_events to outbox_writer"),
        ("grant", "revoke insert (payload) on outbox.domain_events from outbox_writer"),
        ("grant", "grant usage on schema inbox to outbox_writer"),
        ("function", "alter function outbox.cuid2 volatile reset all"),
        ("function", "create or replace function outbox.shard_of(aggregate_id text, shards integer)"
                     " returns integer language sql immutable parallel safe as 'select 0'"),
        ("function", "revoke execute on function outbox.publish from public"),
        ("type", "create type outbox.extra as enum ('a')"),
    ],
)  # fmt: skip
def test_a_difference_of_every_kind_is_found(
    database_url: str, written_url: str, kind: str, statement: str
) -> None:
    with psycopg.connect(written_url) as connection:
        view = connection.execute(
            "select rtrim(pg_get_viewdef('outbox.domain_event_status'::regclass), ';')"
        ).fetchone()
        connection.execute(statement.format(view=view[0] if view else ""))
    assert kind in {row[0] for row in catalog_of(database_url) ^ catalog_of(written_url)}


@pytest.fixture
def unknown_url(database_url: str) -> Iterator[str]:
    """URL of a database at a revision that this version does not know, with an event in it."""
    with psycopg.connect(database_url) as connection:
        connection.execute("update outbox.migrations set version_num = '0008_search_path'")
        connection.execute("select outbox.publish('order.noted', 'order', 'order-1', '{}')")
    yield database_url
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select version_num from outbox.migrations").fetchall() == [
            ("0008_search_path",)
        ]
        assert connection.execute("select count(*) from outbox.domain_events").fetchone() == (1,)


def test_a_database_at_an_unknown_revision_is_refused_in_one_line_and_kept(
    unknown_url: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "relay.cli.main", "migrate"],
        env=os.environ
        | {
            "EVENT_BUS_DATABASE_URL": unknown_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
            "EVENT_BUS_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
            "EVENT_BUS_SCHEMAS_DIR": "schemas",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert "revision 0008_search_path" in line
    assert "EVENT_BUS_DATABASE_URL to an empty database" in line


def test_a_database_whose_events_were_discarded_is_migrated(database_url: str) -> None:
    before = catalog_of(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("update outbox.migrations set version_num = '0008_search_path'")
        connection.execute("drop schema if exists outbox, inbox, registry cascade")
    migrate(database_url)
    assert catalog_of(database_url) == before


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = catalog_of(database_url)
    migrate(database_url)
    assert catalog_of(database_url) == before
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select version_num from outbox.migrations").fetchall() == [
            (wanted_revision(),)
        ]
