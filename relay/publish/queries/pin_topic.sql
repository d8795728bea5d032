insert into outbox.topics (topic, partitions) values (%s, %s) on conflict (topic) do nothing
