select
    reason,
    case when reason in ('unread', 'unknown') then topic end,
    case when reason in ('unread', 'unknown') then partition end,
    count(*)
from prune_batch
where reason is not null
group by 1, 2, 3
order by 1, 2, 3
