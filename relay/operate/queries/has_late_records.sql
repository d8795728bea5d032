-- Whether any record is after one of a higher number under the same hash; cheap, and mostly no.
select
from (
    select
        sequence,
        max(sequence) over (
            partition by pg_catalog.hashtextextended(
                topic || chr(31) || partition || chr(31) || aggregate_type || chr(31) || aggregate_id,
                0::bigint
            )
            order by kafka_offset
            rows between unbounded preceding and 1 preceding
        ) as highest
    from verify_records
    where sequence is not null
) as numbered
where sequence < highest
limit 1
