create schema if not exists shop;

create table if not exists shop.orders (
    id          text           primary key,
    number      text           not null unique,
    customer_id text           not null,
    recipient   text           not null,
    total       numeric(12, 2) not null,
    currency    text           not null,
    state       text           not null
        check (state in ('placed', 'checkout_sent', 'expired')),
    checkout_id text,
    created_at  timestamptz    not null default now()
);
create table if not exists shop.order_events (
    id       bigint      generated always as identity primary key,
    order_id text        not null references shop.orders,
    what     text        not null,
    event_id text        not null unique,
    by_whom  text        not null,
    at       timestamptz not null default now()
);

create table if not exists shop.payments (
    id          text           primary key,
    order_id    text           not null,
    customer_id text           not null,
    attempt     integer        not null,
    provider    text           not null,
    method      text           not null,
    amount      numeric(12, 2) not null,
    currency    text           not null,
    state       text           not null check (state in ('processing', 'captured', 'declined')),
    started_at  timestamptz    not null default now(),
    unique (order_id, attempt)
);
-- Money is taken once an order, whatever the provider reports twice.
create unique index if not exists payments_captured on shop.payments (order_id)
    where state = 'captured';
create table if not exists shop.payment_events (
    id         bigint      generated always as identity primary key,
    payment_id text        not null references shop.payments,
    what       text        not null,
    event_id   text        not null unique,
    at         timestamptz not null default now()
);

create table if not exists shop.price_agreements (
    id          text           primary key,
    customer_id text           not null,
    sku         text           not null,
    unit_price  numeric(12, 2) not null,
    currency    text           not null,
    valid_from  date           not null,
    revision    integer        not null
);
create table if not exists shop.price_agreement_events (
    id           bigint      generated always as identity primary key,
    agreement_id text        not null references shop.price_agreements,
    what         text        not null,
    event_id     text        not null unique,
    at           timestamptz not null default now()
);

create table if not exists shop.legacy_syncs (
    id          text        primary key,
    entity_ids  text[]      not null,
    state       text        not null check (state in ('requested', 'completed')),
    started_at  timestamptz not null default now()
);
create table if not exists shop.legacy_sync_events (
    id       bigint      generated always as identity primary key,
    sync_id  text        not null references shop.legacy_syncs,
    what     text        not null,
    event_id text        not null unique,
    at       timestamptz not null default now()
);

-- The shipments themselves are drafted by the group `fulfillment`, in a table of its own.
create table if not exists shop.shipment_events (
    id          bigint      generated always as identity primary key,
    shipment_id text        not null,
    what        text        not null,
    event_id    text        not null unique,
    at          timestamptz not null default now()
);
