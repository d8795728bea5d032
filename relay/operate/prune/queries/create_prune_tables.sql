-- A batch of events with the reason why each stays; null: it may go.
create temporary table prune_batch (
    seq        bigint      not null,
    id         text        not null,
    shard      integer     not null,
    created_at timestamptz not null,
    reason     text,
    topic      text,
    partition  integer
);

-- Events that a consumer group of this database is not done with, and why.
create temporary table prune_open (
    id     text primary key,
    reason text not null
);

-- The first offset of each partition that not every consumer group has read.
create temporary table prune_read (
    topic     text    not null,
    partition integer not null,
    below     bigint  not null,
    primary key (topic, partition)
)
