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
        "prepare_threshold=HANDLERS_PREPARE if runs_handlers else None",
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
        "if found < count or (found > count and topic == positions_topic):",
        "if False:",
        ("tests/unit/test_positions_topic.py", "-k", "has_grown"),
    ),
    Mutant(
        "H12-one-copy-is-enough-for-a-write",
        "relay/kafka/*.py",
        'settings.setdefault("min.insync.replicas", "2")',
        "pass",
        ("tests/integration/test_hazard_kafka_brokers.py", "-k", "three_copies"),
    ),
    Mutant(
        "H12-nobody-looks-at-the-topic-again",
        "relay/publish/services.py",
        "            self._look_at_positions_topic()",
        "            pass",
        (TOPICS, "-k", "was_changed_is_reported"),
    ),
    Mutant(
        "H12-two-copies-of-a-topic",
        "relay/kafka/*.py",
        "min(3, self.known_brokers)",
        "min(2, self.known_brokers)",
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
        "self.failed(len(seqs))",
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
        "if topic not in topics:",
        "if False:",
        (TOPICS, "-k", "missing_topic_holds_its_own_events"),
    ),
    Mutant(
        "H16-a-missing-topic-is-written-to",
        "relay/publish/routes.py",
        "if topic not in topics:",
        "topics = {topic: TopicState(4, 1_000_000, 'delete'), **topics}\n        if False:",
        ("tests/integration/test_hazard_kafka_brokers.py", "-k", "never_created"),
    ),
    Mutant(
        "H16-a-topic-that-may-not-be-written-to-stops-its-shard",
        "relay/publish/producer_errors.py",
        "    KafkaError.TOPIC_AUTHORIZATION_FAILED,",
        "",
        ("tests/integration/test_kafka_security.py", "-k", "may_not_write"),
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
        "record = last_record(committed, *place)",
        'record = self.__dict__.setdefault(f"first record of {shard}", '
        "last_record(committed, *place))",
        ("tests/integration/test_outages.py", "-k", "expired_transactional_id"),
    ),
    Mutant(
        "H19-any-epoch-may-write-flags",
        "relay/publish/**/*.py",
        "if (shard, epoch) not in found:",
        "if False:",
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
        "where pg_try_advisory_xact_lock(distinct_queues.q)",
        "where true",
        ("tests/integration/test_consume_replay.py", "-k", "never_run_at_once"),
    ),
    Mutant(
        "H30-a-parked-key-is-not-looked-for",
        "relay/**/*.sql",
        "when w.found then 'parked'",
        "when w.found then 'free'",
        ("tests/integration/test_consume_failures.py", "-k", "later_events_of_a_parked_key_wait"),
    ),
    Mutant(
        "H30-events-overtake-those-of-a-busy-key",
        "relay/consume/lane.py",
        "if self._queue[0] in self._aside:",
        "if False:",
        ("tests/integration/test_consume_parked.py", "-k", "now_and_then"),
    ),
    Mutant(
        "H30-events-overtake-a-busy-one-after-a-failed-batch",
        "relay/consume/lane.py",
        "if item.key in busy:",
        "if False:",
        ("tests/integration/test_consume_parked.py", "-k", "now_and_then"),
    ),
    Mutant(
        "H44-parked-events-in-the-order-of-the-topic",
        "relay/postgres/schema.sql",
        "order by p.sequence, p.arrival\n            limit claim.most",
        "order by p.kafka_offset\n            limit claim.most",
        ("tests/integration/test_consume_parked.py", "-k", "made_anew"),
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
        "relay/schema/approvals/*.py",
        "if each.fingerprint == fingerprint]",
        "if each.version == number]",
        ("tests/integration/test_hazard_schema_versions.py", "-k", "own_version_1"),
    ),
    Mutant(
        "H33-a-decided-schema-is-known-by-its-number",
        "relay/schema/approvals/*.py",
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
        "relay/operate/queries/*.sql",
        "where not (select is_there from unique_id)",
        "where false",
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
        "H46-stuck-sessions-keep-their-locks",
        "relay/publish/services.py",
        "store.end_stuck_writers(patience_ms / 1000)",
        "pass",
        (OWNERS, "-k", "frozen_inside_its_flags"),
    ),
    Mutant(
        "H47-silence-is-waited-for",
        "relay/postgres/watched.py",
        "        connection.cut(since)",
        "        pass",
        ("tests/integration/test_hazard_source_failover.py", "-k", "freezes_without_a_word"),
    ),
    Mutant(
        "H47-groups-wait-for-a-silent-server",
        "relay/consume/session.py",
        "silence_s=self._idle_timeout_ms / 1000,",
        "",
        ("tests/integration/test_hazard_silence.py",),
    ),
    Mutant(
        "H48-a-pooler-is-taken-for-the-server",
        "relay/postgres/connect.py",
        "if served_by != connection.info.backend_pid:",
        "if False:",
        ("tests/integration/test_pooler.py", "-k", "refuses_a_pooler"),
    ),
    Mutant(
        "H49-an-outage-at-the-start-ends-it",
        "relay/process/waiting.py",
        "if server is None or (is_refused and not running):",
        "if True:",
        ("tests/integration/test_hazard_start_in_outage.py", "-k", "begins_once_it_is_over"),
    ),
    Mutant(
        "H49-one-bad-process-ends-all",
        "relay/process/supervisor.py",
        "any(each.was_sound for each in children)",
        "child.was_sound",
        ("tests/unit/test_supervisor.py",),
    ),
    Mutant(
        "H49-a-read-only-database-is-no-outage",
        "relay/unavailable.py",
        '    "25006",',
        "",
        ("tests/unit/test_unavailable.py",),
    ),
    Mutant(
        "H40-kafkas-offset-counts-alone",
        "relay/consume/positions.py",
        "return position if committed is None else min(position, committed)",
        "return OFFSET_BEGINNING if committed is None else committed",
        (
            "tests/integration/test_hazard_consumer_database.py",
            "-k",
            "standby and stopped",
        ),
    ),
    Mutant(
        "H40-another-server-goes-unnoticed",
        "relay/consume/**/*.py",
        "raise ServerChanged\n",
        "pass\n",
        (
            "tests/integration/test_hazard_consumer_database.py",
            "-k",
            "standby and running",
        ),
    ),
    Mutant(
        "H41-inbox-rows-of-any-transaction",
        "relay/postgres/schema.sql",
        "if settle.transaction_id <> pg_current_xact_id() then",
        "if false then",
        ("tests/integration/test_hazard_handlers.py", "-k", "settles_nothing_else and libpq"),
    ),
    Mutant(
        "H41-a-handlers-session-is-kept",
        "relay/consume/attempt.py",
        "clean(connection)",
        "pass",
        ("tests/integration/test_hazard_handlers.py", "-k", "does_not_reach and cursor_with_hold"),
    ),
    Mutant(
        "H41-an-open-transaction-is-used-again",
        "relay/consume/session.py",
        "self._close_unless_idle()",
        "pass",
        ("tests/integration/test_hazard_handlers.py", "-k", "leaves_open"),
    ),
    Mutant(
        "H42-a-disturbance-never-counts",
        "relay/consume/disturbed.py",
        "if not left:",
        "if False:",
        ("tests/integration/test_hazard_handlers.py", "-k", "looks_like_an_outage and crash"),
    ),
    Mutant(
        "H42-an-event-that-needs-too-much-memory-is-an-outage",
        "relay/unavailable.py",
        '{"25006", "40001",',
        '{"25006", "53200", "40001",',
        ("tests/unit/test_unavailable.py",),
    ),
    Mutant(
        "H43-a-handler-may-run-for-ever",
        "relay/consume/watchdog.py",
        "for handling in self._handlings.interrupt():",
        "for handling in []:",
        ("tests/integration/test_hazard_time_limit.py", "-k", "a_loop and live"),
    ),
    Mutant(
        "H43-an-attempt-that-cant-be-ended-is-not-counted",
        "relay/consume/watchdog.py",
        "self._count(handling)",
        "pass",
        ("tests/integration/test_hazard_time_limit.py", "-k", "cant_be_interrupted"),
    ),
    Mutant(
        "H43-deaths-are-not-noted",
        "relay/consume/lane.py",
        "elif item.partition.careful > 0:",
        "elif False:",
        ("tests/integration/test_hazard_deaths.py", "-k", "kills_its_process and exit"),
    ),
    Mutant(
        "H51-the-search-path-of-the-database",
        "relay/postgres/connect.py",
        '"search_path": "pg_catalog,pg_temp",',
        "",
        ("tests/integration/test_relay_sessions.py", "-k", "no_default"),
    ),
    Mutant(
        "H52-a-slow-batch-is-built-again-unchanged",
        "relay/publish/transaction.py",
        "self._limit.failed(len(batch.rows))",
        "pass",
        ("tests/integration/test_hazard_batches.py", "-k", "too_slow_for_one_transaction"),
    ),
    Mutant(
        "H50-a-server-never-goes-back",
        "relay/capture/position.py",
        "return self.last.may_precede(now)",
        "return True",
        ("tests/integration/test_hazard_source_restored.py", "-k", "nothing]"),
    ),
    Mutant(
        "H50-rows-that-are-not-found-were-delivered",
        "relay/publish/takeover/repair.py",
        "not tail.are_expired(consumer, record.ends, stops)",
        "False",
        ("tests/integration/test_hazard_source_restored.py", "-k", "rows]"),
    ),
    Mutant(
        "H55-an-open-transaction-is-not-waited-for",
        "relay/publish/takeover/undecided.py",
        "    wanted = dict(ends)\n",
        "    wanted: dict[Partition, int] = {}\n",
        ("tests/integration/test_hazard_kafka_undecided.py",),
    ),
    Mutant(
        "H54-offsets-of-a-former-topic-count",
        "relay/publish/takeover/read_from.py",
        'known["offsets"] if known.get("id") == topic.identifier else {}',
        'known.get("offsets", {})',
        ("tests/unit/test_read_from.py",),
    ),
    Mutant(
        "H70-a-discarded-event-is-tried-again",
        "relay/publish/batch.py",
        "if hold.discard is not None:",
        "if False:",
        ("tests/integration/test_discard_unpublished.py", "-k", "killed_between"),
    ),
    Mutant(
        "H70-a-discarded-event-loses-its-hold",
        "relay/publish/batch.py",
        'batch.held.append(replace(hold, state="discarded", retry_in=None))',
        "batch.released.append(hold.seq)",
        ("tests/integration/test_discard_unpublished.py", "-k", "through_a_recovery"),
    ),
    Mutant(
        "H71-a-pause-is-as-long-as-the-clocks-differ",
        "relay/publish/queries/load_holds.sql",
        "greatest(0, least(",
        "greatest(0, greatest(",
        ("tests/integration/test_relay_publishes.py", "-k", "clock_that_was_set_back"),
    ),
    Mutant(
        "H72-leaders-are-looked-for-when-the-client-likes",
        "relay/kafka/offsets.py",
        "if error.args[0].name() not in _STALE_METADATA:",
        "if True:",
        ("tests/integration/test_outages.py", "-k", "restarted_broker_leads_again"),
    ),
    Mutant(
        "H74-a-flag-of-an-aborted-record-stays",
        "relay/publish/takeover/repair.py",
        "if exactly_once and mirror.read_from is not None:",
        "if False:",
        (
            "tests/integration/test_hazard_kafka_undecided.py",
            "-k",
            "committed_and_undone and events and after",
        ),
    ),
    Mutant(
        "H74-an-aborted-position-is-believed",
        "relay/publish/takeover/repair.py",
        "and aborted is not None",
        "and False",
        (
            "tests/integration/test_hazard_kafka_undecided.py",
            "-k",
            "committed_and_undone and positions and before",
        ),
    ),
    Mutant(
        "H75-nobody-looks-for-shards-without-a-member",
        "relay/publish/takeover/membership.py",
        "self._unassigned.start()",
        "pass",
        ("tests/integration/test_hazard_rebalance.py", "-k", "before_joining"),
    ),
    Mutant(
        "H53-not-yours-drops-a-shard",
        "relay/publish/owned.py",
        "self._retry_at[number] = time.monotonic() + _RETRY_SECONDS",
        'self._retry_at[number] = float("inf")',
        ("tests/integration/test_hazard_rebalance.py", "-k", "ends_no_shard_that_stays"),
    ),
    Mutant(
        "H60-what-is-held-goes",
        "relay/operate/prune/queries/judge_batch.sql",
        "when h.seq is not null then h.state\n            when not coalesce",
        "when false then h.state\n            when false and not coalesce",
        ("tests/integration/test_prune.py", "-k", "settled_and_old"),
    ),
    Mutant(
        "H60-what-a-group-has-not-read-goes",
        "relay/operate/prune/queries/judge_batch.sql",
        ">= coalesce(r.below, 0)",
        "< 0",
        ("tests/integration/test_prune.py", "-k", "has_not_read"),
    ),
    Mutant(
        "H60-a-month-is-judged-once",
        "relay/operate/prune/months.py",
        "if batch.stays:",
        "if False:",
        ("tests/integration/test_partitions.py", "-k", "while_its_month_is_judged"),
    ),
    Mutant(
        "H61-inbox-rows-of-events-that-are-there-go",
        "relay/operate/prune/queries/delete_processed.sql",
        "and not exists (select from outbox.domain_events e where e.id = p.event_id)",
        "",
        ("tests/integration/test_prune.py", "-k", "inbox_rows_stay"),
    ),
    Mutant(
        "H61-any-retention-of-the-inbox-is-sound",
        "relay/operate/prune/inbox.py",
        "elif longest + _MARGIN > timedelta(days=days):",
        "elif False:",
        ("tests/integration/test_prune.py", "-k", "inbox_rows_stay"),
    ),
    Mutant(
        "H62-a-month-begins-twice",
        "relay/postgres/queries/begin_month.sql",
        "and coalesce(last_value, 0) < %(start)s",
        "",
        ("tests/integration/test_partitions.py", "-k", "never_lacks"),
    ),
    Mutant(
        "H63-capture-trusts-the-planner",
        "relay/capture/reader.py",
        'SESSION: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", '
        '"enable_mergejoin": "off"}',
        "SESSION: Final[dict[str, str]] = {}",
        ("tests/integration/test_growth.py", "-k", "needs_no_statistics and plain"),
    ),
)
