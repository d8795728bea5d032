"""`make demo`: starts everything, plays the story, ends everything."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from examples.shop.demo.errors import DemoFailed
from examples.shop.demo.processes import Processes
from examples.shop.demo.screen import Screen
from examples.shop.demo.story import Options, Story
from relay.errors import RelayError
from relay.local.stack import LocalStack, StackAddresses
from relay.postgres.connect import connect

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[3]


def main() -> int:
    """Exit code: 0 all is well, 1 something was found wrong or did not happen, 130 interrupted."""
    given = _arguments()
    options = Options(
        orders=given.orders,
        writers=given.writers,
        orders_per_second=given.orders_per_second,
        seed=given.seed,
        patience_s=given.patience,
    )
    screen = Screen()
    folder = Path(tempfile.mkdtemp(prefix="relay-demo-"))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        problems = _play(options, folder, screen)
    except KeyboardInterrupt:
        screen.close()
        print("interrupted; nothing is left running", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    except RelayError as error:
        screen.close()
        print(f"demo: {error}\nlogs are in {folder}", file=sys.stderr)
        return max(1, error.exit_code)
    for problem in problems:
        print(f"demo: {problem}", file=sys.stderr)
    if problems:
        print(f"demo: {len(problems)} problems; logs are in {folder}", file=sys.stderr)
        return 1
    screen.note(
        "[bold green]Nothing lost, nothing twice, nothing out of order; every dead letter is "
        "resolved.[/bold green]"
    )
    if given.keep_logs:
        screen.note(f"logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _play(options: Options, folder: Path, screen: Screen) -> list[str]:
    stack = LocalStack(folder / "stack", outlive=False)
    with _stopped_at_the_end(stack):
        with screen.phase("PostgreSQL, Kafka and a schema registry start"):
            addresses = stack.start()
        processes = Processes(folder, _settings(addresses))
        try:
            with connect(addresses.database_url, application_name="demo") as connection:
                story = Story(options, processes, connection, stack, screen)
                problems = story.run()
            if killed := processes.stop():
                raise DemoFailed(f"{', '.join(killed)} did not end when asked and was killed")
            return problems
        finally:
            with _undisturbed():
                processes.kill()


def _settings(addresses: StackAddresses) -> dict[str, str]:
    return {
        **addresses.settings(),
        "EVENT_BUS_NAME": "shop",
        "EVENT_BUS_SCHEMAS_DIR": str(ROOT / "schemas"),
        "EVENT_BUS_CONSUMERS": "examples.shop.demo.consumers",
        "EVENT_BUS_SHARDS": "2",
        # Five tries take minutes otherwise; nobody wants to watch that.
        "EVENT_BUS_BACKOFF_INITIAL_MS": "200",
        "EVENT_BUS_BACKOFF_MAX_MS": "1000",
        "EVENT_BUS_LOG_LEVEL": "INFO",
        "PYTHONPATH": str(ROOT),
    }


def _interrupt(_: int, __: object) -> NoReturn:
    """Ends the story; further signals don't disturb the tidying up, whose time is bounded."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _stopped_at_the_end(stack: LocalStack) -> Iterator[None]:
    try:
        yield
    finally:
        with _undisturbed():
            stack.discard()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keeps a Ctrl-C at the very end from leaving processes behind."""
    former = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _arguments() -> argparse.Namespace:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m examples.shop.demo", description=__doc__)
    parser.add_argument("--orders", type=int, default=default.orders)
    parser.add_argument("--writers", type=int, default=default.writers)
    parser.add_argument("--orders-per-second", type=float, default=default.orders_per_second)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument(
        "--patience", type=float, default=default.patience_s, help="seconds that a wait may take"
    )
    parser.add_argument("--keep-logs", action="store_true", help="also when all is well")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
