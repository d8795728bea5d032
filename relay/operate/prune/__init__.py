"""`relay prune`: deletes what nobody needs any more, and says what stays and why."""
