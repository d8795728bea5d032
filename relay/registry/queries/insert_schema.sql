insert into registry.schemas (id, digest, text, refs)
values (%(id)s, %(digest)s, %(text)s, %(refs)s)
on conflict do nothing
returning id
