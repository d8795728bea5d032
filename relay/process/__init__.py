"""Shared by long-running commands: supervision, signals, logs, waiting for servers."""
