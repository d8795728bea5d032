"""What a reviewer of schemas reads: the difference in words, lint, and values really resolved."""
