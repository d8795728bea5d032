"""What long-running commands share: waiting for servers at the start, supervision, signals."""
