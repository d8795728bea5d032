create schema if not exists registry;

-- An id belongs to one text for ever, under every subject: a row is never deleted, so that
-- records which carry the id stay readable after their subject is gone.
create table registry.schemas (
    id integer primary key check (id > 0),
    digest bytea not null unique check (length(digest) = 32),
    text text not null,
    refs jsonb not null default '[]' check (jsonb_typeof(refs) = 'array'),
    created_at timestamptz not null default now()
);

create table registry.versions (
    subject text not null check (subject <> ''),
    version integer not null check (version > 0),
    schema_id integer not null references registry.schemas (id),
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (subject, version)
);

create unique index versions_live_schema on registry.versions (subject, schema_id)
    where deleted_at is null;
create index versions_schema on registry.versions (schema_id);

-- scope: a subject, `:.context:` for a context, the empty text for everything.
create table registry.settings (
    scope text primary key,
    compatibility text check (compatibility in (
        'NONE', 'BACKWARD', 'BACKWARD_TRANSITIVE', 'FORWARD', 'FORWARD_TRANSITIVE',
        'FULL', 'FULL_TRANSITIVE')),
    mode text check (mode in ('READWRITE', 'READONLY', 'READONLY_OVERRIDE', 'IMPORT'))
);
