"""Which language to answer a participant in."""

from typing import Annotated

from fastapi import Depends

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.http.deps import Db, ReadDb
from api.http.languages import choose_language
from api.participants.deps import ReadingCaller, WritingCaller
from api.participants.service import language_of


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


ReadingLanguage = Annotated[str, Depends(get_own_language_for_reading, scope="function")]
OwnLanguage = Annotated[str, Depends(get_own_language, scope="function")]
