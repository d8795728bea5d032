"""Turns rows of the outbox into one transaction's content: what goes out, what is held and why."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from relay.capture.feed import ShardRows
from relay.capture.position import Step
from relay.capture.row import AGGREGATE_ID, AGGREGATE_TYPE, ID, OCCURRED_AT, SEQ, Row
from relay.errors import located, said
from relay.postgres.connect import storable
from relay.process.backoff import Backoff
from relay.publish.errors import OutcomeUnknown
from relay.publish.holds import Aggregate, Hold, Holds
from relay.publish.message import Message, Messages, NotPublishable, Route, RoutesOfRows, Waiting

__all__ = ["MOST_HELD", "Batch", "Builder", "cut"]

log = logging.getLogger(__name__)

# The position record lists each row that is not produced; so many keep it well under 1 MB.
MOST_HELD = 1_000
_LONGEST_ERROR = 500
# Seconds before the next look at a row whose schema or topic does not exist yet.
_WAITING_PAUSE = 2.0
# They grow with the number of holds: otherwise retries of very many would leave no time for others.
_WAITING_SHARE = 0.001


@dataclass(slots=True)
class Batch:
    """The content of one transaction, built while it is produced.

    messages: (seq, copy, message) to produce; built one by one as they are taken, so that they
    need no memory. copy: 0, or the number of another major version.
    Complete once the last message was taken: used: number of rows covered. held: rows that are not
    produced. released: seqs of held rows among the messages. attempts: of those, by seq, this one
    included.
    """

    rows: Sequence[Row]
    messages: Iterator[tuple[int, int, Message]] = field(default_factory=lambda: iter(()))
    used: int = 0
    held: list[Hold] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)

    def age(self) -> float | None:
        """Seconds since the first row's occurred_at; None without a row, or for a time that has no
        datetime."""
        try:
            occurred_at = datetime.fromisoformat(self.rows[0][OCCURRED_AT])
            return (datetime.now(UTC) - occurred_at).total_seconds()
        except (IndexError, ValueError, TypeError):
            return None


class Builder:
    """Builds batches for one shard. Owned by the shard's thread.

    Each row gets a message or a hold: any exception while its message is built, also one of a
    converter that exits, is a failed attempt of this row only.
    suspect: seqs of rows that the broker refused on their own, with its reason; each costs one
    attempt.
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

    def fresh(self, rows: Sequence[Row], routes: RoutesOfRows) -> Batch:
        """The batch of new rows; it ends before the last row when it holds too many."""
        batch = Batch(rows)
        batch.messages = self._build_fresh(batch, routes)
        return batch

    def again(
        self,
        runs: Sequence[Sequence[Hold]],
        rows: Sequence[Row],
        routes: RoutesOfRows,
    ) -> Batch:
        """The batch of held rows that are due; it ends early when too many are still held.

        runs: of each aggregate, its held events in order. rows: theirs.
        """
        batch = Batch(rows)
        batch.messages = self._build_again(batch, runs, routes)
        return batch

    def _build_fresh(
        self, batch: Batch, routes: RoutesOfRows
    ) -> Iterator[tuple[int, int, Message]]:
        blocked, held, suspect = self._holds.blocked(), batch.held, self.suspect
        build, copies, copied = self._messages.build, self._messages.copies, _copied(routes)
        for row in batch.rows:
            batch.used += 1
            if blocked and (row[AGGREGATE_TYPE], row[AGGREGATE_ID]) in blocked:
                held.append(_waiting(row))
            else:
                try:
                    if suspect and (reason := suspect.pop(row[SEQ], None)) is not None:
                        raise NotPublishable(reason)
                    message = build(row, routes)
                    beside = copies(row, routes, message) if copied else ()
                except OutcomeUnknown:
                    raise
                except BaseException as error:  # see the class
                    hold = self._failed(row, 0, error)
                    held.append(hold)
                    if self._holds.blocks(hold):
                        blocked.add(hold.aggregate)
                else:
                    for number, copy in beside:
                        yield row[SEQ], number, copy
                    yield row[SEQ], 0, message
                    continue
            if len(held) >= MOST_HELD:
                return

    def _build_again(
        self, batch: Batch, runs: Sequence[Sequence[Hold]], routes: RoutesOfRows
    ) -> Iterator[tuple[int, int, Message]]:
        by_seq = {row[SEQ]: row for row in batch.rows}
        for run in runs:
            for hold in run:
                if len(batch.held) >= MOST_HELD:
                    return
                batch.used += 1
                row = by_seq.get(hold.seq)
                if row is None:
                    # The row was deleted: nothing is left to publish.
                    batch.released.append(hold.seq)
                    continue
                if hold.discard is not None:
                    batch.held.append(replace(hold, state="discarded", retry_in=None))
                    continue
                try:
                    if (reason := self.suspect.pop(hold.seq, None)) is not None:
                        raise NotPublishable(reason)
                    message = self._messages.build(row, routes)
                    beside = self._messages.copies(row, routes, message)
                except OutcomeUnknown:
                    raise
                except BaseException as error:  # see the class
                    failed = self._failed(row, hold.attempts, error)
                    batch.held.append(failed)
                    if self._holds.blocks(failed):
                        break
                    continue
                for number, copy in beside:
                    yield hold.seq, number, copy
                yield hold.seq, 0, message
                batch.released.append(hold.seq)
                batch.attempts[hold.seq] = hold.attempts + 1

    def _failed(self, row: Row, attempts: int, error: BaseException) -> Hold:
        foreseen = isinstance(error, NotPublishable | Waiting)
        if not foreseen and not attempts:
            # Without messages, which may quote the payload.
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.warning(
                "the message of event %s can't be built: %s\n%s", row[ID], located(error), trace
            )
        why = said(error) if foreseen else f"its message can't be built: {located(error)}"
        aggregate = (row[AGGREGATE_TYPE], row[AGGREGATE_ID])
        hold = Hold(row[SEQ], row[ID], aggregate, "failing", attempts, _short(why))
        if isinstance(error, Waiting):
            return replace(hold, retry_in=max(_WAITING_PAUSE, _WAITING_SHARE * len(self._holds)))
        attempts += 1
        if attempts >= self._max_attempts:
            return replace(hold, state="dead", attempts=attempts)
        pause = self._backoff.after(attempts).total_seconds()
        return replace(hold, attempts=attempts, retry_in=pause)


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


def _waiting(row: Row) -> Hold:
    aggregate: Aggregate = (row[AGGREGATE_TYPE], row[AGGREGATE_ID])
    return Hold(
        row[SEQ], row[ID], aggregate, "held", 0, "waits for an earlier event of its aggregate"
    )


def _short(text: str) -> str:
    text = storable(text)
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
