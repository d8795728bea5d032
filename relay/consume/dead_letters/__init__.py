"""Dead letters of consumer groups: stored, produced, replayed, discarded, reconciled."""
