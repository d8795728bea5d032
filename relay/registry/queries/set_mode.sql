insert into registry.settings (scope, mode) values (%(scope)s, %(value)s)
on conflict (scope) do update set mode = excluded.mode
