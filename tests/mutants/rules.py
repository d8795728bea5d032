"""The rules of hazards (docs/hazards.md), each with the change that takes it out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "Mutant"]

OWNERS = "tests/integration/test_hazard_kafka_owners.py"
TOPICS = "tests/integration/test_hazard_kafka_topics.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to the relay, and what has to fail because of it.

    name: `H<number>` and what is gone, in words joined by hyphens. files: glob from the project's
    root; the change is made wherever `text` stands in them. tests: arguments of pytest.
    """

    name: str
    files: str
    text: str
    replacement: str
    tests: tuple[str, ...]

    @property
    def hazard(self) -> str:
        """`H<number>`."""
        return self.name.partition("-")[0]


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "H1-commits-before-the-disk",
        "relay/publish/**/*.py",
        "part.durable.result(self._patience)",
        "pass",
        ("tests/integration/test_hazard_source_crash.py", "-k", "known_to_be_on_disk"),
    ),
    Mutant(
        "H2-an-older-timeline-is-trusted",
        "relay/publish/**/*.py",
        "if record.identity.timeline < identity.timeline:",
        "if False:",
        ("tests/unit/test_resume.py",),
    ),
    Mutant(
        "H4-no-lock-on-the-aggregate",
        "relay/**/*.sql",
        "pg_advisory_xact_lock(outbox.aggregate_lock(",
        "abs(outbox.aggregate_lock(",
        ("tests/integration/test_publish_bus_order.py", "-k", "draws_no_number"),
    ),
    Mutant(
        "H4-a-cached-sequence-is-sound",
        "relay/operate/**/*.py",
        "if facts.sequence_cache != 1 or",
        "if",
        ("tests/integration/test_outbox_checks.py", "-k", "hands_out_numbers_in_advance"),
    ),
    Mutant(
        "H5-statements-are-prepared",
        "relay/postgres/*.py",
        "prepare_threshold=None",
        "prepare_threshold=5",
        ("tests/integration/test_hazard_source_snapshots.py", "-k", "tenth_run"),
    ),
    Mutant(
        "H6-a-reader-inside-a-transaction",
        "relay/capture/*.py",
        "if not connection.autocommit:",
        "if False:",
        ("tests/integration/test_hazard_source_snapshots.py", "-k", "inside_a_transaction"),
    ),
    Mutant(
        "H10-commits-before-the-last-flags",
        "relay/publish/transaction.py",
        "        self.await_flags()\n",
        "        pass\n",
        (OWNERS, "-k", "before_the_flags_of_the_last_one"),
    ),
    Mutant(
        "H10-rows-not-produced-are-not-recorded",
        "relay/publish/**/*.py",
        "not_produced=tuple(batch.held)",
        "not_produced=()",
        (OWNERS, "-k", "not_produced_are_not_forgotten"),
    ),
    Mutant(
        "H11-another-number-of-partitions",
        "relay/publish/**/*.py",
        "if found is not None and found != count:",
        "if False:",
        (TOPICS, "-k", "more_partitions_of_a_topic_are_refused"),
    ),
    Mutant(
        "H12-one-copy-is-enough-for-a-write",
        "relay/kafka/*.py",
        'settings.setdefault("min.insync.replicas", "2")',
        "pass",
        ("tests/integration/test_hazard_kafka_brokers.py", "-k", "three_copies"),
    ),
    Mutant(
        "H12-two-copies-of-a-topic",
        "relay/kafka/*.py",
        "min(3, cluster.brokers)",
        "min(2, cluster.brokers)",
        ("tests/integration/test_hazard_kafka_brokers.py", "-k", "three_copies"),
    ),
    Mutant(
        "H13-the-last-record-is-near-the-end",
        "relay/publish/**/*.py",
        "            step *= _STEP_GROWTH\n",
        "            break\n",
        (TOPICS, "-k", "though_it_is_never_at_the_high_watermark"),
    ),
    Mutant(
        "H14-isolation-level-may-be-set",
        "relay/settings.py",
        '"isolation.level",',
        "",
        (TOPICS, "-k", "options_that_the_promise_depends_on"),
    ),
    Mutant(
        "H15-a-refused-batch-is-not-halved",
        "relay/publish/**/*.py",
        "self.rows = max(1, len(seqs) // 2)",
        "pass",
        (TOPICS, "-k", "no_limit_explains"),
    ),
    Mutant(
        "H15-a-row-refused-by-itself-is-no-suspect",
        "relay/publish/**/*.py",
        "self.suspect = {seqs[0]: reason}",
        "pass",
        (TOPICS, "-k", "no_limit_explains"),
    ),
    Mutant(
        "H16-a-missing-topic-costs-attempts",
        "relay/publish/**/*.py",
        "if topic not in self._topics:",
        "if False:",
        (TOPICS, "-k", "missing_topic_holds_its_own_events"),
    ),
    Mutant(
        "H16-a-missing-topic-is-written-to",
        "relay/publish/routes.py",
        "if topic not in self._topics:",
        "self._topics = {topic: TopicState(4, 1_000_000, 'delete'), **self._topics}\n"
        "        if False:",
        ("tests/integration/test_hazard_kafka_brokers.py", "-k", "never_created"),
    ),
    Mutant(
        "H17-the-group-is-not-asked",
        "relay/publish/**/*.py",
        "if membership.confirm(number):",
        "if True:",
        ("tests/integration/test_hazard_kafka_group.py", "-k", "before_the_group_has_answered"),
    ),
    Mutant(
        "H18-the-position-is-read-once",
        "relay/publish/services.py",
        "last_record(consumer, self.settings.positions_topic, shard)",
        'self.__dict__.setdefault(f"first record of {shard}", '
        "last_record(consumer, self.settings.positions_topic, shard))",
        ("tests/integration/test_outages.py", "-k", "expired_transactional_id"),
    ),
    Mutant(
        "H19-any-epoch-may-write-flags",
        "relay/publish/**/*.py",
        "        if stale:\n            raise Fenced(",
        "        if False:\n            raise Fenced(",
        (OWNERS, "-k", "zombies_unfenced_flag_writes"),
    ),
    Mutant(
        "H19-the-tail-is-not-bounded",
        "relay/publish/**/*.py",
        "ends=ends,",
        "ends={topic: {} for topic in ends},",
        (OWNERS, "-k", "redone_from_the_topics_ends"),
    ),
    Mutant(
        "H30-no-lock-on-the-key",
        "relay/**/*.sql",
        "perform pg_advisory_xact_lock(a_queue)",
        "perform a_queue",
        ("tests/integration/test_consume_replay.py", "-k", "never_run_at_once"),
    ),
    Mutant(
        "H30-a-parked-key-is-not-looked-for",
        "relay/**/*.sql",
        "return 'parked';",
        "return 'free';",
        ("tests/integration/test_consume_failures.py", "-k", "later_events_of_a_parked_key_wait"),
    ),
    Mutant(
        "H31-a-handler-may-idle-for-long",
        "relay/consume/*.py",
        "int(session_timeout_ms * IDLE_SHARE)",
        "int(session_timeout_ms * 1000)",
        ("tests/integration/test_consume_failures.py", "-k", "idle_for_too_long"),
    ),
    Mutant(
        "H32-a-late-outcome-wins",
        "relay/consume/**/*.sql",
        "where outcomes.attempt < excluded.attempt",
        "",
        ("tests/integration/test_consume_replay.py", "-k", "outcome_that_comes_late"),
    ),
    Mutant(
        "H33-a-schema-is-known-by-its-number",
        "relay/publish/**/*.py",
        "if v.fingerprint == fingerprint]",
        "if v.version == number]",
        ("tests/integration/test_hazard_schema_versions.py", "-k", "own_version_1"),
    ),
    Mutant(
        "H33-a-decided-schema-is-known-by-its-number",
        "relay/publish/**/*.py",
        "if each.fingerprint == fingerprint]",
        "if each.version == number]",
        ("tests/unit/test_routes_review.py",),
    ),
    Mutant(
        "H34-any-whole-number-is-an-int",
        "relay/schema/avro/*.py",
        "if not -bound <= value < bound:",
        "if False:",
        ("tests/unit/test_avro_encoder.py", "-k", "beyond_32_bits"),
    ),
    Mutant(
        "H35-a-copy-has-its-originals-id",
        "relay/schema/majors/*.py",
        'return f"{event_id}/{self.subject}"',
        "return event_id",
        ("tests/integration/test_major_versions.py", "-k", "with_ids_of_their_own"),
    ),
    Mutant(
        "H38-rows-with-one-id-are-not-looked-for",
        "relay/operate/*.py",
        'if not _one(connection, "has_unique_id.sql"):',
        "if False:",
        ("tests/integration/test_verify.py", "-k", "rows_with_one_id"),
    ),
    Mutant(
        "H39-a-commit-sent-twice-is-no-doubt",
        "relay/publish/**/*.py",
        "raise CommitResent(",
        "log.debug(",
        ("tests/integration/test_hazard_end_txn.py",),
    ),
    Mutant(
        "H45-only-foreseen-errors-fail-a-row",
        "relay/publish/batch.py",
        "except BaseException as error:",
        "except (NotPublishable, Waiting) as error:",
        ("tests/unit/test_batch.py",),
    ),
    Mutant(
        "H49-an-outage-at-the-start-ends-it",
        "relay/process/waiting.py",
        "except OUTAGES as error:",
        "except ZeroDivisionError as error:",
        ("tests/integration/test_hazard_start_in_outage.py", "-k", "begins_once_it_is_over"),
    ),
    Mutant(
        "H53-not-yours-drops-a-shard",
        "relay/publish/owned.py",
        "self._retry_at[number] = time.monotonic() + _RETRY_SECONDS",
        'self._retry_at[number] = float("inf")',
        ("tests/integration/test_hazard_rebalance.py", "-k", "ends_no_shard_that_stays"),
    ),
)
