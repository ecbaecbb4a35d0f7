"""What an audit finds."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PARTS = ("detections", "images", "models", "thumbnails")
"""What is counted while it is looked at; models by their files."""


class Kind(StrEnum):
    """What can be wrong."""

    DATABASE = "database"
    MIGRATION = "migration"
    REFERENCE = "reference"
    DERIVED = "derived"
    MISSING = "missing"
    DAMAGED = "damaged"
    ORPHAN = "orphan"


TITLES: Mapping[Kind, str] = {
    Kind.DATABASE: "damaged database",
    Kind.MIGRATION: "other version",
    Kind.REFERENCE: "broken reference",
    Kind.DERIVED: "stale value",
    Kind.MISSING: "missing file",
    Kind.DAMAGED: "damaged file",
    Kind.ORPHAN: "orphaned file",
}
REMEDIES: Mapping[Kind, str] = {
    Kind.DATABASE: "restore the database from a backup (or try: sqlite3 loop.sqlite .recover)",
    Kind.MIGRATION: "start a loop of the newer version: it brings the tables up to date",
    Kind.REFERENCE: "repair takes the rows out, and writes down what stood in them",
    Kind.DERIVED: "repair computes them anew",
    Kind.MISSING: "put the files back from a backup, or repair: it takes their images and models "
    "out, and writes down what is needed to upload them again",
    Kind.DAMAGED: "as for missing files; repair keeps the damaged ones aside",
    Kind.ORPHAN: "repair moves them aside, to be looked at and deleted",
}
"""What a person can do about it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``subject`` is a key of the storage, or names a row."""

    kind: Kind
    subject: str
    detail: str


@dataclass(slots=True)
class Audit:
    """What was looked at and found, and what is no fault but good to know."""

    checked: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(PARTS, 0)))
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Kind]:
        """How many findings there are of each kind."""
        return Counter(finding.kind for finding in self.findings)

    def of(self, *kinds: Kind) -> list[Finding]:
        """The findings of these kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]

    def add(self, kind: Kind, subject: str, detail: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, subject, detail))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: what was found, what repair did about it, and what is wrong after that."""

    found: Audit
    left: Audit
    repairs: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong, or nothing is any more."""
        return not self.left.findings


Progress = Callable[[str, int, int], None]
"""Is told what is being looked at, how much of it is done, and of how much."""
