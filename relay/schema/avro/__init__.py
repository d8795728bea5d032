"""Avro: fingerprints, a strict encoder generated from the schema, and the way back."""
