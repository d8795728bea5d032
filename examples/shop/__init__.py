"""A small shop: services that write their change, its audit row and its event together.

Every function joins the transaction of the session or connection that it is given; the caller
decides about commit and rollback.
"""
