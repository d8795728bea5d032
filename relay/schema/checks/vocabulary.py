"""Recognises money and personal data by the name of a field.

A name is split into words: `customerEmail` contains email, `mailbox` does not. Rules see only
names, so expect false positives; a property on the field settles them.
"""

from __future__ import annotations

import re

__all__ = ["speaks_of_money", "speaks_of_people", "words_of"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


MONEY = _set(
    """amount balance charge cost deposit discount fee fees gross net payment payout premium price
    refund revenue salary subtotal surcharge tax tip total turnover vat wage"""
)
# With one of these words the number is a ratio, a count or an id.
NOT_MONEY = _set(
    """attempt attempts code count factor id index items lines number parcels percent percentage
    pieces quantity rate ratio rank share term terms type weight"""
)
# An integer in minor units ends with one of these: feeCents, amountMinor.
MINOR_UNITS = frozenset({"cent", "cents", "micros", "minor", "pence", "units"})

PERSONAL = _set(
    """address addresses birth birthday birthdate dob email emails fax firstname gender iban ip
    lastname mobile passport phone postal postcode recipient ssn street surname telephone username
    zip nationality religion ethnicity"""
)
# Before `name` these mean a person; others mean a thing (fileName, productName).
PERSONS = _set(
    """actor author billing buyer cardholder company contact customer display driver employee
    family first full given holder invoice last legal maiden member middle nick owner patient person
    recipient sender shipping signer user"""
)
# Names that end with these are not personal data: addressId, emailCount, phoneType.
ABOUT = _set("count hash id ids kind number state status type version")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> list[str]:
    """unitPriceNet, unit_price_net, UnitPriceNET -> [unit, price, net]."""
    return [word.lower() for word in _WORD.findall(name)]


def speaks_of_money(name: str, *, whole: bool = False) -> bool:
    """Checks whether a name means an amount of money.

    whole: the number is an integer, so the word has to come last or before minor units:
    `total` and `feeCents` are money, `totalSeen` and `payments` are counts.
    """
    words = words_of(name)
    if NOT_MONEY.intersection(words):
        return False
    if whole:
        while words and words[-1] in MINOR_UNITS | {"in"}:
            words.pop()
        return bool(MONEY.intersection(words[-1:]))
    return _any_of(MONEY, words)


def speaks_of_people(name: str) -> bool:
    """Checks whether a name means data about a person."""
    words = words_of(name)
    if not words or (words[-1] in ABOUT and words[-2:] not in (["phone", "number"],)):
        return False
    if words[-1] == "by":
        return True
    if words[-1] in {"name", "names"}:
        return len(words) == 1 or words[-2] in PERSONS
    return _any_of(PERSONAL, words)


def _any_of(vocabulary: frozenset[str], words: list[str]) -> bool:
    """Checks whether a word or its singular is in a vocabulary."""
    return any(vocabulary.intersection(_singulars(word)) for word in words)


def _singulars(word: str) -> set[str]:
    found = {word, word.removesuffix("s"), word.removesuffix("es")}
    return found | ({f"{word[:-3]}y"} if word.endswith("ies") else set())
