"""What long-running commands share: supervision, signals, logs, waiting for servers."""
