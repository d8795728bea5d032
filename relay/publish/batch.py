"""Turns rows of the outbox into one transaction's content: what goes out, what is held and why."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from relay.capture.feed import ShardRows
from relay.capture.position import Step
from relay.capture.row import AGGREGATE_ID, AGGREGATE_TYPE, ID, SEQ, Row
from relay.errors import described, said
from relay.postgres.connect import storable
from relay.process.backoff import Backoff
from relay.publish.errors import OutcomeUnknown
from relay.publish.holds import Aggregate, Hold, Holds
from relay.publish.message import Message, Messages, NotPublishable, Route, RoutesOfRows, Waiting

__all__ = ["Batch", "Builder", "cut"]

log = logging.getLogger(__name__)

# The position record lists each row that is not produced; this many keep it well under 1 MB.
MOST_HELD = 1_000
_LONGEST_ERROR = 500
# Pause before a row is looked at again whose schema or topic is not there yet.
_WAITING_PAUSE = timedelta(seconds=2)


@dataclass(slots=True)
class Batch:
    """One transaction's content, which is made while it is produced.

    rows: that it is made of. messages: (seq, copy, message) to produce, each row's built when they
    are taken, so that no more of them need be kept; copy: 0, or the number of another major
    version. Complete once the last of them was taken:
    used: how many rows it has gone through. held: rows not produced, or still not. released: seqs
    of held rows among the messages. attempts: of those, by seq, this one counted.
    """

    rows: Sequence[Row]
    messages: Iterator[tuple[int, int, Message]] = field(default_factory=lambda: iter(()))
    used: int = 0
    held: list[Hold] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)


class Builder:
    """Builds batches for one shard. Owned by the shard's thread.

    Of each row there is a message or a reason why it has none: whatever is raised while it is
    built, also by a converter that ends the program, is a failed attempt of this row alone.
    suspect: rows that the broker refused when they came alone, with its reason; each counts as one
    attempt and is then forgotten.
    """

    def __init__(
        self, messages: Messages, holds: Holds, backoff: Backoff, max_attempts: int
    ) -> None:
        self._messages = messages
        self._holds = holds
        self._backoff = backoff
        self._max_attempts = max_attempts
        self.suspect: dict[int, str] = {}

    def routes(self, rows: Sequence[Row]) -> RoutesOfRows:
        """See Messages.routes; raises RegistryUnavailable."""
        return self._messages.routes(rows)

    def fresh(self, rows: Sequence[Row], routes: RoutesOfRows, now: datetime) -> Batch:
        """The batch of new rows; too many holds end it before the last row."""
        batch = Batch(rows)
        batch.messages = self._build_fresh(batch, routes, now)
        return batch

    def again(
        self,
        runs: Sequence[Sequence[Hold]],
        rows: Sequence[Row],
        routes: RoutesOfRows,
        now: datetime,
    ) -> Batch:
        """The batch of held rows whose turn has come.

        runs: of each aggregate, its held events in order. rows: theirs.
        """
        batch = Batch(rows)
        batch.messages = self._build_again(batch, runs, routes, now)
        return batch

    def _build_fresh(
        self, batch: Batch, routes: RoutesOfRows, now: datetime
    ) -> Iterator[tuple[int, int, Message]]:
        blocked, held, suspect = self._holds.blocked(), batch.held, self.suspect
        build, copies, copied = self._messages.build, self._messages.copies, _copied(routes)
        for row in batch.rows:
            batch.used += 1
            if blocked and (row[AGGREGATE_TYPE], row[AGGREGATE_ID]) in blocked:
                held.append(_behind(row))
            else:
                try:
                    if suspect and (reason := suspect.pop(row[SEQ], None)) is not None:
                        raise NotPublishable(reason)
                    message = build(row, routes)
                    beside = copies(row, routes, message) if copied else ()
                except OutcomeUnknown:
                    raise
                except BaseException as error:  # see the class
                    hold = self._failed(row, 0, error, now)
                    held.append(hold)
                    if hold.state != "dead" or self._holds.dead_blocks:
                        blocked.add(hold.aggregate)
                else:
                    for number, copy in beside:
                        yield row[SEQ], number, copy
                    yield row[SEQ], 0, message
                    continue
            if len(held) >= MOST_HELD:
                return

    def _build_again(
        self, batch: Batch, runs: Sequence[Sequence[Hold]], routes: RoutesOfRows, now: datetime
    ) -> Iterator[tuple[int, int, Message]]:
        by_seq = {row[SEQ]: row for row in batch.rows}
        for run in runs:
            for hold in run:
                batch.used += 1
                row = by_seq.get(hold.seq)
                if row is None:
                    batch.released.append(hold.seq)  # deleted by hand: nothing is left to publish
                    continue
                try:
                    if (reason := self.suspect.pop(hold.seq, None)) is not None:
                        raise NotPublishable(reason)
                    message = self._messages.build(row, routes)
                    beside = self._messages.copies(row, routes, message)
                except OutcomeUnknown:
                    raise
                except BaseException as error:  # see the class
                    failed = self._failed(row, hold.attempts, error, now)
                    batch.held.append(failed)
                    if failed.state != "dead" or self._holds.dead_blocks:
                        break
                    continue
                for number, copy in beside:
                    yield hold.seq, number, copy
                yield hold.seq, 0, message
                batch.released.append(hold.seq)
                batch.attempts[hold.seq] = hold.attempts + 1

    def _failed(self, row: Row, attempts: int, error: BaseException, now: datetime) -> Hold:
        foreseen = isinstance(error, NotPublishable | Waiting)
        if not foreseen and not attempts:
            trace = storable("".join(traceback.format_exception(error)))
            log.warning("the message of event %s can't be built: %s", row[ID], trace)
        why = said(error) if foreseen else f"its message can't be built: {described(error)}"
        aggregate = (row[AGGREGATE_TYPE], row[AGGREGATE_ID])
        hold = Hold(row[SEQ], row[ID], aggregate, "failing", attempts, _short(why))
        if isinstance(error, Waiting):
            return replace(hold, next_attempt_at=now + _WAITING_PAUSE)
        attempts += 1
        if attempts >= self._max_attempts:
            return replace(hold, state="dead", attempts=attempts)
        return replace(hold, attempts=attempts, next_attempt_at=now + self._backoff.after(attempts))


def cut(parts: Sequence[ShardRows], count: int) -> tuple[list[Step], list[ShardRows]]:
    """The steps that the first `count` rows of parts make up, and the parts left over."""
    steps: list[Step] = []
    for number, part in enumerate(parts):
        if len(part.rows) <= count:
            steps.append(part.step)
            count -= len(part.rows)
        elif count == 0:
            return steps, list(parts[number:])
        else:
            done, left = part.step.split(part.rows[count - 1][SEQ])
            rest = replace(part, step=left, rows=part.rows[count:])
            return [*steps, done], [rest, *parts[number + 1 :]]
    return steps, []


def _copied(routes: RoutesOfRows) -> bool:
    return any(isinstance(route, Route) and route.copies for route in routes.values())


def _behind(row: Row) -> Hold:
    aggregate: Aggregate = (row[AGGREGATE_TYPE], row[AGGREGATE_ID])
    return Hold(row[SEQ], row[ID], aggregate, "held", 0, "waits behind an earlier event")


def _short(text: str) -> str:
    text = storable(text)
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
