"""`relay stack`: PostgreSQL, Kafka and the registry on this machine, without Docker."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from relay.local.stack import LocalStack

__all__ = ["app"]

app = typer.Typer(
    help="PostgreSQL, Kafka and the schema registry on this machine, without Docker.",
    no_args_is_help=True,
)

Dir = Annotated[Path, typer.Option("--dir", help="folder of the stack; each is a stack of its own")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]

_DEFAULT_DIR = Path(".relay")


@app.command()
def up(
    dir: Dir = _DEFAULT_DIR,
    fresh: Annotated[bool, typer.Option("--fresh", help="throw the former data away")] = False,
    measuring: Annotated[
        bool, typer.Option("--measuring", help="give Kafka the heap and collector for figures")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Starts what does not run yet and waits until everything answers."""
    console = Console(stderr=True)
    with console.status("starting the stack") as status:
        stack = _stack(dir, measuring=measuring, console=console)
        if fresh:
            status.update("throwing the former data away")
            stack.discard()
        addresses = stack.start()
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(addresses)))
        return
    for name, value in dataclasses.asdict(addresses).items():
        typer.echo(f"{name:18} {value}")


@app.command()
def env(dir: Dir = _DEFAULT_DIR) -> None:
    """Prints export lines of the settings that point the relay at the stack."""
    for name, value in _stack(dir).addresses().settings().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def down(
    dir: Dir = _DEFAULT_DIR,
    wipe: Annotated[bool, typer.Option("--wipe", help="remove the data as well")] = False,
) -> None:
    """Ends the stack; nothing is left running. The data stays unless --wipe is given."""
    stack = _stack(dir)
    if wipe:
        stack.discard()
    else:
        stack.stop()


@app.command()
def status(dir: Dir = _DEFAULT_DIR, as_json: AsJson = False) -> None:
    """Says what each part of the stack does; ends with 1 unless all of them run."""
    found = _stack(dir).status()
    if as_json:
        parts = [dataclasses.asdict(part) for part in found]
        typer.echo(json.dumps({"dir": str(dir.absolute()), "servers": parts}))
    else:
        for part in found:
            where = f"port {part.port}, pid {part.pid}" if part.pid else ""
            typer.echo(f"{part.name:10} {part.state:15} {where}".rstrip())
    if any(part.state != "running" for part in found):
        raise typer.Exit(1)


@app.command()
def download() -> None:
    """Fetches what the first start would fetch: Kafka, about 44 MB, once a machine."""
    from relay.local.provision import provision

    typer.echo(provision())


def _stack(dir: Path, *, measuring: bool = False, console: Console | None = None) -> LocalStack:
    from relay.local.stack import LocalStack

    return LocalStack(
        dir,
        profile="measuring" if measuring else "small",
        say=console.print if console is not None else lambda _: None,
    )
