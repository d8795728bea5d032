"""Everything that talks to Kafka shares this: clients and their options, topics, headers."""
