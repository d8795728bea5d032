"""What each address answers. No field stands in an answer that Confluent's API does not name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from relay.registry import deleting, refusals, registering, scoped
from relay.registry.call import Call
from relay.registry.names import DEFAULT_CONTEXT, context_of
from relay.registry.store import Registered, Store

_OF_LEVELS = frozenset(
    {
        "compatibility",
        "compatibilityGroup",
        "compatibilityPolicy",
        "normalize",
        "alias",
        "aliasForDeks",
        "validateFields",
        "validateNewSchemas",
        "validateRules",
        "defaultMetadata",
        "overrideMetadata",
        "defaultRuleSet",
        "overrideRuleSet",
    }
)
_OF_MODES = frozenset({"mode"})


def root(_store: Store, _call: Call) -> Any:
    """GET /."""
    return {}


def types(_store: Store, _call: Call) -> Any:
    """GET /schemas/types."""
    return ["AVRO"]


def associations(_store: Store, _call: Call) -> Any:
    """GET /associations/...: serializers ask for these first; there never are any."""
    return []


def contexts(store: Store, call: Call) -> Any:
    """GET /contexts."""
    found = {context_of(subject) for subject, deleted in store.subjects() if not deleted}
    prefix = call.query.get("contextPrefix", "")
    return call.page(sorted(one for one in found | {DEFAULT_CONTEXT} if one.startswith(prefix)))


def list_subjects(store: Store, call: Call) -> Any:
    """GET /subjects."""
    return call.page(
        [
            subject
            for subject, deleted in store.subjects(call.prefix())
            if _wanted(call, deleted) and call.is_within(subject)
        ]
    )


def list_versions(store: Store, call: Call) -> Any:
    """GET /subjects/{subject}/versions."""
    versions = store.subject(call.subject)
    if not any(_counts(call, found.deleted) for found in versions):
        raise refusals.subject_not_found(call.subject)
    if call.flag("deletedAsNegative"):
        return call.page([-found.version if found.deleted else found.version for found in versions])
    return call.page([found.version for found in versions if _wanted(call, found.deleted)])


def register(store: Store, call: Call) -> Any:
    """POST /subjects/{subject}/versions."""
    return {"id": registering.register(store, call.subject, call.proposed())}


def look_up(store: Store, call: Call) -> Any:
    """POST /subjects/{subject}."""
    deleted = call.flag("deleted")
    return _full(registering.find(store, call.subject, call.proposed(), deleted=deleted))


def with_metadata(store: Store, call: Call) -> Any:
    """GET /subjects/{subject}/metadata: versions have no metadata, so that none is found."""
    subject = call.subject
    if not any(not found.deleted or call.flag("deleted") for found in store.subject(subject)):
        raise refusals.subject_not_found(subject)
    raise refusals.schema_not_found()


def get_version(store: Store, call: Call) -> Any:
    """GET /subjects/{subject}/versions/{version}."""
    return _full(_version(store, call))


def get_version_text(store: Store, call: Call) -> Any:
    """GET /subjects/{subject}/versions/{version}/schema."""
    return json.loads(_version(store, call).text)


def referenced_by(store: Store, call: Call) -> Any:
    """GET /subjects/{subject}/versions/{version}/referencedby."""
    version = _version(store, call, deleted=True).version
    referring = store.referencing(call.subject, version, deleted=call.flag("deleted"))
    return call.page(list(dict.fromkeys(schema_id for _, schema_id in referring)))


def list_schemas(store: Store, call: Call) -> Any:
    """GET /schemas."""
    found = [
        one
        for one in store.all(call.prefix())
        if _wanted(call, one.deleted) and call.is_within(one.subject)
    ]
    if call.flag("latestOnly"):
        found = list({one.subject: one for one in found}.values())
    return call.page([_full(one) for one in found])


def read_id(store: Store, call: Call) -> Any:
    """GET /schemas/ids/{id}; also for an id whose versions are all deleted."""
    text, references = _text(store, call)
    return {"schema": text, **({"references": references} if references else {})}


def read_id_text(store: Store, call: Call) -> Any:
    """GET /schemas/ids/{id}/schema."""
    return json.loads(_text(store, call)[0])


def subjects_of_id(store: Store, call: Call) -> Any:
    """GET /schemas/ids/{id}/subjects."""
    return call.page(sorted({found.subject for found in _uses(store, call)}))


def versions_of_id(store: Store, call: Call) -> Any:
    """GET /schemas/ids/{id}/versions."""
    return call.page(
        [{"subject": found.subject, "version": found.version} for found in _uses(store, call)]
    )


def check_all(store: Store, call: Call) -> Any:
    """POST /compatibility/subjects/{subject}/versions: against what registering looks at."""
    return _verdict(store, call, registering.live_versions(store, call.subject))


def check_version(store: Store, call: Call) -> Any:
    """POST /compatibility/subjects/{subject}/versions/{version}: against that one.

    Anything goes with the latest version of a subject that has none.
    """
    if call.version() is None:
        return _verdict(store, call, registering.live_versions(store, call.subject)[-1:])
    return _verdict(store, call, [_version(store, call, deleted=False)])


def get_level(store: Store, call: Call) -> Any:
    """GET /config and /config/{subject}."""
    subject = call.subject
    general = call.flag("defaultToGlobal")
    level = scoped.level_of(store, subject) if general else scoped.own_level(store, subject)
    return {"compatibilityLevel": level}


def put_level(store: Store, call: Call) -> Any:
    """PUT /config and /config/{subject}."""
    body = call.body(_OF_LEVELS)
    if others := sorted(
        name for name, value in body.items() if name != "compatibility" and value is not None
    ):
        raise refusals.not_permitted(f"{', '.join(others)} can't be set, leave it out")
    return {"compatibility": scoped.set_level(store, call.subject, body.get("compatibility"))}


def delete_level(store: Store, call: Call) -> Any:
    """DELETE /config and /config/{subject}."""
    return {"compatibilityLevel": scoped.clear_level(store, call.subject)}


def get_mode(store: Store, call: Call) -> Any:
    """GET /mode and /mode/{subject}."""
    subject = call.subject
    general = call.flag("defaultToGlobal")
    return {"mode": scoped.mode_of(store, subject) if general else scoped.own_mode(store, subject)}


def put_mode(store: Store, call: Call) -> Any:
    """PUT /mode and /mode/{subject}."""
    mode = call.body(_OF_MODES).get("mode")
    return {"mode": scoped.set_mode(store, call.subject, mode, force=call.flag("force"))}


def delete_mode(store: Store, call: Call) -> Any:
    """DELETE /mode and /mode/{subject}."""
    return {"mode": scoped.clear_mode(store, call.subject)}


def delete_subject(store: Store, call: Call) -> Any:
    """DELETE /subjects/{subject}."""
    return deleting.delete_subject(store, call.subject, permanent=call.flag("permanent"))


def delete_version(store: Store, call: Call) -> Any:
    """DELETE /subjects/{subject}/versions/{version}."""
    return deleting.delete_version(
        store, call.subject, call.version(), permanent=call.flag("permanent")
    )


def _wanted(call: Call, deleted: bool) -> bool:
    if call.flag("deletedOnly"):
        return deleted
    return not deleted or call.flag("deleted")


def _counts(call: Call, deleted: bool) -> bool:
    """Whether a version makes its subject one that there is."""
    return not deleted or call.flag("deleted") or call.flag("deletedOnly")


def _version(store: Store, call: Call, *, deleted: bool | None = None) -> Registered:
    number = call.version()
    subject = call.subject
    hidden = call.flag("deleted") if deleted is None else deleted
    versions = [found for found in store.subject(subject) if hidden or not found.deleted]
    if not versions:
        raise refusals.subject_not_found(subject)
    if number is None:
        return versions[-1]
    for found in versions:
        if found.version == number:
            return found
    raise refusals.version_not_found(number)


def _text(store: Store, call: Call) -> tuple[str, list[dict[str, Any]]]:
    if (found := store.text(call.schema_id())) is None:
        raise refusals.schema_not_found(f"Schema {call.schema_id()}")
    return found


def _uses(store: Store, call: Call) -> list[Registered]:
    _text(store, call)
    return [
        found
        for found in store.uses(call.schema_id())
        if (call.flag("deleted") or not found.deleted)
        and call.is_within(found.subject)
        and call.query.get("subject", found.subject) == found.subject
    ]


def _full(found: Registered) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "subject": found.subject,
        "version": found.version,
        "id": found.schema_id,
        "schema": found.text,
    }
    return {**answer, "references": found.refs} if found.refs else answer


def _verdict(store: Store, call: Call, earlier: Sequence[Registered]) -> dict[str, Any]:
    """Whether the schema in the body may follow `earlier`; asked for in words, also why not."""
    if not call.flag("verbose"):
        messages = registering.disagreements(store, call.subject, call.proposed(), earlier)
        return {"is_compatible": not messages}
    try:
        messages = registering.disagreements(store, call.subject, call.proposed(), earlier)
    except refusals.Refusal as refusal:
        if refusal.code != refusals.INVALID_SCHEMA:
            raise
        messages = [refusal.message]
    return {"is_compatible": not messages, "messages": messages}
