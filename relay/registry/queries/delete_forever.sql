delete from registry.versions
where subject = %(subject)s and version = any(%(versions)s) and deleted_at is not null
