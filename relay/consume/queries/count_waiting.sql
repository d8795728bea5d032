select
    (select count(*) from inbox.parked where group_name = %(group)s) as parked,
    (select count(*) from inbox.dead_letters where group_name = %(group)s and unsent) as unsent
