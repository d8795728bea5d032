"""Reads schema texts, as Java reads them, into the `avro` package's schemas."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence

import avro.errors
from avro.schema import Schema, make_avsc_object

from relay.registry.compatibility.defaults import check_defaults
from relay.registry.compatibility.names import FullNames, SchemaInvalid, with_full_names

__all__ = ["SchemaInvalid", "parse"]


def parse(text: str, referenced: Sequence[str] = ()) -> Schema:
    """The schema of `text`, for `findings`.

    referenced: texts whose named types it may use, each after those that it needs itself.
    Raises SchemaInvalid with the JSON path of what is wrong.
    """
    names, known, checked = FullNames(), set[str](), set[int]()
    schema: Schema | None = None
    try:
        with warnings.catch_warnings():
            # An unknown or ill-set logical type is read as its base type, as Avro asks for.
            warnings.simplefilter("ignore")
            for one in (*referenced, text):
                complete = with_full_names(json.loads(one), known)
                # The package knows no text that is nothing but a name.
                schema = names.names.get(str(complete)) or make_avsc_object(complete, names)
                check_defaults(schema, checked)
    except SchemaInvalid:
        raise
    except (avro.errors.AvroException, ValueError, TypeError, AttributeError, KeyError) as error:
        raise SchemaInvalid("$", str(error) or type(error).__name__) from error
    except RecursionError:
        raise SchemaInvalid("$", "it is nested too deeply. Flatten it") from None
    assert schema is not None
    return schema
