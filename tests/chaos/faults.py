"""Carries out one fault of a plan. What is killed is started again by whoever keeps it running."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any, Final

import psycopg

from tests.chaos.plan import Fault
from tests.chaos.stage import Stage
from tests.stack import until

__all__ = ["carry_out"]

# Names in pg_stat_activity.
_WORKERS: Final = ("relay capture", "relay shards", "relay deliveries", "relay takeover")
_SERVER_S: Final = 60.0


def carry_out(stage: Stage, fault: Fault, wait: Callable[[float], object]) -> str:
    """Does one fault to its end; what it hit. wait: lets it last for so many seconds."""
    subject, _, deed = fault.kind.partition("-")
    match subject, deed:
        case "vacuum", _:
            return _vacuum(stage)
        case "flags", _:
            return _lock_flags(stage, fault, wait)
        case "broker" | "postgres" | "postmaster" | "registry", _:
            return _hit_server(stage, fault, wait)
        case "supervised", _:
            return _kill_child(stage, fault)
        case _, "joins":
            return _join(stage, fault, wait)
        case _, "sessions-cut":
            return _cut_sessions(stage, subject)
        case _, "kill" | "term" | "freeze" | "freeze-long":
            return _hit_process(stage, fault, wait)
        case _:
            return _hit_connections(stage, fault, wait)


def _choose(names: list[str], fault: Fault) -> str:
    return names[int(fault.choice * len(names))]


def _hit_process(stage: Stage, fault: Fault, wait: Callable[[float], object]) -> str:
    subject, _, deed = fault.kind.partition("-")
    name = _choose(stage.processes.names(subject), fault)
    match deed:
        case "kill":
            stage.processes.signal(name, signal.SIGKILL)
        case "term":
            stage.processes.signal(name, signal.SIGTERM)
        case _:
            pid = stage.processes.signal(name, signal.SIGSTOP)
            wait(fault.seconds)
            # It may have been killed meanwhile, and another one have its name.
            if pid is not None and stage.processes.pid(name) == pid:
                stage.processes.signal(name, signal.SIGCONT)
    return name


def _kill_child(stage: Stage, fault: Fault) -> str:
    children = stage.processes.children("supervisor")
    if not children:
        return "nothing: the supervisor has no worker now"
    number = int(fault.choice * len(children))
    with contextlib.suppress(ProcessLookupError):
        os.kill(children[number], signal.SIGKILL)
    return f"worker {number} of the supervisor"


def _join(stage: Stage, fault: Fault, wait: Callable[[float], object]) -> str:
    """A further worker or consumer joins, and leaves after a while."""
    name = f"joining-{fault.at}"
    if fault.kind.startswith("worker"):
        words = ["run"]
    else:
        group = _choose(["ledger", "mirror"], fault)
        words = ["consume", group]
    stage.processes.add_relay(name, *words)
    wait(fault.seconds)
    stage.processes.remove(name)
    return " ".join(words)


def _cut_sessions(stage: Stage, subject: str) -> str:
    """Ends the sessions of all workers, or of all consumers."""
    query = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where application_name like 'relay %%' and (application_name = any(%s)) = %s"
    )
    with _connected(stage) as connection:
        found = connection.execute(query, [list(_WORKERS), subject == "worker"]).fetchone()
    return f"{found[0] if found else 0} sessions"


def _connected(stage: Stage) -> psycopg.Connection[Any]:
    """A connection, once another fault lets the server answer."""
    return until(stage.connect, timeout=_SERVER_S, ignoring=(psycopg.OperationalError,))


def _hit_connections(stage: Stage, fault: Fault, wait: Callable[[float], object]) -> str:
    subject, server, deed = fault.kind.split("-")
    proxies = stage.database_proxies if server == "database" else stage.kafka_proxies
    proxy = proxies[subject]
    match deed:
        case "frozen":
            proxy.freeze()
            wait(fault.seconds)
            proxy.thaw()
            return "all connections"
        case "silent":
            return f"{proxy.silence()} connections"
        case _:
            return f"{proxy.reset()} connections"


def _hit_server(stage: Stage, fault: Fault, wait: Callable[[float], object]) -> str:
    subject, _, deed = fault.kind.partition("-")
    title = {"broker": "kafka", "registry": "registry"}.get(subject, "postgres")
    with stage.server(title) as server:
        process = server.process
        assert process is not None
        match subject, deed:
            case _, "freeze":
                server.pause()
            case "postmaster", "kill":
                process.kill()
            case "postgres", "immediate":
                process.send_signal(signal.SIGQUIT)
            case _, "kill":
                server.kill()
            case _, "term":
                server.stop()
        wait(fault.seconds)
    return title


def _lock_flags(stage: Stage, fault: Fault, wait: Callable[[float], object]) -> str:
    """Keeps the table of flags locked, as an operator's statement may do."""
    with contextlib.suppress(psycopg.OperationalError), _connected(stage) as connection:
        with connection.transaction():
            connection.execute("lock table outbox.deliveries in exclusive mode")
            wait(fault.seconds)
        return "outbox.deliveries"
    return "nothing: the server went away"


def _vacuum(stage: Stage) -> str:
    with contextlib.suppress(psycopg.OperationalError), _connected(stage) as connection:
        connection.execute("vacuum (freeze, analyze)")
        connection.execute("checkpoint")
        return "the whole database"
    return "nothing: the server went away"
