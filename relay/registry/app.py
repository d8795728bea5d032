"""The HTTP application: a request, its transaction, and its answer or error."""

from __future__ import annotations

import json
import logging
import re
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
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.registry import errors
from relay.registry.answers import ROUTES, Answer
from relay.registry.call import Call
from relay.registry.errors import ApiError
from relay.registry.store import SchemaStore

__all__ = ["MEDIA_TYPE", "build_app"]

# Source: Confluent Schema Registry API reference, "Content Types".
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"

# In the order of preference.
_ANSWERED = (MEDIA_TYPE, "application/vnd.schemaregistry+json", "application/json")
_READ = (*_ANSWERED, "application/octet-stream")
# A weight of 0: the client does not accept this type.
_EXCLUDED = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)")

_NOT_ENCODED = re.compile("%(?![0-9A-Fa-f]{2})")

# More than the longest schema takes when most of its characters are written as escapes.
LARGEST_BODY = 8_000_000

_log = logging.getLogger("relay.registry")


def build_app(pool: ConnectionPool[Any]) -> Starlette:
    """The application over `pool`, which it opens when it starts and closes when it stops."""

    @asynccontextmanager
    async def open_pool(_app: Starlette) -> AsyncIterator[None]:
        pool.open(wait=False)
        try:
            yield
        finally:
            await run_in_threadpool(pool.close, 1.0)

    # A subject may contain a slash that was not encoded.
    longest_first = sorted(ROUTES, key=lambda route: route[1].count("/"), reverse=True)
    handled = (ApiError, HTTPException, ClientDisconnect, psycopg.Error, Exception)
    return Starlette(
        routes=[
            Route(prefix + address, _endpoint(pool, answer), methods=[method])
            for prefix in ("", "/contexts/{context}")
            for method, address, answer in longest_first
        ],
        middleware=[Middleware(_AsWritten)],
        lifespan=open_pool,
        exception_handlers=dict.fromkeys(handled, _answer_error),
    )


class _AsWritten:
    """Compares addresses as they were sent, without a slash at their end.

    Percent-decoded, the subject `a/versions` would lead to the address where `a` is registered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("latin-1").rstrip("/") or "/"}
        await self._app(scope, receive, send)


def _endpoint(pool: ConnectionPool[Any], answer: Answer) -> Callable[[Request], Any]:
    def in_transaction(call: Call) -> Any:
        with pool.connection() as connection:
            return answer(SchemaStore(connection), call)

    async def endpoint(request: Request) -> Response:
        media_type = _choose_type(request.headers.get("accept"))
        path = {name: _decoded(part) for name, part in request.path_params.items()}
        call = Call(path, request.query_params, await _body(request))
        return _respond(200, await run_in_threadpool(in_transaction, call), media_type)

    return endpoint


def _decoded(part: str) -> str:
    """Decodes a part of an address. Raises ApiError 400 for something else than UTF-8."""
    if _NOT_ENCODED.search(part):
        raise errors.malformed(f"The address has a % without two hexadecimal digits: {part!r}")
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise errors.malformed(f"The address is not UTF-8: {part!r}") from None


async def _body(request: Request) -> bytes:
    """Reads the body, but no more of it than may be sent."""
    if request.method in ("GET", "DELETE"):
        return b""
    _check_readable(request.headers.get("content-type"))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise errors.schema_too_large(size, LARGEST_BODY)
        parts.append(part)
    return b"".join(parts)


def _check_readable(content_type: str | None) -> None:
    """Raises ApiError 415 for a body of another type; None: the request names none."""
    if content_type is not None and _bare(content_type) not in _READ:
        raise errors.unsupported_type(content_type, MEDIA_TYPE)


def _choose_type(accept: str | None) -> str:
    """Returns the type of the answer; None: the client accepts any. Raises ApiError 406."""
    if accept is None or not accept.strip():
        return MEDIA_TYPE
    wanted = {_bare(part) for part in accept.split(",") if not _EXCLUDED.search(part)}
    if wanted & {"*/*", "application/*"}:
        return MEDIA_TYPE
    for offered in _ANSWERED:
        if offered in wanted:
            return offered
    raise errors.not_acceptable(accept, ", ".join(_ANSWERED))


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _respond(status: int, content: Any, media_type: str = MEDIA_TYPE) -> Response:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(body, status, media_type=media_type)


async def _answer_error(request: Request, error: Exception) -> Response:
    found = _api_error(request, error)
    return _respond(found.status, {"error_code": found.code, "message": found.message})


def _api_error(request: Request, error: Exception) -> ApiError:
    """Translates whatever ended a request; its transaction was rolled back."""
    problem = (str(error).strip().splitlines() or [""])[0]
    match error:
        case ApiError():
            return error
        case HTTPException():
            status = error.status_code
            return ApiError(status, f"HTTP {status} {error.detail}", status)
        case ClientDisconnect():
            return errors.malformed("The request's body ended before its length")
        case PoolTimeout() | PoolClosed():
            return errors.store_failed(
                "the database can't be reached, or all connections to it are in use"
            )
        case psycopg.errors.LockNotAvailable():
            return errors.store_failed(
                "another request or server has been changing something for too long, try again"
            )
        case psycopg.errors.UndefinedTable():
            return errors.store_failed("the tables are missing, run `relay migrate`")
        case psycopg.DataError() if request.method in ("GET", "DELETE"):
            return errors.malformed(f"The address can't be looked up: {problem}")
        case psycopg.DataError():
            return errors.invalid_schema(f"it can't be stored: {problem}")
        case psycopg.Error():
            _log.error("the database failed", exc_info=error)
            return errors.store_failed(problem)
        case _:
            return errors.unforeseen()
