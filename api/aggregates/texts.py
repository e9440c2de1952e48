"""The titles of tables, keys, figures and statuses, in the language of the response. Pure."""

import math
import re
from dataclasses import dataclass

from api.aggregates.estimates import Quantity, Status
from api.content.catalogue import Catalogue
from api.publications.budget import best_guess_percent
from api.publications.measures import EVERYBODY, OTHER_RULE, PERSONALISED, UNKNOWN, TableName

SPECIAL = {EVERYBODY, UNKNOWN, PERSONALISED, OTHER_RULE}
AGE_UNDER = re.compile(r"^age_under_(\d+)$")
AGE_BETWEEN = re.compile(r"^age_(\d+)_(\d+)$")
AGE_FROM = re.compile(r"^age_(\d+)_plus$")


def promised_percent(rho: float) -> float:
    """Return the most often that the best guess is right, in percent, rounded up."""
    return math.ceil(best_guess_percent(rho) * 10) / 10


@dataclass(frozen=True)
class Texts:
    """The titles in one language."""

    catalogue: Catalogue
    language: str

    def _phrase(self, name: str, **values: object) -> str:
        return self.catalogue.phrase(f"aggregates_{name}", self.language).format(**values)

    def guarantee(self, rho: float) -> str:
        """Return the guarantee for every participant, for a year."""
        return self._phrase("guarantee", percent=promised_percent(rho))

    def ledger(self, rho: float) -> str:
        """Explain to a participant what can be learnt about them."""
        if not rho:
            return self._phrase("ledger_empty")
        return self._phrase("ledger", percent=promised_percent(rho))

    def table(self, table: TableName) -> str:
        """Return the title of a table."""
        return self._phrase(f"table_{table}")

    def stat(self, stat: Quantity) -> str:
        """Return the title of a figure."""
        return self._phrase(f"stat_{stat}")

    def status(self, status: Status) -> str:
        """Return the text of a status."""
        return self._phrase(f"status_{status}")

    def key(self, table: TableName, key: str) -> str:
        """Return the title of a key; an unknown one is used as its own title."""
        if key in SPECIAL:
            return self._phrase(f"key_{key}")
        if table is TableName.ROUTINE:
            found = (each.title for each in self.catalogue.routines if each.id == key)
            return next((title[self.language] for title in found), key)
        if table is TableName.RED_FLAG_RULE:
            texts = (each.text for each in self.catalogue.rules if each.id == key)
            return next((f"{key}: {text[self.language]}" for text in texts), key)
        return self._age(key) if table is TableName.AGE else key

    def _age(self, key: str) -> str:
        if match := AGE_UNDER.match(key):
            return self._phrase("age_under", age=match[1])
        if match := AGE_BETWEEN.match(key):
            return self._phrase("age_between", first=match[1], last=match[2])
        if match := AGE_FROM.match(key):
            return self._phrase("age_from", age=match[1])
        return key
