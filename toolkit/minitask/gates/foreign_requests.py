"""Requests to remove something in other languages than English, told by their verb at a clause's start or end.

There an imperative or infinitive stands; a verb that tells what code does has its subject before it. A clause that adds
something, or denies the verb, asks for nothing.
"""

from __future__ import annotations

from minitask.patterns import lazy_pattern

_REMOVE = (
    r"entfernen?|löschen?|streichen?|supprime[rz]?|enl[eè]ve[rz]?|retire[rz]?|elimin(?:a|ar|e|are|i|ate)|borr(?:a|ar|e)"
    r"|quit(?:a|ar|e)|suprim(?:a|ir|e)|remov(?:a|er|e)|exclu(?:a|ir)|apag(?:a|ar|ue)|rimuov(?:i|ere|ete)|verwijder(?:en)?"
    r"|schrap(?:pen)?|usuń(?:cie)?|usunąć|удали(?:ть|те)?|убери(?:те)?|убрать|видали(?:ти)?|прибери|прибрати|kaldır(?:ın)?"
    r"|ta bort|fjern|odstra(?:ň|nit)|smaž|[请請]?(?:[删刪移去]除|去掉)|削除|除去|삭제|제거"
)
_CLEAN = (
    r"räumen?(?=[^,;:]*\bauf\b)|aufräumen|bereinigen?|nettoye[rz]|nettoie|limpi(?:a|ar|e)|limp(?:a|ar|e)|puli(?:sci|re)"
    r"|ruim(?=[^,;:]*\bop\b)|opruimen|uporządkuj|очисти(?:ть|те)?|temizle(?:yin)?|städa|rensa|请?清理|清除|整理|정리"
)
_CJK_REMOVE, _CJK_CLEAN = "(?:[删刪移去]除|去掉|削除|除去|삭제|제거)", "(?:清[理除]|整理|정리)"
_CJK = f"{_CJK_REMOVE}|{_CJK_CLEAN}"
_ENDING = r"(?:する|します|すること|しろ|せよ|してください|して下さい|한다|합니다|하기|하세요|하라|할 것)?"
_WORD_END = r"(?![A-Za-zäöüßé]|しな|せず)"
_START = r"[\W\d]*(?:bitte\s+|et\s+|und\s+|en\s+|y\s+|e\s+|i\s+|и\s+|затем\s+|puis\s+|dann\s+|)"
_REQUESTS = tuple(
    (
        lazy_pattern(
            rf"(?i)(?:{_START}(?:{verbs}){_WORD_END}|.*\W(?:{verbs}){_ENDING}\W*\Z|.*{cjk}{_ENDING}\W*\Z)"
        ),
        word,
    )
    for verbs, cjk, word in (
        (_REMOVE, _CJK_REMOVE, "remove"),
        (_CLEAN, _CJK_CLEAN, "clean up"),
    )
)
"""A clause that asks for it, and the English word."""
_VERBS = lazy_pattern(
    rf"(?i)(?<!\w)(?:{_REMOVE}|{_CLEAN})(?!\w)|(?:{_CJK}){_ENDING}|\b(?:auf|op)\b"
)
_UNUSED = lazy_pattern(
    r"(?i)\b(?:un(?:ge|be)nutzt|(?:nicht|nie)\s+(?:mehr\s+)?(?:be|ge|ver)\w+t|überflüssig|tote[rnms]?\b|inutil|mort(?:e?s?|[oa]s?)\b"
    r"|muert[oa]|(?:no|não|non|niet|не)\s+(?:mais\s+|più\s+|meer\s+)?(?:us[ao]|utiliz|gebruik|использ)|ne\s+(?:sont|sert|servent)\s+plus"
    r"|n['’]est\s+plus|ongebruikt|nieużywan|martw|неиспользуем|м[её]ртв|невикористан|kullanılmayan|ölü\b|oanvän|död\b|nepouž|mrtv)\w*"
    r"|(?:未|不再|没有?|沒有?)被?(?:使用|用到|用)|[无無]用|死代[码碼]|使(?:われ|用され)(?:てい)?(?:ない|なくなった)|不要な|デッド|사용(?:하|되)지\s*않는|죽은|미사용"
)
_NOUNS = tuple(
    (lazy_pattern(rf"(?i)(?:{forms})"), f" {word} ")
    for forms, word in (
        (
            r"\b(?:f[uo]n[ckz]\w*|funç\w+|fonksiyon\w*|функц\w*)|函[数數式]|関数|함수",
            "function",
        ),
        (r"\b(?:m[eé]t[oh]+d\w*|метод\w*)|方法|メソッド|메서드", "method"),
        (r"\b(?:klas\w*|clas[sei]\w*|класс?\w*)|[类類]|クラス|클래스", "class"),
        (r"\b(?:c[oó]d(?:e|ice|igo)|k[oó]du?|код[аом]*)\b|代[码碼]|コード|코드", "code"),
        (r"\b(?:test\w*|pruebas?|тест\w*)|[测測][试試]|テスト|테스트", "test"),
    )
)
_DENIES = lazy_pattern(
    r"(?i)\b(?:nichts?|keine?[nrms]?|niemals|nie|ohne|pas|jamais|rien|aucune?|sans|ne|no|nunca|ning\w+|sin|não|nem|sem|nenhum\w*"
    r"|non|senza|nessun\w*|niet|geen|nooit|zonder|bez|не|без|inte|utan|ingen|aldrig)\b|[不勿别別没沒]|禁止|ない|ません|ず[に、]|않|마세요|말|없이"
    r"|\b(?:soll|muss|müss|kann|darf|wird|werden|moet|zal|kan)\w*\b|\b(?:zu|um|te)\s|[はが]|(?<=[가-힣§])[은는이가]\s"
)
"""A negation, or a subject or an auxiliary verb before a verb that ends its clause."""
_ADDS = lazy_pattern(
    r"(?i)\b(?:füg|ergänz|implement|erstell|schreib|ajout|cr[ée][ée]|écri|añad|agreg|adicion|aggiung|toevoeg|voeg\b|maak\b|dodaj|добав|созда"
    r"|реализ|додай|ekle|lägg\b|přid)\w*|添加|新增|增加|[实實][现現]|[创創]建|追加|実装|作成|추가|구현"
)
_CLAUSES = lazy_pattern(r"[,;:，；、：]|\b(?:aber|mais|pero|maar|ale|но)\b|但")
_ENGLISH = lazy_pattern(r"(?i)\b(?:the|of|from|with|and|this)\b")


def in_english(sentence: str) -> str:
    """Return a foreign request to clean up, or to remove what is unused, in English words and order; "" if it is none.

    One that tells otherwise what goes names it, since any plain word can be a name there.
    """
    if _ENGLISH.search(sentence) or _ADDS.search(sentence):
        return ""
    plain, unused = _UNUSED.subn(" ", sentence)
    clauses = [(_verb_of(clause), clause) for clause in _CLAUSES.split(plain)]
    return "; ".join(
        f"{verb} {'unused ' * bool(unused)}{_object_of(clause)}"
        for verb, clause in clauses
        if verb and (unused or verb != "remove")
    )


def _verb_of(clause: str) -> str:
    if _DENIES.search(clause):
        return ""
    return next((word for form, word in _REQUESTS if form.match(clause)), "")


def _object_of(clause: str) -> str:
    text = _VERBS.sub(" ", clause)
    for form, word in _NOUNS:
        text = form.sub(word, text)
    return text.strip()
