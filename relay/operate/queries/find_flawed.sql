select id, flaw from verify_rows where flaw is not null order by seq limit %(most)s
