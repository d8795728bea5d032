-- Consumer groups that have an inbox in this database.
select group_name from inbox.processed
union
select group_name from inbox.parked
union
select group_name from inbox.dead_letters
