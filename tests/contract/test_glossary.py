"""One word, one meaning: the glossary holds for the names in the code, and the code for it."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from api.tables import ALL_TABLES
from tests.contract.test_documents import DOCS, DOCUMENTS, ROOT, table, words

GLOSSARY = DOCS / "glossary.md"
# Words that had several meanings: the glossary lists every class that is named with one.
GUARDED = ("change", "cost", "entry", "hold", "key", "period", "plan", "policy", "row")
# Words of programming and of HTTP, which have no meaning of their own here.
GENERAL = {
    *("body", "details", "error", "item", "kind", "limits", "list", "model", "range", "request"),
    *("route", "state", "status", "table", "type", "versions"),
    "force",  # in force
}


@dataclass(frozen=True)
class Named:
    """A class, function, module or type alias."""

    name: str
    kind: str
    file: Path

    @property
    def words(self) -> list[str]:
        return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", self.name)]

    @property
    def package(self) -> str:
        parts = self.file.relative_to(ROOT).parts
        return parts[1] if len(parts) > 2 else ""


def singular(word: str) -> str:
    return re.sub(r"s$", "", re.sub(r"ies$", "y", word))


def named_in(*folders: str) -> Iterator[Named]:
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            yield Named(file.stem, "module", file)
            tree = ast.parse(file.read_text("utf-8"))
            for node in ast.walk(tree):
                match node:
                    case ast.ClassDef():
                        yield Named(node.name, "class", file)
                    case ast.FunctionDef() | ast.AsyncFunctionDef():
                        yield Named(node.name, "function", file)
            for statement in tree.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(name)]) if not name.isupper():
                        yield Named(name, "alias", file)


def terms() -> dict[str, list[str]]:
    """Return each term with the classes and tables that it claims."""
    return {row[0].strip("*"): words(row[2]) for row in table(GLOSSARY, "## Terms")}


def first_column(heading: str) -> set[str]:
    return {row[0] for row in table(GLOSSARY, heading)}


EVERY = list(named_in("api", "tests"))
CLASSES = [
    each for each in EVERY if each.kind == "class" and each.file.is_relative_to(ROOT / "api")
]


def retired(every: Iterable[Named], not_used: set[str]) -> list[str]:
    """Return the names with a word that is not used."""
    return [each.name for each in every if not_used & {*each.words, *map(singular, each.words)}]


def alone(every: Iterable[Named], qualified: set[str]) -> list[str]:
    """Return the classes and types that are named with nothing but a word that needs another."""
    return [
        f"{each.file.stem}.{each.name}"
        for each in every
        if each.kind in {"class", "alias"}
        if [singular(word) for word in each.words] in [[word] for word in qualified]
    ]


def unlisted(classes: Iterable[Named], claimed: set[str]) -> list[str]:
    """Return the classes with a guarded word or a shared name that no term claims."""
    every = list(classes)
    times = Counter(each.name for each in every)
    return sorted(
        {
            each.name
            for each in every
            if each.name not in claimed and not each.name.startswith("_")
            if times[each.name] > 1 or set(GUARDED) & set(map(singular, each.words))
        }
    )


def unexplained(classes: Iterable[Named], known: set[str]) -> list[str]:
    """Return the nouns that head classes of several packages without being a term."""
    packages: dict[str, set[str]] = defaultdict(set)
    for each in classes:
        packages[each.words[-1]].add(each.package)
    return sorted(
        noun for noun, users in packages.items() if len(users) > 1 and singular(noun) not in known
    )


def test_every_word_of_the_glossary_is_in_use() -> None:
    found = list(terms())
    assert found == sorted(found)
    files = [*DOCUMENTS, *(ROOT / "api").rglob("*.py")]
    text = "\n".join(path.read_text("utf-8").lower() for path in files if path != GLOSSARY)
    text += "\n".join(" ".join(each.words) for each in EVERY)
    each = [part for term in found for part in term.split(", ")]
    assert not [part for part in each if not re.search(rf"\b{re.escape(part)}s?\b", text)]


def test_every_class_and_table_of_the_glossary_exists_and_has_one_meaning() -> None:
    claimed = Counter(name for names in terms().values() for name in names)
    existing = {each.name for each in CLASSES} | {model.__tablename__ for model in ALL_TABLES}
    assert not claimed.keys() - existing
    assert not [name for name, times in claimed.items() if times > 1]


def test_every_class_named_with_a_word_that_had_several_meanings_is_in_the_glossary() -> None:
    assert not unlisted(CLASSES, {name for names in terms().values() for name in names})


def test_every_noun_that_heads_classes_of_several_packages_is_in_the_glossary() -> None:
    known = {word for term in terms() for word in re.findall(r"\w+", term)}
    assert not unexplained(CLASSES, known | set(map(singular, GENERAL)))


def test_no_name_has_a_word_that_is_not_used() -> None:
    assert not retired(EVERY, first_column("## Not used"))
    assert not [name for name in terms() if name in first_column("## Not used")]


def test_words_that_need_another_are_never_alone() -> None:
    assert not alone(EVERY, first_column("## Never alone"))


def test_names_that_break_the_rules_are_found() -> None:
    def of(name: str, package: str = "journal", kind: str = "class") -> Named:
        return Named(name, kind, ROOT / "api" / package / "models.py")

    assert retired(
        [of("OpenShelf"), of("two_worlds", kind="function"), of("Plan")], {"world", "shelf"}
    ) == [
        "OpenShelf",
        "two_worlds",
    ]
    assert alone([of("Keys"), of("CellKeys"), of("Entry", kind="alias")], {"key", "entry"}) == [
        "models.Keys",
        "models.Entry",
    ]
    shapes = [of("WeeklyPlan"), of("Plan"), of("Routine"), of("Routine", "content"), of("Tip")]
    assert unlisted(shapes, {"Plan"}) == ["Routine", "WeeklyPlan"]
    both = [of("StoredQuokka"), of("Quokka", "content"), of("SpareWombat"), of("Wombat")]
    assert unexplained(both, {"plan"}) == ["quokka"]
