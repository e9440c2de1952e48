"""Which language to answer a participant in."""

from typing import Annotated

from fastapi import Depends

from api.content.deps import AcceptLanguage, CurrentRelease, Lang
from api.http.deps import Db
from api.http.languages import choose_language
from api.participants.deps import WritingCaller
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


OwnLanguage = Annotated[str, Depends(get_own_language, scope="function")]
