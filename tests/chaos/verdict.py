"""Holds rows, records, effects and flags against each other, without any I/O.

Like evidence.py it imports nothing of relay/.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from tests.chaos.evidence import Evidence, Record, Row
from tests.chaos.fates import GROUPS, fate_of

__all__ = ["QUESTIONS", "Finding", "judge"]

_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """Something that is not as promised. examples: some of the cases, in words."""

    question: str
    count: int
    examples: tuple[str, ...]


# What is asked -> what is counted. Everything has to be 0.
QUESTIONS: Mapping[str, str] = {
    "lost": "committed events in no topic",
    "twice": "records too many",
    "twice without a marker": "the same, where no marker lies between the two: the broker's fault",
    "phantom": "events in a topic and not in the outbox",
    "out of order": "records before an earlier event of their aggregate",
    "wrong content": "records whose key, headers or value are not their row's",
    "torn key": "aggregates in more than one partition",
    "hanging": "partitions whose end a read_committed consumer does not reach",
    "wrong flags": "rows that name another topic, partition or offset than their record's",
    "effect missing": "events that a group has not acted on",
    "effect twice": "effects too many",
    "effect out of order": "effects before that of an earlier event of the aggregate",
    "effect of nothing": "effects of events that are not in the outbox",
    "effect of the uncommitted": "effects of records that were never committed",
    "copy missing": "events whose handler's event is not there, or is there more than once",
    "dead for nothing": "dead letters of events whose handler would have done",
    "not dead": "events that failed for good and had no flag",
    "dead still": "dead letters that are not resolved after their replay",
    "dead letter missing": "dead letters without a record in their topic, or with another place",
    "parked still": "events that wait in a parked queue",
    "forgotten": "events that a writer committed and that are not in the outbox",
    "revived": "events that a writer rolled back, in outbox or topic",
}


def judge(evidence: Evidence, copy_each: int) -> list[Finding]:
    """All that is wrong. copy_each: the mirror copies events whose number this divides."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = {row.event_id: row for row in evidence.rows}
    first = _judge_records(evidence, rows, found)
    doomed = _doomed(evidence)
    _judge_flags(evidence.rows, first, found)
    _judge_effects(evidence, rows, first, doomed, found)
    _judge_copies(evidence, copy_each, found)
    _judge_dead(evidence, first, doomed, found)
    seen = rows.keys() | first.keys()
    found["forgotten"] += sorted(evidence.committed - rows.keys())
    found["revived"] += sorted(evidence.rolled_back & seen)
    found["hanging"] += evidence.unread
    found["parked still"] += ["in inbox.parked"] * evidence.parked
    return [
        Finding(question, len(found[question]), tuple(found[question][:_EXAMPLES]))
        for question in QUESTIONS
        if found[question]
    ]


def _judge_records(
    evidence: Evidence, rows: Mapping[str, Row], found: dict[str, list[str]]
) -> dict[str, Record]:
    """The first record of each event."""
    first: dict[str, Record] = {}
    newest: dict[tuple[str, str], int] = {}
    partitions: dict[tuple[str, str], int] = {}
    taken = {record[:3] for record in evidence.records}
    for record in evidence.records:
        where = f"{record.event_id} at {_place(record)}"
        if (row := rows.get(record.event_id)) is None:
            found["phantom"].append(where)
        elif _content(record) != (
            row.aggregate_id, row.event_type, row.aggregate_type, row.aggregate_id, row.seq,
            row.number,
        ):  # fmt: skip
            found["wrong content"].append(f"{where}: {_content(record)} of row {row}")
        if (before := first.get(record.event_id)) is not None:
            adjacent = before.partition == record.partition and all(
                (record.topic, record.partition, offset) in taken
                for offset in range(before.offset, record.offset)
            )
            question = "twice without a marker" if adjacent else "twice"
            found[question].append(f"{where}, first at {_place(before)}")
            continue
        first[record.event_id] = record
        key = (record.topic, record.key)
        if record.number < newest.get(key, 0):
            found["out of order"].append(f"{where}: number {record.number} after {newest[key]}")
        newest[key] = max(record.number, newest.get(key, 0))
        if partitions.setdefault(key, record.partition) != record.partition:
            found["torn key"].append(where)
    found["lost"] += [f"{row.event_id}, seq {row.seq}" for row in _without(rows, first)]
    return first


