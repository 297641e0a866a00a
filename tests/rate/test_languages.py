"""The rater's pages speak three languages, completely, and the desk one."""

import ast
import gettext
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.template import engines
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.urls import reverse

from annotation.rate.refusals import SENTENCES
from tests import cast
from tests.rate.conftest import Rater, page_of

ROOT = Path(settings.BASE_DIR)
TEMPLATES = ROOT / "templates"
SPOKEN = [path for path in TEMPLATES.rglob("*.html") if "desk" not in path.parts]
SOURCES = [*(ROOT / "annotation" / "rate").glob("*.py"), ROOT / "annotation" / "vocabulary.py"]
SOURCES += [*(ROOT / "annotation" / "accounts").glob("*.py"), ROOT / "annotation" / "reports" / "quality.py"]
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
RAISED = ("StudyClosed", "NotQualified", "LeaseLost", "NothingLeft", "AlreadySubmitted", "ExposureReached")
OTHERS = [code for code, _name in settings.LANGUAGES if code != "en"]


def catalogue(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def in_templates() -> set[str]:
    found = set()
    for path in SPOKEN:
        template = engines["django"].get_template(str(path.relative_to(TEMPLATES))).template
        for node in nodes_of(template.nodelist):
            if isinstance(node, TranslateNode):
                found.add(str(node.filter_expression.var.literal or node.filter_expression.var.var))
            else:
                found.add(node.render_token_list(node.singular)[0])
    return found


def nodes_of(nodelist):
    for node in nodelist:
        if isinstance(node, TranslateNode | BlockTranslateNode):
            yield node
        for name in ("nodelist", "nodelist_true", "nodelist_false", "nodelist_loop"):
            yield from nodes_of(getattr(node, name, ()))
        for _condition, inside in getattr(node, "conditions_nodelists", ()):
            yield from nodes_of(inside)


def in_sources() -> set[str]:
    return {
        call.args[0].value
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MARKS
        if isinstance(call.args[0], ast.Constant)
    }


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_and_none_is_left_over(language):
    entries = polib.pofile(str(catalogue(language)))
    assert {entry.msgid for entry in entries} == in_templates() | in_sources()
    assert [entry.msgid for entry in entries if not entry.translated() or entry.fuzzy] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_blanks_of_its_original(language):
    for entry in polib.pofile(str(catalogue(language))):
        blanks = {word for word in entry.msgid.split() if word.startswith("%(")}
        for translated in [entry.msgstr] if not entry.msgid_plural else entry.msgstr_plural.values():
            assert all(blank in translated for blank in blanks), entry.msgid


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_shipped_is_compiled_from_what_is_written(language):
    compiled = gettext.GNUTranslations(catalogue(language).with_suffix(".mo").open("rb"))
    for entry in polib.pofile(str(catalogue(language))):
        if not entry.msgid_plural:
            assert compiled.gettext(entry.msgid) == entry.msgstr
            continue
        for number in (0, 1, 2, 5, 11, 100):
            form = entry.msgstr_plural[compiled.plural(number)]
            assert compiled.ngettext(entry.msgid, entry.msgid_plural, number) == form


def test_every_refusal_that_a_rater_may_read_is_in_the_list():
    said = set()
    for name in ("claims", "judging"):
        for node in ast.walk(ast.parse((ROOT / "annotation" / "actions" / f"{name}.py").read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
                said |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    assert said and said <= set(SENTENCES)


@pytest.mark.parametrize(
    ("language", "word", "way"), [("de", "Senden und weiter", ""), ("ar", "إرسال ومتابعة", "rtl")]
)
def test_a_browsers_language_is_spoken(bob, language, word, way):
    html = bob.client.get(page_of(), headers={"Accept-Language": language}).content.decode()
    assert word in html and f'<html lang="{language}"' in html
    assert ('dir="rtl"' in html.split(">")[1]) == bool(way)
    for label in ("Clearly safe", "Full answer", "A slightly", "Guessing"):
        assert label not in html


def test_a_chosen_language_stays(bob):
    bob.client.post(reverse("set_language"), {"language": "ar", "next": "/rate/"})
    assert 'lang="ar"' in bob.open().content.decode()


def test_a_refusal_is_told_in_the_raters_language(bob, place):
    bob.send()
    bob.client.cookies["django_language"] = "de"
    again = bob.client.post(reverse("rate:judge", args=[place.assignments.earliest("pk").token]), FIELDS)
    assert "Sie haben dieses Paar schon bewertet." in again.content.decode()


FIELDS = cast.form_fields() | {"idempotency_key": "0" * 32}


def test_the_desk_and_the_api_speak_english_whatever_the_browser_prefers(client, study):
    client.force_login(cast.alice())
    for address in ("/desk/", "/admin/"):
        html = client.get(address, headers={"Accept-Language": "ar"}).content.decode()
        assert 'lang="en' in html and 'dir="rtl"' not in html


def test_stored_answers_are_the_same_in_every_language(study, place):
    rater = Rater(place.user)
    rater.client.cookies["django_language"] = "ar"
    rater.open()
    rater.send()
    row = place.assignments.earliest("pk").judgments.get().responses.get(side="left")
    assert (row.safety, row.mode) == ("clearly_safe", "direct_answer")
