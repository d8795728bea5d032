-- Effects, seconds from the first to the last one, and the rates of the first and the last hundredth.
with numbered as (
    select handled_at, row_number() over (order by handled_at) as n, count(*) over () as total
    from public.orders
),
marks as (
    select
        max(total) as total,
        min(handled_at) as first_at,
        max(handled_at) as last_at,
        max(handled_at) filter (where n <= greatest(total / 100, 2)) as early_at,
        min(handled_at) filter (where n > total - greatest(total / 100, 2)) as late_at
    from numbered
)
select
    total,
    extract(epoch from last_at - first_at)::float8,
    greatest(total / 100, 2) / nullif(extract(epoch from early_at - first_at)::float8, 0),
    greatest(total / 100, 2) / nullif(extract(epoch from last_at - late_at)::float8, 0)
from marks
