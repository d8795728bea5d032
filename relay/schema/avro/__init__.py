"""The model of Avro schemas, with a strict encoder, a decoder and fingerprints."""
