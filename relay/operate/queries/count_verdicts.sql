select verdict, count(*), count(flaw) from verify_rows group by verdict
