"""What to look at before a rater does: cut off, empty, foreign, self-identifying, broken, twice the same.

Pure functions on texts. The text is hostile: every step takes a time that grows with its length and no
faster, so repetitions in patterns have bounds. docs/decisions/review.md says why each rule is as it is.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from annotation.languages import ManyTexts
from annotation.vocabulary import FinishReason, MarkKind

VERSION = "1"
"""Of the rules and of the list of names; kept with every mark."""

MASK = "▇▇▇"
MOST_SPANS = 20  # kept in a mark
LONGEST_QUOTE = 80
LONGEST_READ = 200_000
"""Characters that are read of a text where its whole would add nothing: languages, likeness."""

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
)


@dataclass(frozen=True)
class Finding:
    """`detail` is JSON: "spans", a list of [start, end, quote] in the text, and what else is to tell."""

    kind: MarkKind
    detail: dict = field(default_factory=dict)


def scan_response(text: str, prompt: str, finish_reason: str) -> list[Finding]:
    """What is to be said of one response to the prompt's last message."""
    return _scan(text, prompt, finish_reason, in_one_language=False)


def _scan(text: str, prompt: str, finish_reason: str, in_one_language: bool) -> list[Finding]:
    """`in_one_language`: text and prompt are known to be, so that this needs no look."""
    if is_empty(text):
        return [Finding(MarkKind.EMPTY, {"spans": []})]
    found = [
        truncated(text, finish_reason),
        None if in_one_language else foreign(text, prompt),
        identity(text),
        special_tokens(text),
    ]
    return [finding for finding in found if finding]


def scan_pair(text: str, other: str) -> list[Finding]:
    """What is to be said of two responses beside each other."""
    likeness = similarity(text, other)
    if likeness == 1.0 and _tokens(text) == _tokens(other):
        return [Finding(MarkKind.IDENTICAL, {"similarity": 1.0})]
    if likeness >= NEARLY:
        return [Finding(MarkKind.NEAR_IDENTICAL, {"similarity": round(likeness, 3)})]
    return []


def scan_responses(asked: Sequence[tuple[str, str, str]]) -> list[list[Finding]]:
    """`scan_response` of many (text, prompt, finish reason), with the same findings in less time."""
    alike = _same_language([(text, prompt) for text, prompt, _ in asked])
    return [
        _scan(text, prompt, reason, in_one_language)
        for (text, prompt, reason), in_one_language in zip(asked, alike, strict=True)
    ]


def _spans(text: str, spans: Iterable[tuple[int, int]]) -> list[list]:
    return [[start, end, text[start : min(end, start + LONGEST_QUOTE)]] for start, end in spans][:MOST_SPANS]


# Empty -------------------------------------------------------------------------------------------------

VISIBLE = re.compile(rf"[^\s{INVISIBLE}\u2800]")


def is_empty(text: str) -> bool:
    """Whether nothing of the text would be seen."""
    return VISIBLE.search(text) is None


# Cut off -----------------------------------------------------------------------------------------------

FEWEST_WORDS = 8
"""In the last line of a text that says it was cut off by where it ends; a shorter one may be an answer."""

FEWEST_SIGNS = 20  # the same for scripts that write no spaces
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
OPEN_ENDS = (
    "a an the and or but nor of to for with from by in on at as that which who whose because if when while "
    "is are was were be been can could will would should must may might has have had this these their your "
    "my its our his her about into through than such including also very e o y de la el los las und oder der "
    "die das le les des et un une"
)
OPEN_END = re.compile(rf"(?:[,(\[{{–—]|(?<![\w'’])(?:{'|'.join(OPEN_ENDS.split())}))\Z", re.IGNORECASE)
LONGEST_END = 40  # characters; longer than any of the words that leave an end open
LISTED = re.compile(r"\s{0,8}(?:[-*+•–]|\d{1,3}[.)]|#{1,6}|>|\|)\s?")
LAST_LETTER = re.compile(rf"[^\W\d_{CJK}]")
LAST_CJK = re.compile(rf"[{CJK}]{{{FEWEST_SIGNS}}}")


