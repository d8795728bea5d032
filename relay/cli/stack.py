"""`relay stack`: PostgreSQL, Kafka and the registry on this machine, without Docker."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from relay.cli.output import JsonOption, print_json
from relay.local.stack import LocalStack

__all__ = ["app"]

app = typer.Typer(
    help="Run PostgreSQL, Kafka and the schema registry on this machine, without Docker.",
    no_args_is_help=True,
)

Dir = Annotated[Path, typer.Option("--dir", help="Folder of the stack; each has its own servers.")]

_DEFAULT_DIR = Path(".relay")


@app.command()
def up(
    dir: Dir = _DEFAULT_DIR,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the data first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start what does not run yet and wait until everything answers."""
    console = Console(stderr=True)
    with console.status("starting the stack") as progress:
        stack = LocalStack(dir, say=console.print)
        if fresh:
            progress.update("removing the data")
            stack.discard()
        addresses = stack.start()
    if as_json:
        print_json(asdict(addresses))
        return
    for name, value in asdict(addresses).items():
        typer.echo(f"{name:18} {value}")


@app.command()
def env(dir: Dir = _DEFAULT_DIR) -> None:
    """Print export lines of the settings that point the relay at the stack."""
    for name, value in LocalStack(dir).addresses().settings().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def down(
    dir: Dir = _DEFAULT_DIR,
    wipe: Annotated[bool, typer.Option("--wipe", help="Remove the data as well.")] = False,
) -> None:
    """Stop the stack; no process is left. The data stays unless --wipe is given."""
    stack = LocalStack(dir)
    if wipe:
        stack.discard()
    else:
        stack.stop()


@app.command()
def status(dir: Dir = _DEFAULT_DIR, as_json: JsonOption = False) -> None:
    """Show the state of each part of the stack; exit with 1 unless all of them run."""
    found = LocalStack(dir).status()
    if as_json:
        print_json({"dir": str(dir.absolute()), "servers": [asdict(part) for part in found]})
    else:
        for part in found:
            where = f"port {part.port}, pid {part.pid}" if part.pid else ""
            typer.echo(f"{part.name:10} {part.state:15} {where}".rstrip())
    if any(part.state != "running" for part in found):
        raise typer.Exit(1)


@app.command()
def download() -> None:
    """Download what the first start needs: Kafka, about 44 MB, once per machine."""
    from relay.local.stack import provision

    typer.echo(provision())
