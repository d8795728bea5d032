select subject, bool_and(deleted_at is not null) as deleted
from registry.versions
where starts_with(subject, %(prefix)s)
group by subject
order by subject