def truncated(text: str, finish_reason: str) -> Finding | None:
    """Cut at the token limit; of an imported text, whose end nobody recorded, by how it ends."""
    if finish_reason == FinishReason.LENGTH:
        return Finding(MarkKind.TRUNCATED, {"spans": _end(text), "because": "It was cut at the token limit."})
    if finish_reason != FinishReason.IMPORTED:
        return None
    if text.count("\n```") % 2 != text.startswith("```"):
        return Finding(MarkKind.TRUNCATED, {"spans": _end(text), "because": "A block of code is not closed."})
    if _ends_in_mid_sentence(text[-2_000:].rstrip().strip("*_")):
        return Finding(MarkKind.TRUNCATED, {"spans": _end(text), "because": "It ends in mid-sentence."})
    return None


def _end(text: str) -> list[list]:
    end = len(text.rstrip())
    return _spans(text, [(max(0, end - 40), end)])


def _ends_in_mid_sentence(text: str) -> bool:
    line = text.rpartition("\n")[2]
    # Searched from near the end, where it must stand: from the start, every place of a long line is tried.
    if LAST_CJK.fullmatch(line[-FEWEST_SIGNS:]):
        return True
    words = line.split()
    if len(words) >= FEWEST_WORDS // 2 and OPEN_END.search(line[-LONGEST_END:]) and not line.isupper():
        return True
    return len(words) >= FEWEST_WORDS and bool(LAST_LETTER.fullmatch(line[-1:])) and not LISTED.match(line)


# Another language than the prompt ------------------------------------------------------------------------

FEWEST_LETTERS = {"prompt": 20, "response": 40}
SURE = 0.9
UNLIKELY = 0.01
"""A pair of texts is in two languages when each is SURE of its own and finds the other's UNLIKELY."""

LANGUAGES = (
    "af am ar az be bg bn bs ca cs da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk "
    "km kn ko la lo lt lv mk ml mn mr ms my no ne nl pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl "
    "tr uk ur uz vi xh yo zh zu"
)
"""Those that are told apart; dialects and the smallest would only be mistaken for their neighbours."""

TOO_ALIKE = (
    "da no",
    "hr bs sr",
    "id ms",
    "es gl ca pt",
    "cs sk",
    "ru uk be bg mk",
    "hi mr ne",
    "zh ja",
    "af nl",
    "fa ur ar",
    "xh zu",
)
"""Languages that are taken for each other in short texts count as one."""

ALIKE = {language: group.split()[0] for group in TOO_ALIKE for language in group.split()}

LANGUAGE_WORDS = re.compile(
    r"translat|traduc|tradui|übersetz|перевед|翻译|翻譯|訳|in (?:any|another|other) language|"
    r"\b(?:english|spanish|french|german|italian|portuguese|dutch|russian|chinese|mandarin|cantonese|japanese|"
    r"korean|arabic|hindi|turkish|polish|swedish|danish|norwegian|finnish|greek|hebrew|latin|thai|vietnamese|"
    r"indonesian|czech|hungarian|romanian|ukrainian|persian|swahili|bengali|urdu|tamil|"
    r"español|inglés|français|anglais|deutsch|englisch|italiano|inglese|português|русск|английск)|英语|中文|英文|日本語",
    re.IGNORECASE,
)
NOT_PROSE = re.compile(r"```.{0,20000}?(?:```|\Z)|`[^`\n]{0,200}`|https?://\S{1,500}", re.DOTALL)
READ_FOR_LANGUAGE = 2_000
CLOSE = 0.001
"""To SURE: a probability from many texts together is looked at again by itself."""


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES.split())
    return identifier


def foreign(text: str, prompt: str) -> Finding | None:
    """In another language than the prompt, both surely; not where the prompt speaks of languages."""
    if LANGUAGE_WORDS.search(prompt[:LONGEST_READ]):
        return None
    asked = languages_of(prompt[-READ_FOR_LANGUAGE:], FEWEST_LETTERS["prompt"])
    given = languages_of(text[:READ_FOR_LANGUAGE], FEWEST_LETTERS["response"])
    if not asked or not given:
        return None
    (ours, sure), (theirs, also_sure) = (
        max(odds.items(), key=lambda item: item[1]) for odds in (asked, given)
    )
    if min(sure, also_sure) < SURE or max(asked.get(theirs, 0.0), given.get(ours, 0.0)) > UNLIKELY:
        return None
    detail = {"spans": _spans(text, [(0, min(len(text), 60))]), "prompt": ours, "response": theirs}
    return Finding(MarkKind.LANGUAGE, detail)


@lru_cache(maxsize=1)
def _many_texts() -> ManyTexts:
    return ManyTexts(_identifier())


