"""The HTTP application: addresses, transactions, and errors as answers."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.registry import answers
from relay.registry.call import Call
from relay.registry.media import MEDIA_TYPE, answered_as, check_readable
from relay.registry.refusals import (
    Refusal,
    invalid_schema,
    malformed,
    schema_too_large,
    store_failed,
)
from relay.registry.store import Store

__all__ = ["MEDIA_TYPE", "build_app"]

# More than the longest schema takes when most of its characters are written as escapes.
LARGEST_BODY = 8_000_000

Answer = Callable[[Store, Call], Any]

_log = logging.getLogger("relay.registry")

# Longer addresses first, since a subject may contain a slash that was not encoded.
_ADDRESSES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "/", answers.root),
    ("GET", "/contexts", answers.contexts),
    ("GET", "/associations/{rest:path}", answers.associations),
    ("GET", "/schemas", answers.list_schemas),
    ("GET", "/schemas/types", answers.types),
    ("GET", "/schemas/ids/{id}", answers.read_id),
    ("GET", "/schemas/ids/{id}/schema", answers.read_id_text),
    ("GET", "/schemas/ids/{id}/subjects", answers.subjects_of_id),
    ("GET", "/schemas/ids/{id}/versions", answers.versions_of_id),
    ("GET", "/subjects", answers.list_subjects),
    ("GET", "/subjects/{subject:path}/versions/{version}/schema", answers.get_version_text),
    ("GET", "/subjects/{subject:path}/versions/{version}/referencedby", answers.referenced_by),
    ("GET", "/subjects/{subject:path}/versions/{version}", answers.get_version),
    ("DELETE", "/subjects/{subject:path}/versions/{version}", answers.delete_version),
    ("GET", "/subjects/{subject:path}/versions", answers.list_versions),
    ("POST", "/subjects/{subject:path}/versions", answers.register),
    ("GET", "/subjects/{subject:path}/metadata", answers.with_metadata),
    ("POST", "/subjects/{subject:path}", answers.look_up),
    ("DELETE", "/subjects/{subject:path}", answers.delete_subject),
    ("POST", "/compatibility/subjects/{subject:path}/versions/{version}", answers.check_version),
    ("POST", "/compatibility/subjects/{subject:path}/versions", answers.check_all),
    ("GET", "/config", answers.get_level),
    ("PUT", "/config", answers.put_level),
    ("DELETE", "/config", answers.delete_level),
    ("GET", "/config/{subject:path}", answers.get_level),
    ("PUT", "/config/{subject:path}", answers.put_level),
    ("DELETE", "/config/{subject:path}", answers.delete_level),
    ("GET", "/mode", answers.get_mode),
    ("PUT", "/mode", answers.put_mode),
    ("DELETE", "/mode", answers.delete_mode),
    ("GET", "/mode/{subject:path}", answers.get_mode),
    ("PUT", "/mode/{subject:path}", answers.put_mode),
    ("DELETE", "/mode/{subject:path}", answers.delete_mode),
)


def build_app(pool: ConnectionPool[Any]) -> Starlette:
    """The application over `pool`, which it opens when it starts and closes when it stops."""

    @asynccontextmanager
    async def open_pool(_app: Starlette) -> AsyncIterator[None]:
        pool.open(wait=False)
        try:
            yield
        finally:
            await run_in_threadpool(pool.close, 1.0)

    routes: list[BaseRoute] = []
    for prefix in ("", "/contexts/{context}"):
        for method, address, answer in _ADDRESSES:
            routes.append(Route(prefix + address, _endpoint(pool, answer), methods=[method]))
    return Starlette(
        routes=routes,
        middleware=[Middleware(_AsWritten)],
        lifespan=open_pool,
        exception_handlers={HTTPException: _plain_error, Exception: _unforeseen},
    )


class _AsWritten:
    """Has addresses compared as they were sent, without a slash at their end.

    Percent-decoded, the subject `a/versions` would lead to the address where `a` is registered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("ascii").rstrip("/") or "/"}
        await self._app(scope, receive, send)


def _endpoint(pool: ConnectionPool[Any], answer: Answer) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            media_type = answered_as(request.headers.get("accept"))
            path = {name: unquote(part) for name, part in request.path_params.items()}
            call = Call(path, request.query_params, await _body(request))
            content = await run_in_threadpool(_answer, pool, answer, call)
            return _respond(200, content, media_type)
        except Refusal as refusal:
            return _refuse(refusal)
        except ClientDisconnect:
            return _refuse(malformed("The request's body ended before its length"))

    return endpoint


async def _body(request: Request) -> bytes:
    """The body, of which no more is read than may be sent."""
    if request.method in ("GET", "DELETE"):
        return b""
    check_readable(request.headers.get("content-type"))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise schema_too_large(size, LARGEST_BODY)
        parts.append(part)
    return b"".join(parts)


def _answer(pool: ConnectionPool[Any], answer: Answer, call: Call) -> Any:
    """Runs `answer` in a transaction of its own, which a refusal rolls back."""
    try:
        with pool.connection() as connection:
            return answer(Store(connection), call)
    except (PoolTimeout, PoolClosed) as error:
        raise store_failed(
            "the database can't be reached, or all connections to it are in use"
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise store_failed(
            "another request or server has been changing something for too long, try again"
        ) from error
    except psycopg.errors.UndefinedTable as error:
        raise store_failed("the tables are missing, run `relay migrate`") from error
    except psycopg.DataError as error:
        problem = str(error).strip().splitlines()[0]
        if not call.content:
            raise malformed(f"The address can't be looked up: {problem}") from error
        raise invalid_schema(f"it can't be stored: {problem}") from error
    except psycopg.Error as error:
        _log.exception("the database failed")
        raise store_failed(str(error).strip().splitlines()[0] if str(error) else "") from error


def _respond(status: int, content: Any, media_type: str = MEDIA_TYPE) -> Response:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(body, status, media_type=media_type)


def _refuse(refusal: Refusal) -> Response:
    content = {"error_code": refusal.code, "message": refusal.message}
    return _respond(refusal.status, content)


async def _plain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refuse(Refusal(error.status_code, f"HTTP {error.status_code} {error.detail}"))


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    return _refuse(Refusal(50001, "Error in the registry, see its log", status=500))
