"""Reads how the broker answered each EndTxn request of a producer."""

from __future__ import annotations

import logging
import re
from typing import Any

from relay.kafka.client_log import ClientLog

__all__ = ["EndTxnLog"]

# librdkafka, src/rdkafka_txnmgr.c, rd_kafka_txn_handle_EndTxn.
_ANSWER = re.compile(r"EndTxn returned (\w+) in state")
_DEBUG_LEVEL = 7
# rd_kafka_txn_set_abortable_error
_FAILED = "TXNERR"


class EndTxnLog(ClientLog):
    """The `logger` of a transactional producer.

    librdkafka sends EndTxn again by itself, inside commit_transaction, where the connection breaks
    or stays silent. No call, callback or statistic of the client reports that; only its debug line
    for each answer does.

    answers: names of the errors with which EndTxn was answered, `NO_ERROR` among them, `_TRANSPORT`
    where the connection broke. failure: why the transaction can only be aborted, in librdkafka's
    words. The owner clears both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []
        self.failure = ""

    def options(self, debug: str | None) -> dict[str, Any]:
        """Options for the producer. debug: further debug contexts from the settings."""
        return {
            "logger": self,
            "debug": f"eos,{debug}" if debug else "eos",
            "log_level": _DEBUG_LEVEL,
        }

    def log(self, level: int, template: str, *words: str) -> None:  # noqa: ARG002
        """See ClientLog.log. Called some 30 times a transaction.

        Failures are raised by the producer's calls, so nothing else is logged here.
        """
        if words[0] == "ENDTXN" and (found := _ANSWER.search(words[2])):
            self.answers.append(found[1])
        elif words[0] == _FAILED:
            self.failure = words[2]
        elif self._wants_debug:
            super().log(logging.DEBUG, template, *words)
