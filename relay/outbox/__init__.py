"""The service's side: an event becomes a row of the outbox, in the service's transaction."""
