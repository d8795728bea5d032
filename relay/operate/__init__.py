"""What an operator asks: X-ray, timeline, status, lag, verify, doctor."""
