"""The sentences of refusals that raters may read, marked for translation.

The domain says them in English and knows no language; the pages look them up as they are shown. A test finds
every sentence that the verbs of rating raise in this list.
"""

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from annotation.actions.claims import PAUSED
from annotation.errors import CorrectionTooLate
from annotation.models import Enrolment
from annotation.reports.quality import BY_RULES, TOLD

SENTENCES = (
    _("This study is not open for rating at the moment."),
    _("Your place in this study is paused. Ask the study's researcher about it."),
    _("You no longer hold this pair."),
    _("You have judged every pair that needed you."),
    _("You have met as much sensitive content as one day allows."),
    _("You have already judged this pair. To change it, correct your answer."),
    _("You skipped this pair, so it went to others and takes no answers from you."),
    _("You declined this pair, so it went to others and takes no answers from you."),
    _("You flagged this pair as broken, so it takes no answers from you."),
    _("There is no judgment of yours to correct here."),
    _("Answers can be corrected for %(minutes)s minutes after they were sent. The first ones stay."),
    _("These answers can no longer be changed."),
    _("You did not pass this study's quiz, so you get no pairs here."),
    _("The quiz has no pairs at the moment. Please come back later."),
    _("You passed over more than half of the quiz. Please write to the study's researcher."),
    _("Your place is not paused, so there is nothing to appeal against."),
    _("Write what the researcher should know, up to 5,000 characters."),
    _("Your place is paused: you are one of this study's researchers, who do not judge it blind."),
    _("Your earlier words wait for an answer."),
    _("Choose one of the causes."),
    _("This dispute has a ruling already."),
)


def in_own_words(reason: Exception) -> str:
    """What the domain refuses, in the rater's language."""
    if isinstance(reason, CorrectionTooLate):
        return gettext(reason.SENTENCE) % reason.figures
    return gettext(str(reason))


def paused_because(place: Enrolment) -> str:
    """Why a place is paused, in the rater's language; a researcher's own words are as they wrote them."""
    if not place.pause_rules:
        return gettext(place.pause_reason or PAUSED)
    sentences = [gettext(TOLD[broken["rule"]]) % broken for broken in place.pause_rules]
    return " ".join([gettext(BY_RULES), *sentences])