def _content(record: Record) -> tuple[object, ...]:
    return (
        record.key, record.event_type, record.aggregate_type, record.subject, record.sequence,
        record.number,
    )  # fmt: skip


def _without(rows: Mapping[str, Row], records: Mapping[str, Record]) -> Iterator[Row]:
    return (row for event_id, row in rows.items() if event_id not in records)


def _judge_flags(
    rows: Iterable[Row], first: Mapping[str, Record], found: dict[str, list[str]]
) -> None:
    for row in rows:
        record = first.get(row.event_id)
        place = record[:3] if record else None
        if record is not None and (row.topic, row.partition, row.offset) != place:
            flags = f"{row.topic}[{row.partition}]@{row.offset}"
            found["wrong flags"].append(f"{row.event_id} is at {_place(record)}, flags: {flags}")


def _judge_effects(
    evidence: Evidence,
    rows: Mapping[str, Row],
    first: Mapping[str, Record],
    doomed: Set[tuple[str, str]],
    found: dict[str, list[str]],
) -> None:
    done = Counter((effect.group, effect.event_id) for effect in evidence.effects)
    newest: dict[tuple[str, str], int] = {}
    for effect in evidence.effects:
        what = f"{effect.event_id} in {effect.group}"
        if effect.event_id not in rows:
            found["effect of nothing"].append(what)
        if (effect.event_id, effect.group) in doomed:
            continue  # its replay comes late
        record = first.get(effect.event_id)
        place = (effect.topic, effect.partition, effect.offset)
        if record is not None and place != record[:3]:
            found["effect of the uncommitted"].append(f"{what}: {place}, is at {_place(record)}")
        key = (effect.group, effect.aggregate_id)
        if effect.number < newest.get(key, 0):
            found["effect out of order"].append(f"{what}: {effect.number} after {newest[key]}")
        newest[key] = max(effect.number, newest.get(key, 0))
    for (group, event_id), times in done.items():
        found["effect twice"] += [f"{event_id} in {group}"] * (times - 1)
    found["effect missing"] += [
        f"{row.event_id} ({row.aggregate_id} {row.number}) in {group}"
        for row in rows.values()
        for group, types in GROUPS.items()
        if row.event_type in types and (group, row.event_id) not in done
    ]


def _judge_copies(evidence: Evidence, copy_each: int, found: dict[str, list[str]]) -> None:
    acted = {effect.event_id for effect in evidence.effects if effect.group == "mirror"}
    copies = Counter(row.of for row in evidence.rows if row.of and row.of == row.causation_id)
    expected = {
        row.event_id
        for row in evidence.rows
        if row.event_id in acted and row.number % copy_each == 0
    }
    found["copy missing"] += [
        f"{event_id}: {copies[event_id]} copies"
        for event_id in sorted(expected | {of for of in copies if of})
        if copies[event_id] != (event_id in expected)
    ]


def _judge_dead(
    evidence: Evidence,
    first: Mapping[str, Record],
    doomed: Set[tuple[str, str]],
    found: dict[str, list[str]],
) -> None:
    found["dead for nothing"] += _names(evidence.dead_before - doomed)
    found["not dead"] += _names(doomed - evidence.dead_before)
    found["dead still"] += _names(evidence.dead | (doomed - evidence.resolved))
    found["dead still"] += [row.event_id for row in evidence.rows if row.is_dead]
    written = defaultdict(set)
    for letter in evidence.dead_letters:
        written[letter.event_id, letter.group].add(letter.outcome)
        record = first.get(letter.event_id)
        if record is None or (letter.topic, letter.partition, letter.offset) != record[:3]:
            found["dead letter missing"].append(f"{letter} is not at the event's place")
    found["dead letter missing"] += _names(
        pair for pair in doomed if written[pair] != {"dead", "resolved"}
    )


def _doomed(evidence: Evidence) -> set[tuple[str, str]]:
    """(event, group) of what fails for good; once the handlers are fixed, nothing does any more."""
    return {
        (row.event_id, group)
        for row in evidence.rows
        if row.seq <= evidence.fixed_after
        for group, types in GROUPS.items()
        if row.event_type in types
        and (fate := fate_of(row.aggregate_id, row.number)).group == group
        and fate.is_doomed
    }


def _names(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{event_id} in {group}" for event_id, group in sorted(pairs)]


def _place(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"
