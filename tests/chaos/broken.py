"""Rules of the relay, each with the change that takes it out and the faults that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.mutants.rules import Mutant

__all__ = ["BROKEN", "Broken"]

_TRANSACTION: Final = "relay/publish/transaction.py"
_SCHEMA: Final = "relay/postgres/schema.sql"


@dataclass(frozen=True, slots=True)
class Broken(Mutant):
    """A mutant that a chaos run has to notice; it has no tests of its own.

    what: the rule that is gone. kinds: of faults in the run. faults: a plan instead. shows:
    questions of the verdict, or words of a problem, that come of it.
    """

    what: str = ""
    kinds: tuple[str, ...] = ()
    faults: str = ""
    shows: tuple[str, ...] = ()


BROKEN: Final = (
    Broken(
        "fencing",
        "relay/publish/producer.py",
        '"transactional.id": transactional_id(settings.name, shard),',
        '"transactional.id": f"{transactional_id(settings.name, shard)}.{id(self)}",',
        (),
        what="a new owner fences the old one",
        kinds=("worker-freeze-long",),
        shows=("twice", "out of order"),
    ),
    Broken(
        "position-apart",
        _TRANSACTION,
        """            published = producer.send(batch.messages)
            record, left = self._record(batch, parts, ends)
            producer.send_position(self._settings.positions_topic, self._shard, record.to_bytes())
            producer.flush()
""",
        """            messages = list(batch.messages)
            record, left = self._record(batch, parts, ends)
            producer.send_position(self._settings.positions_topic, self._shard, record.to_bytes())
            producer.flush()
            producer.commit()
            producer.begin()
            published = producer.send(messages)
            producer.flush()
""",
        (),
        what="the position commits together with its events",
        kinds=("worker-kill", "supervised-kill"),
        shows=("lost",),
    ),
    Broken(
        "inbox",
        "relay/consume/attempt.py",
        "inbox.settle(connection, ",
        "(lambda *_: None)(connection, ",
        (),
        what="an event's inbox row is written with its effects",
        kinds=("consumer-kill", "consumer-sessions-cut"),
        shows=("effect twice",),
    ),
    Broken(
        "flags-first",
        _TRANSACTION,
        """            self._await_ready(parts)
            producer.commit()
        except""",
        """            self._await_ready(parts)
            self._flags = self._deliveries.put(
                BatchOutcome(
                    self._shard,
                    self._taken.epoch,
                    record,
                    copy_text(published, batch.attempts),
                    tuple(batch.held),
                    tuple(batch.released),
                )
            )
            self.await_flags()
            producer.commit()
        except""",
        (),
        what="flags are written once the transaction is committed",
        kinds=("worker-kill", "supervised-kill"),
        shows=("lost", "wrong flags"),
    ),
    Broken(
        "offsets",
        "relay/consume/partition.py",
        "return self._open[0] if self._open else self._end",
        "return self._end",
        (),
        what="offsets are committed below the first record that is not settled",
        kinds=("consumer-kill", "consumer-freeze-long"),
        shows=("effect missing",),
    ),
    Broken(
        "read-uncommitted",
        "relay/kafka/clients.py",
        "                **watch.options(),\n",
        '                **watch.options(), "isolation.level": "read_uncommitted",\n',
        (),
        what="groups read what is committed",
        kinds=("worker-kill", "supervised-kill", "worker-freeze-long"),
        shows=("effect of the uncommitted", "dead letter missing"),
    ),
    Broken(
        "lane-order",
        "relay/consume/lane.py",
        "        for index, item in enumerate(items):\n",
        "        for index, item in sorted(enumerate(items), key=lambda i: i[0] in failures):\n",
        (),
        what="an event that fails keeps its place in the lane",
        kinds=("consumer-kill", "consumer-freeze-long"),
        shows=("effect out of order",),
    ),
    Broken(
        "parked-queue",
        _SCHEMA,
        "when w.found then 'parked'",
        "when w.found then 'free'",
        (),
        what="events wait behind a parked one of their key",
        kinds=("consumer-kill",),
        shows=("effect out of order",),
    ),
)
