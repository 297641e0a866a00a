"""Many texts together have the languages that py3langid finds for each alone, by its public classifier."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from annotation.languages import AT_ONCE, ManyTexts

TEXTS = [
    "",
    " ",
    "7",
    "a",
    "The kite flies high above a quiet meadow while children watch.",
    "Der Drachen fliegt hoch über der Wiese, und die Kinder sehen zu.",
    "El cometa vuela alto sobre un prado tranquilo mientras los niños miran.",
    "Воздушный змей летит высоко над тихим лугом.",
    "风筝在安静的草地上空高高飞翔，孩子们看着。",
    "凧は静かな牧草地の上を高く飛んでいます。",
    "تحلق الطائرة الورقية عالياً فوق مرج هادئ.",
    "🪁🪁🪁",
    "\x00\x01\x7f",
    "e\u0301te\u0301 " * 30,
    "wind " * 2_000,
    "0123456789" * 40,
    "Mixed: der Wind, the wind, le vent, el viento, ветер, 风",
]


@pytest.fixture(scope="module", params=["all", "some"])
def identifier(request) -> LanguageIdentifier:
    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if request.param == "some":
        found.set_languages(["en", "de", "fr", "zh", "ar"])
    return found


def agrees(identifier: LanguageIdentifier, texts: list[str]) -> None:
    many = ManyTexts(identifier)
    told = many.probabilities(texts)
    for text, row in zip(texts, told, strict=True):
        ours: dict[str, float] = {}
        for label, probability in zip(many.labels, row, strict=True):
            ours[label] = ours.get(label, 0.0) + float(probability)
        alone = {label: float(probability) for label, probability in identifier.rank(text)}
        assert ours == pytest.approx(alone, abs=2e-5)
        best, sure = identifier.classify(text)
        assert ours[best] == pytest.approx(max(ours.values()), abs=2e-5)
        assert ours[best] == pytest.approx(float(sure), abs=2e-5)


def test_each_text_has_the_probabilities_that_it_has_alone(identifier):
    agrees(identifier, TEXTS)


def test_it_does_not_matter_what_stands_beside_a_text(identifier):
    many = ManyTexts(identifier)
    alone = np.concatenate([many.probabilities([text]) for text in TEXTS])
    assert many.probabilities(TEXTS[::-1])[::-1] == pytest.approx(alone, abs=2e-5)


def test_more_texts_than_are_walked_at_once_keep_their_order(identifier):
    many = ManyTexts(identifier)
    texts = [TEXTS[number % len(TEXTS)][:60] for number in range(AT_ONCE + 3)]
    assert many.probabilities(texts)[-3:] == pytest.approx(many.probabilities(texts[-3:]), abs=2e-5)


def test_no_texts_have_no_rows(identifier):
    assert ManyTexts(identifier).probabilities([]).shape[0] == 0


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_any_text_has_the_probabilities_that_it_has_alone(texts):
    agrees(ENGLISH_AND_GERMAN, texts)


ENGLISH_AND_GERMAN = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
ENGLISH_AND_GERMAN.set_languages(["en", "de"])
