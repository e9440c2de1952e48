"""The hash of a rule set covers exactly what decisions depend on."""

from dataclasses import replace

from api.content.catalogue import Catalogue
from api.content.rule_set import UNHASHED, reviewed_document, rule_set_document, rule_set_hash
from api.content.vocabulary import ReviewStatus
from api.core.canonical import content_hash


def test_the_hash_of_a_rule_set_covers_its_canonical_bytes_without_the_review(
    catalogue: Catalogue,
) -> None:
    served = reviewed_document(catalogue)
    named = {key: value for key, value in served.items() if key not in UNHASHED}
    assert {"hash", "review"} <= UNHASHED
    assert named.keys() >= {"version", "engine", "questions", "facts", "rules", "levels", "actions"}
    assert served["hash"] == content_hash(named)


def test_a_review_does_not_change_the_hash_of_a_rule_set(catalogue: Catalogue) -> None:
    signed = catalogue.head.review.model_copy(
        update={"status": ReviewStatus.CLINICALLY_REVIEWED, "reviewer": "Dr. A. Example"}
    )
    head = catalogue.head.model_copy(update={"review": signed})
    before, after = reviewed_document(catalogue), reviewed_document(replace(catalogue, head=head))
    assert after["hash"] == before["hash"]
    assert after["review"]["reviewer"] == "Dr. A. Example"


def test_a_changed_text_of_a_rule_changes_the_hash(catalogue: Catalogue) -> None:
    rule = catalogue.rules[0]
    changed = rule.model_copy(update={"text": rule.text | {"es": "Otra cosa."}})
    other = replace(catalogue, rules=(changed, *catalogue.rules[1:]))
    assert rule_set_hash(rule_set_document(other)) != rule_set_hash(rule_set_document(catalogue))


def test_a_changed_exercise_does_not_change_the_hash(catalogue: Catalogue) -> None:
    exercise = catalogue.exercises[0].model_copy(update={"title": {"en": "Curls", "es": "Dedos"}})
    other = replace(catalogue, exercises=(exercise, *catalogue.exercises[1:]))
    assert rule_set_hash(rule_set_document(other)) == rule_set_hash(rule_set_document(catalogue))
