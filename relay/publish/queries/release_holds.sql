delete from outbox.holds where seq = any(%(seqs)s)
