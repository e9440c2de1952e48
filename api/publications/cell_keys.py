"""The cells of every table: from public data, never from participants' data. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.content.catalogue import Catalogue
from api.publications.measures import EVERYBODY, OTHER_RULE, PERSONALISED, UNKNOWN, TableName
from api.publications.policy import MOST_KEYS, InvalidPolicy, PublicationPolicy


@dataclass(frozen=True)
class CellKeys:
    """The cell keys of the tables."""

    routines: Sequence[str]
    regions: Sequence[str]
    red_flag_rules: Sequence[str]

    def of(self, table: TableName, policy: PublicationPolicy) -> tuple[str, ...]:
        """Return a table's keys in order; the last one is for everything else."""
        keys = {
            TableName.ROUTINE: (*sorted(self.routines), PERSONALISED),
            TableName.AGE: (*(band for band in policy.age_bands if band != UNKNOWN), UNKNOWN),
            TableName.REGION: (*sorted(set(self.regions) - {UNKNOWN}), UNKNOWN),
            TableName.ALL: (EVERYBODY,),
            TableName.RED_FLAG: (EVERYBODY,),
            # The most severe first.
            TableName.RED_FLAG_RULE: (*self.red_flag_rules, OTHER_RULE),
        }[table]
        if len(keys) > MOST_KEYS or len(set(keys)) < len(keys):
            message = f"The table {table} would have {len(keys)} keys, or one of them twice."
            raise InvalidPolicy(message)
        return keys


def cell_keys_of(
    catalogue: Catalogue, regions: Sequence[str], policy: PublicationPolicy
) -> CellKeys:
    """Derive the keys from public data: the catalogue, the settings and the rule set."""
    by_severity = sorted(
        (rule for rule in catalogue.rules if rule.level in policy.red_flag_levels),
        key=lambda rule: policy.red_flag_levels.index(rule.level),
    )
    return CellKeys(
        routines=[routine.id for routine in catalogue.routines],
        regions=regions,
        red_flag_rules=[rule.id for rule in by_severity],
    )
