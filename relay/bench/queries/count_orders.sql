select count(*) from public.orders
