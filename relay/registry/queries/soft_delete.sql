update registry.versions set deleted_at = now()
where subject = %(subject)s and version = any(%(versions)s) and deleted_at is null
