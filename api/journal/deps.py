"""What journal handlers ask for: the caller's journal, and the language to answer them in."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.http.deps import CurrentClock, Db, ReadDb
from api.http.languages import choose_language
from api.journal.writing import Writing
from api.participants.deps import ReadingCaller, WritingCaller, require_storage_consent
from api.participants.service import language_of, lock_participant
from api.triage.deps import CurrentRules, KnownRuleSets


async def get_own_language(
    db: Db,
    caller: WritingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose what was asked for now, else the language of the enrolment."""
    if not lang and not accept_language:
        accept_language = await language_of(db, caller.participant_id)
    return choose_language(lang, accept_language, release.languages)


async def get_own_language_for_reading(
    db: ReadDb,
    caller: ReadingCaller,
    release: CurrentRelease,
    lang: Lang = None,
    accept_language: AcceptLanguage = "",
) -> str:
    """Choose the same where nothing is written."""
    return await get_own_language(db, caller, release, lang, accept_language)


OwnLanguage = Annotated[str, Depends(get_own_language, scope="function")]


async def get_writing(
    db: Db,
    caller: WritingCaller,
    rule_set: CurrentRules,
    rule_sets: KnownRuleSets,
    language: OwnLanguage,
    clock: CurrentClock,
) -> AsyncIterator[Writing]:
    """Open the caller's journal; what changed in it is numbered when the handler is done."""
    # Before the first write: two phones that send the same would otherwise wait for each other.
    storage_consent = await lock_participant(db, caller.participant_id)
    usable = await rule_sets.usable(db, rule_set)
    writing = Writing(
        db, caller.participant_id, usable, rule_sets, language, clock.now(), storage_consent
    )
    yield writing
    await writing.finish()


OwnJournal = Annotated[Writing, Depends(get_writing, scope="function")]


def get_storing(journal: OwnJournal) -> Writing:
    """Open the caller's journal for something new, if they still agree to its being stored."""
    require_storage_consent(given=journal.storage_consent)
    return journal


StoringJournal = Annotated[Writing, Depends(get_storing, scope="function")]
ReadingLanguage = Annotated[str, Depends(get_own_language_for_reading, scope="function")]
