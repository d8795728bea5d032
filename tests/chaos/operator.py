"""The operator of a run, who does what a worker's message asks for.

A broker that crashes can lose the marker that ends a transaction in a partition. A worker then
says which transaction does not end, and that somebody has to abort it (H55). What
`kafka-transactions.sh abort` does is done here with Java's admin client: librdkafka can't do it.

`python -m tests.chaos.operator SERVERS TOPIC PARTITION OFFSET` aborts one transaction. It is a
process of its own, since the virtual machine stays until its process ends.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relay.local.download import kafka_libraries
from tests.jvm import start_jvm

__all__ = ["ASKED", "Operator", "abort"]

_LOOK_S: Final = 1.0
_ABORT_S: Final = 60.0
# The words of relay.publish.takeover.undecided.
ASKED: Final = re.compile(
    r"(\S+)\[(\d+)\] has a transaction that does not end: its records from offset (\d+)"
)


class Operator:
    """Reads the logs in a thread of its own.

    aborted: one line for each transaction. last_at: when the last one was aborted, as
    time.monotonic(); 0 if none was.
    """

    def __init__(self, folder: Path, servers: str, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._servers = servers
        self._say = say
        self._over = threading.Event()
        self.aborted: list[str] = []
        self.last_at = 0.0
        self._thread = threading.Thread(target=self._watch, name="operator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Looks at no log any more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: set[tuple[str, ...]] = set()
        while not self._over.wait(_LOOK_S):
            for log in sorted(self._folder.glob("*/log")):
                for asked in ASKED.findall(log.read_text(errors="replace")):
                    if asked not in seen:
                        seen.add(asked)
                        self._abort(*asked)

    def _abort(self, topic: str, partition: str, offset: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", __name__, self._servers, topic, partition, offset],
            capture_output=True,
            text=True,
            timeout=_ABORT_S,
            check=False,
        )
        said = (done.stdout or done.stderr).strip().splitlines()
        line = f"{topic}[{partition}], from offset {offset}: {said[-1] if said else 'nothing'}"
        self.aborted.append(line)
        self.last_at = time.monotonic()
        self._say(f"the operator: {line}")


def abort(servers: str, topic: str, partition: int, offset: int) -> str:
    """Aborts the transaction whose first record in a partition is at `offset`; what came of it."""
    libraries = kafka_libraries()
    jpype = start_jvm([*libraries.glob("kafka-clients-*.jar"), *libraries.glob("slf4j-*.jar")])
    admin_package = "org.apache.kafka.clients.admin"
    properties = jpype.JClass("java.util.Properties")()
    properties.put("bootstrap.servers", servers)
    place = jpype.JClass("org.apache.kafka.common.TopicPartition")(topic, partition)
    places = jpype.JClass("java.util.Collections").singleton(place)
    with jpype.JClass(f"{admin_package}.Admin").create(properties) as admin:
        found = admin.describeProducers(places).partitionResult(place).get().activeProducers()
        for producer in found:
            start = producer.currentTransactionStartOffset()
            if start.isPresent() and start.getAsLong() == offset:
                specification = jpype.JClass(f"{admin_package}.AbortTransactionSpec")(
                    place,
                    producer.producerId(),
                    jpype.JShort(producer.producerEpoch()),
                    producer.coordinatorEpoch().orElse(0),
                )
                admin.abortTransaction(specification).all().get()
                return f"aborted the transaction of producer {producer.producerId()}"
    return "no transaction begins there"


if __name__ == "__main__":
    print(abort(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
