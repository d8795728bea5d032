insert into registry.settings (scope, compatibility) values (%(scope)s, %(value)s)
on conflict (scope) do update set compatibility = excluded.compatibility
