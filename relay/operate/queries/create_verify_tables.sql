set work_mem = '64MB';

-- Columns as in ScannedRecord. copies: numbers of the copies that an original announces.
create temporary table verify_records (
    ce_id          text    not null,
    event_id       text    not null,
    topic          text    not null,
    partition      integer not null,
    kafka_offset   bigint  not null,
    copy           integer not null,
    sequence       bigint,
    aggregate_type text    not null,
    aggregate_id   text    not null,
    copies         integer[]
);

-- low: first offset left by retention. upto: where the reading ended. top: where the topic ended
-- after the table's snapshot was taken.
create temporary table verify_bounds (
    topic     text    not null,
    partition integer not null,
    low       bigint  not null,
    upto      bigint  not null,
    top       bigint  not null,
    primary key (topic, partition)
);

create temporary table verify_rows (
    seq     bigint not null,
    id      text   not null,
    verdict text   not null,
    flaw    text
)