def _likeliest(texts: Sequence[str]) -> list[tuple[str, float]]:
    """The likeliest language of each prose, and its probability."""
    many = _many_texts()
    odds = many.probabilities(texts)
    best = odds.argmax(axis=1)
    return [(many.labels[at], float(row[at])) for at, row in zip(best, odds, strict=True)]


@lru_cache(maxsize=1)
def _groups() -> tuple[list[str], np.ndarray]:
    """Languages that count as one, and which of a model's columns belong to each."""
    labels = [ALIKE.get(label, label) for label in _many_texts().labels]
    names = sorted(set(labels))
    return names, np.array([[label == name for name in names] for label in labels], dtype=np.float32)


def _same_language(pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Whether text and prompt have the same likeliest language, so that neither is foreign to the other.

    `foreign` finds nothing then, whatever the probabilities: each would have to find the other's unlikely.
    """
    prompts = {prompt: NOT_PROSE.sub(" ", prompt[-READ_FOR_LANGUAGE:]) for _, prompt in pairs}
    proses = [NOT_PROSE.sub(" ", text[:READ_FOR_LANGUAGE]) for text, _ in pairs]
    if not proses:
        return []
    _, belongs = _groups()
    odds = _many_texts().probabilities([*prompts.values(), *proses]) @ belongs
    best = odds.argmax(axis=1)
    of_prompt = dict(zip(prompts, best, strict=False))
    return [of_prompt[prompt] == own for (_, prompt), own in zip(pairs, best[len(prompts) :], strict=True)]


def languages_of(text: str, fewest: int) -> dict[str, float]:
    """Probabilities of the languages of a text's prose, too alike ones as one; {} where it is too short."""
    prose = NOT_PROSE.sub(" ", text)
    if not _has_letters(prose, fewest):
        return {}
    odds: dict[str, float] = {}
    for language, probability in _identifier().rank(prose):
        group = ALIKE.get(language, language)
        odds[group] = odds.get(group, 0.0) + float(probability)
    return odds


def language_of(text: str) -> str:
    """The language of a prompt's prose, as a two-letter code; "" where it is too short, or unclear."""
    prose = NOT_PROSE.sub(" ", text[-READ_FOR_LANGUAGE:])
    if not _has_letters(prose, FEWEST_LETTERS["prompt"]):
        return ""
    language, probability = _identifier().rank(prose)[0]
    return language if probability >= SURE else ""


def languages_of_prompts(texts: Sequence[str]) -> list[str]:
    """`language_of` each of many texts, in less time."""
    proses = [NOT_PROSE.sub(" ", text[-READ_FOR_LANGUAGE:]) for text in texts]
    found = []
    for text, prose, (language, probability) in zip(texts, proses, _likeliest(proses), strict=True):
        if abs(probability - SURE) < CLOSE or not _has_letters(prose, FEWEST_LETTERS["prompt"]):
            found.append(language_of(text))
        else:
            found.append(language if probability >= SURE else "")
    return found


def _has_letters(prose: str, fewest: int) -> bool:
    """Whether so many are there; a sign of Chinese, Japanese or Korean says as much as three letters."""
    letters = 0
    for sign in prose:
        if sign.isalpha():
            letters += 3 if _is_cjk(sign) else 1
            if letters >= fewest:
                return True
    return False


def _is_cjk(sign: str) -> bool:
    return "\u3040" <= sign <= "\u9fff" or "\uac00" <= sign <= "\ud7a3"


# Special tokens ------------------------------------------------------------------------------------------

TOKENS = re.compile(
    r"<[|｜][\w▁ /.\-]{1,40}[|｜]>"
    r"|\[/?INST\]|<<?/?SYS>?>|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
    r"|</?(?:think|thinking|reasoning|tool_call|tool_response|start_of_turn|end_of_turn|start_of_image|bos|eos|pad|unk|mask|sep|cls)>"
    r"|<0x[0-9A-F]{2}>"
    r"|\A\s{0,8}<s>|</s>"
)
STRUCK = re.compile(r"<s>[^<\n]{0,300}</s>")
"""A struck-through passage of HTML, not the tokens that look like it."""

CODE = re.compile(r"(?m)^(?:```|~~~).{0,200}$|`[^`\n]{1,200}`")


def special_tokens(text: str) -> Finding | None:
    """Tokens of a chat template that are not quoted as code."""
    if "<" not in text and "[" not in text:
        return None
    found = [match.span() for match in TOKENS.finditer(_without_code(text))]
    return Finding(MarkKind.TOKENS, {"spans": _spans(text, found)}) if found else None


def _without_code(text: str) -> str:
    """The text with quoted code blanked; what is left stays in its place."""
    parts, at, fence = [], 0, None
    for match in CODE.finditer(text):
        is_fence = match[0].startswith(("```", "~~~"))
        if fence is None and is_fence:
            fence = match
        elif fence is None or (is_fence and match[0][:3] == fence[0][:3]):
            start = match.start() if fence is None else fence.start()
            parts += [text[at:start], " " * (match.end() - start)]
            at, fence = match.end(), None
    rest = "".join([*parts, text[at:]])
    return STRUCK.sub(lambda match: " " * len(match[0]) if match.start() else match[0], rest)


# Says which model it is ------------------------------------------------------------------------------------

HOMOGLYPHS = dict(
    zip("аеорсхуіѕјԛԝһӏкмтвнгзαοικνρτυχεηωѵԁɡ", "aeopcxyisjqwhlkmtbhrzaoikvptuxenwvdg", strict=True)
)
QUOTES = {"’": "'", "‘": "'", "＇": "'"}


def _base(sign: str) -> str:
    """The plain small letter that a sign looks like, or the sign itself; always one character."""
    small = sign.lower() if len(sign.lower()) == 1 else sign
    plain = unicodedata.normalize("NFKD", small)[:1].lower()
    plain = plain if plain.isascii() and plain.isalnum() else small
    return HOMOGLYPHS.get(plain, plain)


FOLDED = {
    code: _base(chr(code))
    for start, end in ((0x41, 0x3000), (0xFF01, 0xFF5F), (0x1D400, 0x1D800))
    for code in range(start, end)
    if _base(chr(code)) != chr(code)
} | {ord(sign): plain for sign, plain in QUOTES.items()}


def fold(text: str) -> str:
    """`text` in small plain letters, with look-alikes replaced; as long as before, sign by sign."""
    return text.lower() if text.isascii() else text.translate(FOLDED)


UNSEEN = f"[{INVISIBLE}]{{0,8}}"
LOOKS_LIKE = {"o": "[o0]", "l": "[l1i|]", "i": "[i1l|]"}
FREE_FORM = 5  # letters from which a name is recognised with 0 for o and 1 for l
VERSIONED = (
    rf"(?:{UNSEEN}[ \-]?v?\d\w{{0,12}}(?:[.\-]\w{{1,16}}){{0,4}}"
    r"|(?:-[a-z]\w{0,12}){1,3}(?!\w)"
    r"| (?:sonnet|opus|haiku|pro|ultra|flash|nano|instruct|chat|turbo|plus|max)(?!\w))?"
)
NOT_A_NAME_AFTER = re.compile(r"[\s]{1,3}[A-ZÀ-Þ][a-zß-ÿ]")


@lru_cache(maxsize=1)
def model_names() -> dict[str, bool]:
    """Names from model_names.txt, folded; True for those that are everyday words too."""
    lines = (Path(__file__).parent / "model_names.txt").read_text().splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {fold(name.lstrip("~")): name.startswith("~") for name in names}


def _spelt(name: str) -> list[str]:
    """A pattern for each sign of a name."""
    looks = LOOKS_LIKE if len(name) >= FREE_FORM else {}
    return [r"[\s\-_]{0,2}" if sign == " " else looks.get(sign, re.escape(sign)) for sign in name]


def _one_of(words: list[list[str]]) -> str:
    """A pattern for the words, each a list of signs: written as a tree, it reads each sign of a text once."""
    branches: dict[str, list[list[str]]] = {}
    for first, *rest in filter(None, words):
        branches.setdefault(first, []).append(rest)
    tails = {first: _one_of(rests) for first, rests in branches.items()}
    inner = "|".join(first + (UNSEEN + tail if tail else "") for first, tail in tails.items())
    if not inner:
        return ""
    return f"(?:{inner})" + ("?" if [] in words else "")


@lru_cache(maxsize=1)
def _names_pattern() -> re.Pattern[str]:
    names = list(model_names())
    latin = _one_of([_spelt(name) for name in names if name.isascii()])
    other = "|".join(re.escape(name) for name in names if not name.isascii())
    return re.compile(rf"(?<![a-z0-9])(?=[a-z01])(?P<latin>{latin})(?![a-z]){VERSIONED}|(?:{other})")


@lru_cache(maxsize=1_000)
def _listed(spelt: str) -> str:
    """The name of the list that is spelt so; of two, the shorter."""
    names = sorted(filter(str.isascii, model_names()), key=len)
    return next(name for name in names if re.fullmatch(UNSEEN.join(_spelt(name)), spelt))


@dataclass(frozen=True)
class Name:
    """A name as it stands in a text; `name` as in the list."""

    start: int
    end: int
    name: str
    is_word: bool


def names_in(folded: str) -> Iterator[Name]:
    """Every name of the list in a folded text."""
    for match in _names_pattern().finditer(folded):
        name = _listed(match["latin"]) if match["latin"] else match[0]
        yield Name(match.start(), match.end(), name.replace(" ", ""), model_names()[name])


NOUN = r"(?:models?|l?lms?|ai|a\.i\.|artificial intelligence|assistant|chatbot|chat bot|bot)"
MADE = (
    r"(?:created|made|developed|trained|built|designed|programmed|based|powered|fine-?tuned|produced|released|"
    r"maintained|provided|operated|owned)"
)
PLAIN = (
    r"(?:just|simply|actually|really|still|only|in fact|called|named|known as|a version of|version|your|the|"
    r"an?|new|latest|large|small|big|language|virtual|digital|helpful|friendly|harmless|honest|conversational|"
    r"generative|powerful|advanced|open[- ]source|multimodal|neural|network|pre-?trained|text-based|system|"
    r"program|variant|of|by|from|at|on|and|&|our|its|which was|that was|who was|was|been|originally|team|"
    r"company|researchers|engineers|lab|series|family|independently|safe|research|"
    r"ein|eine|einen|von|entwickelt|sprachmodell|ki|un|une|por|par|de|desarrollado|creado|modelo|modele|"
    r"langage|lenguaje|asistente|entrene|cree|da|di|modello|uma?|pelo|pela|一个|由)"
)
FILLER = rf"(?:{NOUN}|{MADE}|{PLAIN})"
FILLERS = rf"(?:[ ]?(?:,[ ]?(?={MADE}|which|a |an |your ))?{FILLER}(?=[ ,]|\Z)){{0,16}}"
FIRST_PERSON = (
    r"(?:i am|i'm|im|my name is|my name's|you can call me|i go by|ich bin|ich heisse|ich heiße|je suis|"
    r"je m'appelle|yo soy|soy|me llamo|mi nombre es|sono|mi chiamo|eu sou|meu nome e|ik ben|jeg er|jag ar)"
)
OTHER_FIRST_PERSON = "|".join(
    re.escape(fold(words))
    for words in (
        "我是",
        "我叫",
        "我的名字是",
        "私は",
        "나는",
        "저는",
        "я -",
        "я —",
        "я –",
        "я",
        "меня зовут",
    )
)
BEFORE = re.compile(
    rf"(?:(?<!\w)(?P<person>{FIRST_PERSON})|(?P<other>{OTHER_FIRST_PERSON})"
    r"|(?<!\w)(?P<origin>(?:i was|i have been|i've been|me was))"
    r"|(?<!\w)(?P<mine>my (?:creators?|developers?|makers?|parent company|company|provider|training)"
    r"(?: is| are| was| at| by|,)?)"
    r"|(?<!\w)(?P<rule>i (?:must|have to|need to|should|am required to|am bound to) "
    r"(?:follow|comply with|adhere to|respect))"
    rf"|(?<!such )(?<!well )(?<!\w)(?P<role>as))(?P<fillers>{FILLERS})[ ,:]?\Z"
)
BETWEEN = re.compile(rf"[ ,;.(\-–—]{{0,4}}{FILLERS}[ ,:(]{{0,2}}\Z")
MADE_ME = re.compile(rf"(?:'s)?(?: team| engineers| researchers)?(?: has| have)? {MADE} me\b")
WINDOW = 160
MOST_NAMES = 2_000
"""Names whose surroundings are read; a text with more is not an answer."""


def identity(text: str) -> Finding | None:
    """Names by which the response says which model it is, or whose. “As an AI language model” is no name."""
    found = _identities(text)
    if not found:
        return None
    names = sorted({name.name for name in found})
    return Finding(
        MarkKind.IDENTITY, {"spans": _spans(text, [(n.start, n.end) for n in found]), "names": names}
    )


def _identities(text: str) -> list[Name]:
    folded = fold(text)
    found: list[Name] = []
    for number, name in enumerate(names_in(folded)):
        if number >= MOST_NAMES:
            break
        before = _readable(folded[max(0, name.start - WINDOW) : name.start])
        after = _readable(folded[name.end : name.end + WINDOW])
        if _follows(text, folded, found, name) or _is_own_name(text, name, before, after):
            found.append(name)
    return found


def _readable(folded: str) -> str:
    """Surroundings without what is not seen or only decorates."""
    return re.sub(r"\s+", " ", re.sub(rf"[{INVISIBLE}*_`\"“”«»]", "", folded))


def _follows(text: str, folded: str, found: list[Name], name: Name) -> bool:
    """Whether the name goes on from one that the response has just called its own: “…, made by …”."""
    if not found or name.start - found[-1].end > WINDOW:
        return False
    between = _readable(folded[found[-1].end : name.start])
    return bool(re.search(r"\b(?:by|from)\b|^ ?[(/,]|^[的，,]?由", between)) and bool(BETWEEN.match(between))


def _is_own_name(text: str, name: Name, before: str, after: str) -> bool:
    if MADE_ME.match(after):
        return True
    context = BEFORE.search(before)
    if context is None or _is_somebody(text, name, after, context["fillers"]):
        return False
    return _says_so(context, after, name)


def _is_somebody(text: str, name: Name, after: str, fillers: str) -> bool:
    """Whether an everyday name is a person's, an animal's or a sign of the zodiac here."""
    if not name.is_word or re.search(rf"\b(?:{NOUN}|{MADE})\b", fillers):
        return False
    if re.search(r"\b(?:an?|un|une|ein|eine)\Z", fillers.strip()):
        return not re.match(rf"(?: large| language)* {NOUN}\b", after)
    if NOT_A_NAME_AFTER.match(text, name.end):
        return True
    return bool(
        re.match(r" (?!by|from|made|created|developed|trained|an?\b|the\b|your\b|and i\b)[a-z]", after)
    )


def _says_so(context: re.Match[str], after: str, name: Name) -> bool:
    fillers = context["fillers"]
    about_itself = re.search(rf"\b(?:{NOUN}|{MADE})\b", fillers)
    if context["role"]:
        if re.search(rf"\b{NOUN}\b", fillers):
            return bool(
                re.search(r"\b(?:by|from|of|on|called|named)\Z|\A.{0,3}\b(?:the|an?)\b", fillers.strip())
            )
        return not fillers.strip() and bool(re.match(r"(?: ai)?, (?:i|my|i'm)\b", after))
    if context["origin"]:
        return bool(re.search(r"\b(?:by|at|from|as)\b", fillers)) and bool(about_itself)
    if context["mine"]:
        return True
    if context["rule"]:
        return bool(re.match(r"'s?\b", after))
    return bool(about_itself) or not re.search(
        r"\b(?:at|on|from|by|of|and|team|company|researchers|engineers)\b",
        fillers.replace("a version of", ""),
    )


def mask_names(text: str) -> str:
    """The text with every name hidden by which it tells whose it is, wherever that name stands in it."""
    own = {name.name for name in _identities(text)}
    if not own:
        return text
    parts, at = [], 0
    for name in names_in(fold(text)):
        if name.name in own:
            parts += [text[at : name.start], MASK]
            at = name.end
    return "".join([*parts, text[at:]])


# Twice the same ---------------------------------------------------------------------------------------------

NEARLY = 0.9
"""Similarity from which two responses are nearly the same."""

FEWEST_TOKENS = 10
"""In the longer of two texts that are nearly the same; a word of a shorter one may be its whole point."""

WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+")


def similarity(text: str, other: str) -> float:
    """Jaccard index of the two multisets of words; case, marks and white space aside. 1: the same words."""
    ours, theirs = _tokens(text), _tokens(other)
    if ours == theirs:
        return 1.0 if ours or text.strip() == other.strip() else 0.0
    if max(len(ours), len(theirs)) < FEWEST_TOKENS:
        return 0.0
    if min(len(ours), len(theirs)) < NEARLY * max(len(ours), len(theirs)):
        return 0.0  # can only be lower
    shared = (Counter(ours) & Counter(theirs)).total()
    return shared / (len(ours) + len(theirs) - shared)


def _tokens(text: str) -> list[str]:
    if text.isascii():
        return WORD.findall(text[:LONGEST_READ].lower())
    visible = re.sub(rf"[{INVISIBLE}]+", "", text[:LONGEST_READ])
    return WORD.findall(unicodedata.normalize("NFKC", visible).casefold())
