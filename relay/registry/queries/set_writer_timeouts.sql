-- A server that was frozen or cut off while it writes would keep all others from writing for as
-- long as TCP takes to notice: its session is ended when it stands still for too long.
select
    set_config('synchronous_commit', 'on', true),
    set_config('lock_timeout', %(lock_timeout)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle_timeout)s, true)
