"""Content types: which bodies are read, and in which type an answer goes out.

Source: Confluent Schema Registry API reference, "Content Types".
"""

from __future__ import annotations

from relay.registry.refusals import Refusal

__all__ = ["MEDIA_TYPE", "answered_as", "check_readable"]

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"

# In the order of preference.
_ANSWERED = (MEDIA_TYPE, "application/vnd.schemaregistry+json", "application/json")
_READ = (*_ANSWERED, "application/octet-stream")


def check_readable(content_type: str | None) -> None:
    """Raises Refusal 415 for a body of another type; None: the request does not say."""
    if content_type is not None and _bare(content_type) not in _READ:
        raise Refusal(
            415,
            f"HTTP 415 Unsupported Media Type: the body is {content_type!r}, send {MEDIA_TYPE}",
        )


def answered_as(accept: str | None) -> str:
    """The type to answer a request in; None: the request takes any. Raises Refusal 406."""
    if accept is None or not accept.strip():
        return MEDIA_TYPE
    wanted = {_bare(part) for part in accept.split(",") if not _is_refused(part)}
    if wanted & {"*/*", "application/*"}:
        return MEDIA_TYPE
    for offered in _ANSWERED:
        if offered in wanted:
            return offered
    raise Refusal(406, f"HTTP 406 Not Acceptable: {accept!r} is none of {', '.join(_ANSWERED)}")


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _is_refused(part: str) -> bool:
    return part.partition(";")[2].replace(" ", "").startswith(("q=0;", "q=0.0")) or part.replace(
        " ", ""
    ).endswith(";q=0")
