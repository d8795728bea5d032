"""JSON texts for payloads: some fit a schema, others are as odd as a service can write them."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any

__all__ = ["fitting", "odd", "odd_string"]

NUMBERS = (
    *("0", "-0", "1", "-1", "1.0", "1.5", "0.1", "1e400", "-1e400", "1e-400", "1E+5", "-1e308"),
    *("2147483648", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("18446744073709551616", "1" * 309, "9" * 4300, "1" + "0" * 5000, "0." + "1" * 5000),
    "NaN",
    "Infinity",
    "01",
)
STRINGS = (
    *("", " ", "null", "NaN", "Infinity", "-Infinity", "0", "1e400", "12.50", "-0.00", "1" * 4301),
    *("2026-01-31", "2026-13-45", "0000-00-00", "24:00:00", "23:59:60", "2026-01-31T00:00:00Z"),
    *("9999-12-31T23:59:59.999999999-23:59", "0001-01-01T00:00:00+14:00", "infinity"),
    *("9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11", "AAECAw==", "AAEC\nAw==", "====", "RED"),
    *("\u2028\u2029", "\u202eright to left", "e\u0301\u0327" * 50, "\ufeff", "\ufffe\uffff"),
    *("'; drop table outbox.domain_events; --", "\\", "\t\n\r\x7f\x01", "%s %(x)s {} $1"),
)
ESCAPES = (r"\u0000", r"\ud800", r"\udc00\ud800", r"\ud83d\ude00", r"\u0001", r"\/", r"\x41")
DEPTHS = (2, 10, 64, 200, 255, 256, 500, 1023, 1024, 1025, 3000, 8000)
KEYS = ("", " ", "number", "note", "__proto__", "a.b", "$id", "1st", "k" * 10_000, "\U0001f511")
WRONG_SHARE = 0.02


def odd(random: Random, depth: int = 3) -> str:
    """Any JSON text; a few are no JSON, or no jsonb, and PostgreSQL refuses them."""
    kinds = ("number", "string", "escape", "word", "deep", "array", "object", "twice")
    match random.choice(kinds if depth else kinds[:5]):
        case "number":
            return random.choice(NUMBERS)
        case "string":
            return json.dumps(odd_string(random), ensure_ascii=random.random() < 0.5)
        case "escape":
            return f'"{random.choice(ESCAPES)}"'
        case "word":
            return random.choice(("null", "true", "false", "", "nul", "{}", "[]"))
        case "deep":
            before, after = random.choice((("[", "]"), ('{"a":', "}"), ('[{"":', "}]")))
            levels = random.choice(DEPTHS)
            return before * levels + random.choice(("1", "null", '""')) + after * levels
        case "array":
            return f"[{','.join(odd(random, depth - 1) for _ in range(random.randrange(4)))}]"
        case "twice":
            return f'{{"number":{odd(random, 0)},"number":{odd(random, 0)}}}'
    pairs = (f"{_key(random)}:{odd(random, depth - 1)}" for _ in range(random.randrange(5)))
    return f"{{{','.join(pairs)}}}"


def odd_string(random: Random) -> str:
    """A string that PostgreSQL can store, of any plane of Unicode."""
    if random.random() < 0.7:
        return random.choice(STRINGS)
    return "".join(_character(random) for _ in range(random.randrange(1, 40)))


def fitting(random: Random, schema: Any, depth: int = 6) -> str:
    """The JSON text of a value of a schema; here and there something in it is odd."""
    if random.random() < WRONG_SHARE:
        return odd(random, 2)
    if isinstance(schema, list):
        return fitting(random, random.choice(schema) if depth else "null", depth - 1)
    if isinstance(schema, str):
        schema = {"type": schema}
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return fitting(random, kind, depth)
    if kind == "record":
        return _record(random, schema, depth)
    if kind == "array":
        count = random.randrange(4) if depth else 0
        items = (fitting(random, schema["items"], depth - 1) for _ in range(count))
        return f"[{','.join(items)}]"
    if kind == "map":
        count = random.randrange(4) if depth else 0
        entries = (
            f"{_key(random)}:{fitting(random, schema['values'], depth - 1)}" for _ in range(count)
        )
        return f"{{{','.join(entries)}}}"
    return _scalar(random, schema.get("logicalType", kind), schema)


def _record(random: Random, schema: dict[str, Any], depth: int) -> str:
    pairs = [
        f"{json.dumps(field['name'])}:{fitting(random, field['type'], depth - 1)}"
        for field in schema["fields"]
        if not ("default" in field and random.random() < 0.3) and random.random() > WRONG_SHARE
    ]
    if random.random() < WRONG_SHARE:
        pairs.append(f"{_key(random)}:{odd(random, 1)}")
    return f"{{{','.join(pairs)}}}"


def _scalar(random: Random, kind: str, schema: dict[str, Any]) -> str:
    match kind:
        case "null":
            return "null"
        case "boolean":
            return random.choice(("true", "false"))
        case "int" | "long":
            bits = 31 if kind == "int" else 63
            return str(random.choice((0, -(2**bits), 2**bits - 1, random.randrange(-999, 999))))
        case "float" | "double":
            return random.choice(("0", "1.5", "-1e-3", "0.1", "1e10"))
        case "decimal":
            number = random.randrange(10 ** schema["precision"])
            whole, part = divmod(number, 10 ** schema["scale"])
            return f'"{whole}.{part:0{schema["scale"]}d}"'
        case "uuid":
            return f'"{random.getrandbits(32):08x}-0000-4000-8000-{random.getrandbits(48):012x}"'
        case "date":
            return f'"{random.randrange(1, 10_000):04d}-{random.randrange(1, 13):02d}-28"'
        case "time-millis":
            return f'"{random.randrange(24):02d}:59:59.{random.randrange(1000):03d}"'
        case "timestamp-micros" | "timestamp-millis":
            return f'"{random.randrange(2, 9999):04d}-02-28T23:59:59.{random.randrange(1000):03d}Z"'
        case "bytes" | "fixed":
            raw = random.randbytes(schema.get("size", random.randrange(100)))
            return f'"{base64.b64encode(raw).decode()}"'
        case "enum":
            return json.dumps(random.choice(schema["symbols"]))
    return json.dumps(odd_string(random), ensure_ascii=random.random() < 0.5)


def _key(random: Random) -> str:
    return json.dumps(random.choice(KEYS) if random.random() < 0.8 else odd_string(random))


def _character(random: Random) -> str:
    plane = random.choice((0, 0, 1, 2, 3, 14, 15, 16))
    code = plane * 0x10000 + random.randrange(1, 0xFFFE)
    return "?" if 0xD800 <= code < 0xE000 else chr(code)
