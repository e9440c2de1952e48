"""The validated state of the seed folder, in memory."""

from dataclasses import dataclass

from api.content import seed

# Every seed file, with the name of the catalogue's field and the shape of its entries.
ENTRY_FILES: dict[str, tuple[str, type[seed.SeedModel]]] = {
    "languages.json": ("languages", seed.Language),
    "sources.json": ("sources", seed.Source),
    "phrases.json": ("phrases", seed.Phrase),
    "media.json": ("media", seed.Media),
    "conditions.json": ("conditions", seed.Condition),
    "cautions.json": ("cautions", seed.Caution),
    "exercises.json": ("exercises", seed.Activity),
    "massages.json": ("massages", seed.Activity),
    "tips.json": ("tips", seed.Tip),
    "benefits.json": ("benefits", seed.Benefit),
    "warnings.json": ("warnings", seed.HealthWarning),
    "routines.json": ("routines", seed.Routine),
    "consents.json": ("consents", seed.Consent),
    "triage/questions.json": ("questions", seed.Question),
    "triage/screens.json": ("screens", seed.Screen),
    "triage/facts.json": ("facts", seed.Fact),
    "triage/rules.json": ("rules", seed.Rule),
    "triage/session-facts.json": ("session_facts", seed.Fact),
    "triage/session-rules.json": ("session_rules", seed.Rule),
    "triage/countries.json": ("countries", seed.Country),
    "triage/levels.json": ("levels", seed.Level),
    "triage/actions.json": ("actions", seed.Action),
}
HEAD_FILE = "triage/rule-set.json"


@dataclass(frozen=True)
class Catalogue:
    """The content of the seed folder; `ENTRY_FILES` names the fields."""

    languages: tuple[seed.Language, ...]
    sources: tuple[seed.Source, ...]
    phrases: tuple[seed.Phrase, ...]
    media: tuple[seed.Media, ...]
    conditions: tuple[seed.Condition, ...]
    cautions: tuple[seed.Caution, ...]
    exercises: tuple[seed.Activity, ...]
    massages: tuple[seed.Activity, ...]
    tips: tuple[seed.Tip, ...]
    benefits: tuple[seed.Benefit, ...]
    warnings: tuple[seed.HealthWarning, ...]
    routines: tuple[seed.Routine, ...]
    consents: tuple[seed.Consent, ...]
    questions: tuple[seed.Question, ...]
    screens: tuple[seed.Screen, ...]
    facts: tuple[seed.Fact, ...]
    rules: tuple[seed.Rule, ...]
    session_facts: tuple[seed.Fact, ...]
    session_rules: tuple[seed.Rule, ...]
    countries: tuple[seed.Country, ...]
    levels: tuple[seed.Level, ...]
    actions: tuple[seed.Action, ...]
    head: seed.RuleSetHead
    drawings: dict[str, str]

    @property
    def language_codes(self) -> tuple[str, ...]:
        """The languages that every text is in."""
        return tuple(language.code for language in self.languages)

    @property
    def activities(self) -> tuple[seed.Activity, ...]:
        """Exercises first, then massages."""
        return (*self.exercises, *self.massages)

    def phrase(self, phrase_id: str, language: str) -> str:
        """Return one of the sentences that responses are built with."""
        return next(phrase.text[language] for phrase in self.phrases if phrase.id == phrase_id)
