create table public.orders (
    id text primary key,
    customer_id text not null,
    total numeric not null,
    placed_at timestamptz not null,
    handled_at timestamptz not null default clock_timestamp()
)
