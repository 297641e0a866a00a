"""A study is set up on the desk, from nothing to open, and nothing that judgments fix can be changed."""

import io

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation import tasks
from annotation.actions import runs
from annotation.actions.arms import remove_arm
from annotation.actions.members import invite
from annotation.actions.pulse import take_pulse
from annotation.actions.studies import ask_further
from annotation.errors import ArmRefused, StudyMoved
from annotation.further import Question
from annotation.models import Event, FileImport, Pair, Prompt, Pulse, Run, Study
from annotation.reports.setup import TITLES, setup_report
from annotation.vocabulary import GuidelineCondition, PairState, StudyRole, StudyState
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


@pytest.fixture
def draft(alice) -> Study:
    alice.post(reverse("desk:new_study"), {"title": "Kites and harbours"})
    return Study.objects.get()


def address(name: str, *args) -> str:
    return reverse(f"desk:{name}", args=args)


def states(study: Study) -> dict[str, str]:
    study.refresh_from_db()
    return {step.name: step.state for step in setup_report(study)}


def said(client, name: str, *args, **query) -> str:
    answer = client.get(address(name, *args), query)
    assert answer.status_code == 200
    return answer.content.decode()


USUAL = {"dtype": "auto", "device": "auto"}


def an_arm_form(name: str, **more) -> dict:
    usual = {"backend": "scripted", "model": "echo", "temperature": "0", "max_new_tokens": "64", "top_p": "1"}
    return {
        "name": name,
        **usual,
        "top_k": "0",
        "repetition_penalty": "1",
        "dtype": "auto",
        "device": "auto",
    } | more


def test_a_title_makes_a_draft_with_a_short_name(draft):
    assert (draft.slug, draft.state, draft.title) == ("kites-and-harbours", "draft", "Kites and harbours")
    assert [one.user for one in draft.memberships.all()] == [cast.alice()]


def test_a_second_study_of_that_title_gets_another_short_name(alice, draft):
    alice.post(address("new_study"), {"title": "Kites and harbours"})
    assert Study.objects.filter(slug="kites-and-harbours-2").exists()


def test_a_title_that_is_an_address_of_the_desk_names_no_study_so(alice):
    alice.post(address("new_study"), {"title": "New"})
    assert Study.objects.get().slug == "new-2"


def test_every_step_has_its_page_and_says_what_is_open(alice, draft):
    for name, title in TITLES.items():
        page = said(alice, f"setup_{name}", draft.slug)
        assert 'aria-current="step"' in page and title in page
        assert "style=" not in page.replace('rel="stylesheet"', "")
    assert states(draft)["prompts"] == states(draft)["arms"] == "open"


def test_the_setup_leads_to_the_first_open_step(alice, draft):
    assert alice.get(address("setup", draft.slug)).url == address("setup_questions", draft.slug)
    draft.question = "Which is better?"
    draft.save(update_fields=["question"])
    assert alice.get(address("setup", draft.slug)).url == address("setup_prompts", draft.slug)


def test_how_many_raters_a_pair_gets_is_asked_before_pairs_are_made(alice, draft):
    steps = list(TITLES)
    assert steps.index("pairing") < steps.index("generation")
    assert [step.name for step in setup_report(draft)] == steps


def test_questions_are_saved_and_lead_on(alice, draft):
    fields = {"title": "Boats", "question": "Which?", "allow_tie": "on", "harm_categories": "hate\nown"}
    answer = alice.post(address("setup_questions", draft.slug), fields | {"go_on": "1"})
    assert answer.url == address("setup_guideline", draft.slug)
    draft.refresh_from_db()
    assert (draft.title, draft.question, draft.harm_categories) == ("Boats", "Which?", ["hate", "own"])
    event = draft.events.first()
    assert (event.verb, event.detail["after"]["title"]) == ("change_study", "Boats")


def test_a_category_that_prompts_have_cannot_go(alice, draft):
    cast.a_prompt(draft, harm_category="hate")
    fields = {"title": "Boats", "harm_categories": "erotic"}
    answer = alice.post(address("setup_questions", draft.slug), fields)
    assert answer.status_code == 422
    assert "Prompts have these, so they stay: hate." in answer.content.decode()


def test_the_example_guideline_is_offered_previewed_and_kept_as_a_version(alice, draft):
    assert "This is an example" in said(alice, "setup_guideline", draft.slug, example="")
    body = {"guideline_condition": "policy_given", "body": "Judge what it **gives**."}
    shown = alice.post(address("guideline_preview", draft.slug), body).content.decode()
    assert "<strong>gives</strong>" in shown and not draft.guidelines.exists()
    alice.post(address("setup_guideline", draft.slug), body)
    alice.post(address("setup_guideline", draft.slug), body)
    draft.refresh_from_db()
    assert draft.guideline_condition == GuidelineCondition.POLICY_GIVEN
    assert [one.version for one in draft.guidelines.all()] == [1]


def test_a_guideline_that_raters_should_read_must_have_words(alice, draft):
    answer = alice.post(
        address("setup_guideline", draft.slug), {"guideline_condition": "policy_given", "body": " "}
    )
    assert answer.status_code == 422 and "write it, or begin with the example" in answer.content.decode()


# Prompts ---------------------------------------------------------------------------------------------


def pasted(client, study: Study, text: str, **more):
    fields = {"paste-text": text, "paste-intent": "benign", "paste-harm_category": "", "keep": "1", **more}
    return client.post(address("paste_prompts", study.slug), fields)


def test_lines_are_pasted_as_prompts(alice, draft):
    pasted(alice, draft, "How do kites fly?\n\nWhat is a harbour?")
    assert [prompt.last_message for prompt in draft.prompts.order_by("pk")] == [
        "How do kites fly?",
        "What is a harbour?",
    ]
    assert set(draft.prompts.values_list("intent", flat=True)) == {"benign"}
    pasted(alice, draft, "How do kites fly?")
    assert draft.prompts.count() == 2


def test_pasted_prompts_are_shown_with_their_intent_before_they_are_kept(alice, draft):
    fields = {"paste-text": "How do kites fly?\nWhat is a harbour?", "paste-intent": "malicious"}
    answer = alice.post(address("paste_prompts", draft.slug), fields)
    page = answer.content.decode()
    assert answer.status_code == 200 and not draft.prompts.exists()
    assert page.lower().count("<td>malicious</td>") == 2 and 'name="keep"' in page
    alice.post(address("paste_prompts", draft.slug), fields | {"keep": "1"})
    assert set(draft.prompts.values_list("intent", flat=True)) == {"malicious"}


@pytest.mark.parametrize("keep", [{}, {"keep": "1"}])
def test_pasted_prompts_without_an_intent_are_asked_for_it(alice, draft, keep):
    fields = {"paste-text": "How do kites fly?", "paste-intent": "", **keep}
    answer = alice.post(address("paste_prompts", draft.slug), fields)
    assert answer.status_code == 422 and not draft.prompts.exists()
    assert "Choose one: the rows do not say what these prompts are." in answer.content.decode()


def test_pasted_rows_that_say_their_intent_need_no_other(alice, draft):
    pasted(alice, draft, "prompt,intent\nHow?,benign", **{"paste-intent": ""})
    assert draft.prompts.get().intent == "benign"


def test_pasted_csv_says_its_own_labels(alice, draft):
    pasted(alice, draft, "text,intent,category,family\nHow do kites fly?,dual_use,hate,kites")
    prompt = draft.prompts.get()
    assert (prompt.intent, prompt.harm_category, prompt.family) == ("dual_use", "hate", "kites")


def test_a_bad_line_is_named_and_nothing_is_kept(alice, draft):
    answer = pasted(alice, draft, "prompt,intent\nHow?,benign\nWhy?,kindly")
    page = answer.content.decode()
    assert answer.status_code == 422 and not draft.prompts.exists()
    assert "“kindly” is not a known intent" in page and "Why?,kindly" in page


def test_a_pasted_row_without_a_prompt_is_told_as_such(alice, draft):
    page = pasted(alice, draft, "prompt,intent\nHow?,benign\n,benign").content.decode()
    assert "The row has no prompt." in page and "1\u00a0row cannot be taken" in page
    assert "--skip-bad" not in page and "pasted.csv" not in page


def test_a_file_of_prompts_is_mapped_and_comes_in(alice, draft):
    file = io.BytesIO(b'{"question": "How do kites fly?"}\n{"question": ""}\n')
    file.name = "asked.jsonl"
    answer = alice.post(address("upload_prompts", draft.slug), {"file": file})
    job = FileImport.objects.get()
    assert answer.url == address("import", draft.slug, job.pk)
    assert "intent" in said(alice, "import", draft.slug, job.pk)
    alice.post(
        address("remap_import", draft.slug, job.pk),
        {"format": "prompts", "column-prompt": "0", "set-intent": "dual_use"},
    )
    alice.post(address("control_import", draft.slug, job.pk, "start"))
    tasks.import_file(job.pk)
    job.refresh_from_db()
    assert [prompt.last_message for prompt in draft.prompts.all()] == ["How do kites fly?"]
    assert (job.counts["new"], job.counts["bad"]) == (1, 1)


def test_prompts_are_taken_from_another_study_with_their_categories(alice, draft):
    other = cast.a_study("other", harm_categories=["weather"])
    cast.a_prompt(other, "wind", harm_category="weather")
    alice.post(address("take_prompts", draft.slug), {"from-source": "other"})
    draft.refresh_from_db()
    assert draft.prompts.get().key == "wind" and "weather" in draft.harm_categories


def test_nobody_takes_prompts_from_a_study_that_is_not_theirs(client, draft):
    cast.a_prompt(draft, "wind")
    client.force_login(cast.mallory())
    client.post(address("new_study"), {"title": "Mine"})
    mine = Study.objects.get(slug="mine")
    answer = client.post(address("take_prompts", mine.slug), {"from-source": draft.slug})
    assert answer.status_code == 422 and not mine.prompts.exists()


def test_a_row_is_edited_in_its_place_and_without_scripts(alice, draft):
    prompt = cast.a_prompt(draft, "wind")
    fields = {"text": "How does wind work?", "intent": "benign", "harm_category": "hate", "family": "air"}
    assert "<h1>" in said(alice, "setup_prompt", draft.slug, prompt.pk)
    row = alice.post(address("setup_prompt", draft.slug, prompt.pk), fields, headers={"HX-Request": "true"})
    assert row.content.decode().startswith(f'<tr id="prompt-{prompt.pk}"')
    answer = alice.post(address("setup_prompt", draft.slug, prompt.pk), fields | {"subset": "one, two"})
    assert answer.url == address("setup_prompts", draft.slug)
    prompt.refresh_from_db()
    assert (prompt.intent, prompt.harm_category, prompt.family, prompt.subset) == (
        "benign",
        "hate",
        "air",
        ["one", "two"],
    )


def test_what_was_asked_keeps_its_wording_but_not_its_labels(alice, draft):
    prompt = cast.a_prompt(draft, "wind")
    cast.a_response(prompt, cast.an_arm(draft, "one", backend="", model=""))
    alice.post(address("setup_prompt", draft.slug, prompt.pk), {"text": "Other words", "intent": "benign"})
    alice.post(address("remove_prompt", draft.slug, prompt.pk))
    prompt.refresh_from_db()
    assert (prompt.last_message, prompt.intent) == ("How does wind work?", "benign")


def test_a_prompt_that_nobody_was_asked_can_go(alice, draft):
    prompt = cast.a_prompt(draft, "wind")
    alice.post(address("remove_prompt", draft.slug, prompt.pk))
    assert not Prompt.objects.exists() and draft.events.first().verb == "remove_prompt"


# Arms ------------------------------------------------------------------------------------------------


def test_arms_are_added_changed_and_removed(alice, draft):
    alice.post(address("setup_arms", draft.slug), an_arm_form("one", system_prompt="Be short."))
    answer = alice.post(address("setup_arms", draft.slug), an_arm_form("one"))
    assert answer.status_code == 422 and "an arm “one” already" in answer.content.decode()
    arm = draft.arms.get()
    assert (arm.system_prompt, arm.sampling) == ("Be short.", {"temperature": 0.0, "max_new_tokens": 64})
    alice.post(address("setup_arm", draft.slug, 0), an_arm_form("two", top_p="0.9"))
    arm.refresh_from_db()
    assert (arm.name, arm.sampling["top_p"]) == ("two", 0.9)
    alice.post(address("remove_arm", draft.slug, 0))
    assert not draft.arms.exists()


def test_an_arm_that_somebody_removed_meanwhile_is_said_to_be_gone(draft):
    arm = cast.an_arm(draft, "one")
    remove_arm(type(arm).objects.get(pk=arm.pk))
    with pytest.raises(ArmRefused, match="out of the study meanwhile"):
        remove_arm(arm)
    assert draft.events.filter(verb="remove_arm").count() == 1


def test_an_arm_that_cannot_be_loaded_anywhere_is_refused(alice, draft):
    answer = alice.post(address("setup_arms", draft.slug), an_arm_form("one", base_url="http://localhost/v1"))
    assert answer.status_code == 422 and not draft.arms.exists()


def test_the_settings_of_an_arm_that_answered_are_shown_and_stay(alice, draft):
    arm = cast.an_arm(draft, "one")
    type(arm).objects.filter(pk=arm.pk).update(frozen_at=draft.created_at)
    page = said(alice, "setup_arm", draft.slug, 0)
    assert "This arm has answered, so its settings stay" in page and address("fork", draft.slug) in page
    alice.post(address("setup_arm", draft.slug, 0), an_arm_form("renamed", model="slow:1"))
    arm.refresh_from_db()
    assert (arm.name, arm.model) == ("renamed", "echo")


def test_an_arm_answers_on_the_spot(alice, draft, monkeypatch):
    arm = cast.an_arm(draft, "one")
    monkeypatch.setattr(tasks.try_arm, "delay", lambda *given: None)
    alice.post(address("ask_trial", draft.slug, 0), {"asked": "How do kites fly?"})
    assert "A worker is asked" in said(alice, "setup_arm", draft.slug, 0)
    tasks.try_arm(arm.pk, "How do kites fly?", cast.alice().pk)
    page = said(alice, "setup_arm", draft.slug, 0)
    assert "How do kites fly?</blockquote>" in page
    assert not draft.responses.exists()


def test_the_question_of_a_trial_stays_when_settings_are_saved(alice, draft, monkeypatch):
    cast.an_arm(draft, "one", model="fail:no such folder")
    monkeypatch.setattr(tasks.try_arm, "delay", lambda *given: None)
    assert ">\nHow do vaccines work?</textarea>" in said(alice, "setup_arm", draft.slug, 0)
    alice.post(address("ask_trial", draft.slug, 0), {"asked": "How do kites fly?"})
    alice.post(address("setup_arm", draft.slug, 0), an_arm_form("one", model="echo"))
    assert ">\nHow do kites fly?</textarea>" in said(alice, "setup_arm", draft.slug, 0)


def test_an_arm_that_does_not_load_says_why_on_the_spot(alice, draft, monkeypatch):
    arm = cast.an_arm(draft, "one", model="fail:no such folder")
    monkeypatch.setattr(tasks.try_arm, "delay", lambda *given: None)
    alice.post(address("ask_trial", draft.slug, 0), {"asked": "How?"})
    tasks.try_arm(arm.pk, "How?", cast.alice().pk)
    assert "no such folder" in said(alice, "setup_arm", draft.slug, 0)


def test_what_failed_is_gone_once_the_arm_was_mended(alice, draft, monkeypatch):
    arm = cast.an_arm(draft, "one", model="fail:no such folder")
    monkeypatch.setattr(tasks.try_arm, "delay", lambda *given: None)
    alice.post(address("ask_trial", draft.slug, 0), {"asked": "How?"})
    tasks.try_arm(arm.pk, "How?", cast.alice().pk)
    alice.post(
        address("setup_arm", draft.slug, 0),
        an_arm_form("renamed", model="fail:no such folder", max_new_tokens="256"),
    )
    assert "It did not answer" in said(alice, "setup_arm", draft.slug, 0)
    alice.post(address("setup_arm", draft.slug, 0), an_arm_form("one", model="echo"))
    assert "It did not answer" not in said(alice, "setup_arm", draft.slug, 0)


def test_an_answer_by_earlier_settings_says_so_and_estimates_nothing(alice, draft, monkeypatch):
    arm = cast.an_arm(draft, "one")
    cast.a_prompt(draft)
    monkeypatch.setattr(tasks.try_arm, "delay", lambda *given: None)
    alice.post(address("ask_trial", draft.slug, 0), {"asked": "How?"})
    tasks.try_arm(arm.pk, "How?", cast.alice().pk)
    assert "had before" not in said(alice, "setup_arm", draft.slug, 0)
    assert "its trial answer" in said(alice, "setup_generation", draft.slug)
    alice.post(address("setup_arm", draft.slug, 0), an_arm_form("one", max_new_tokens="12"))
    assert "with the settings that this arm had before" in said(alice, "setup_arm", draft.slug, 0)
    assert "its limit of tokens" in said(alice, "setup_generation", draft.slug)


def test_responses_per_prompt_and_arm_are_asked_for_in_one_place(alice):
    study = cast.a_generating_study()
    where = address("setup_generation", study.slug)
    assert said(alice, "setup_generation", study.slug).count('name="samples"') == 1
    assert 'name="samples"' not in said(alice, "study", study.slug)
    assert where in said(alice, "study", study.slug)
    asked = {"samples": "3", "price": "", "estimate": "1"}
    shown = alice.post(address("start_run", study.slug), asked, follow=True)
    assert "3\u00a0responses to generate" in shown.content.decode() and not study.runs.exists()


def test_the_estimate_uses_the_trial_answer_and_the_price(alice, draft):
    arm = cast.an_arm(draft, "one", model="slow:0.01")
    for name in ("a", "b", "c"):
        cast.a_prompt(draft, name)
    page = said(alice, "setup_generation", draft.slug, price="1000000")
    assert "3\u00a0responses to generate" in page and "its limit of tokens" in page and "768.00" in page
    tasks.try_arm(arm.pk, "one two", cast.alice().pk)
    page = said(alice, "setup_generation", draft.slug, samples="2")
    assert (
        "6\u00a0responses to generate, about 1\u00a0s with one worker" in page and "its trial answer" in page
    )


# Pairs, raters, opening ------------------------------------------------------------------------------


def test_pairs_and_budget_are_saved_and_contradictions_refused(alice, draft):
    fields = {"pairing": "first", "overlap": "2", "overlap_max": "4", "lease_minutes": "20"}
    alice.post(address("setup_pairing", draft.slug), fields)
    draft.refresh_from_db()
    assert (draft.pairing, draft.overlap, draft.overlap_max, draft.lease_minutes) == ("first", 2, 4, 20)
    answer = alice.post(address("setup_pairing", draft.slug), fields | {"overlap": "5"})
    assert answer.status_code == 422


def test_pairs_that_are_there_keep_their_number_of_raters_and_every_sentence_says_so(alice):
    study = cast.a_rateable_study(4, overlap=3)
    Study.objects.filter(pk=study.pk).update(overlap=2)
    study.refresh_from_db()
    for name in ("bob", "carol"):
        cast.a_rater(study, cast.person(name))
    told = {step.name: step.told for step in setup_report(study)}
    assert told["pairing"] == (
        "2 raters for each pair that is made from now on; those that are there have 3: 12 judgments."
    )
    assert told["raters"] == "Each pair waits for 3 raters: 1 more is needed."
    overview = alice.get(reverse("desk:study", args=[study.slug])).content.decode()
    assert "No pair can have all of its judgments yet: enrol 1 more rater." in overview


def test_each_arm_meets_only_the_first_where_the_study_says_so():
    study = cast.a_study(pairing="first")
    prompt = cast.a_prompt(study)
    arms = [cast.an_arm(study, name, backend="", model="") for name in ("one", "two", "three")]
    for arm in arms:
        cast.a_response(prompt, arm)
    cast.make_pairs(study)
    met = {(pair.response_a.arm.name, pair.response_b.arm.name) for pair in study.pairs.all()}
    assert met == {("one", "two"), ("one", "three")}


def test_the_checklist_says_what_is_missing_and_opens(alice):
    study = cast.a_rateable_study(2, state=StudyState.DRAFT, overlap=1)
    assert states(study)["raters"] == "open" and states(study)["opening"] == "open"
    cast.a_rater(study, cast.bob())
    assert states(study)["raters"] == "done"
    alice.post(address("set_state", study.slug), {"state": "open"})
    assert states(study)["opening"] == "done"


def test_a_study_that_is_open_is_not_to_be_opened(alice):
    study = cast.a_rateable_study(2, state=StudyState.DRAFT, overlap=1)
    study.question = "Which is better?"
    study.save(update_fields=["question"])
    cast.a_rater(study, cast.bob())
    assert "Open the study</a>. Everything is ready." in said(alice, "study", study.slug)
    alice.post(address("set_state", study.slug), {"state": "open"})
    page = said(alice, "study", study.slug)
    assert "The study is open: raters get pairs." in page and "Open the study" not in page


def test_a_finished_run_of_a_draft_leads_back_to_the_setup(alice):
    study = cast.a_generating_study()
    Study.objects.filter(pk=study.pk).update(state=StudyState.DRAFT)
    run = runs.start_run(study)
    assert "Go on setting up" not in said(alice, "run", study.slug, run.pk)
    Run.objects.filter(pk=run.pk).update(state="done", finished_at=timezone.now())
    assert "Go on setting up" in said(alice, "run", study.slug, run.pk)


def test_pages_to_which_a_draft_leads_lead_back_to_the_setup(alice):
    study = cast.a_rateable_study(1, state=StudyState.DRAFT)
    for page in ("raters", "joining", "quality", "review"):
        assert "Go on setting up" in said(alice, page, study.slug), page
    Study.objects.filter(pk=study.pk).update(state=StudyState.OPEN)
    assert "Go on setting up" not in said(alice, "raters", study.slug)


def test_a_model_is_named_for_whoever_has_none(alice, draft):
    assert "models_runtime/demo/model" in said(alice, "setup_arms", draft.slug)
    cast.an_arm(draft, "one")
    assert "models_runtime/demo/model" not in said(alice, "setup_arms", draft.slug)


def test_pairs_that_wait_for_review_are_not_told_as_rateable(alice):
    study = cast.a_rateable_study(2, state=StudyState.DRAFT, overlap=1)
    assert "2 pairs can be rated." in said(alice, "setup_opening", study.slug)
    Pair.objects.filter(pk=study.pairs.first().pk).update(state=PairState.HELD)
    assert states(study)["generation"] == "attention"
    assert "2 pairs; some of them wait until you review them." in said(alice, "setup_opening", study.slug)


def test_without_arms_nothing_is_said_of_imports(alice, draft):
    page = said(alice, "setup_generation", draft.slug)
    assert "There are no arms yet." in page and "imported" not in page


def test_the_example_replaces_no_words(alice, draft):
    where = address("setup_guideline", draft.slug)
    kept = alice.post(where, {"guideline_condition": "policy_given", "body": "Mine.", "example": "1"})
    assert "Mine." in kept.content.decode() and not draft.guidelines.exists()
    given = alice.post(
        where, {"guideline_condition": "policy_free", "body": " ", "example": "1"}, follow=True
    )
    assert "This is an example." in given.content.decode()


def test_the_steps_cost_the_same_queries_at_any_size(alice, django_assert_num_queries):
    small, large = cast.a_rateable_study(1, "small"), cast.a_rateable_study(12, "large")
    for study in (small, large):
        with django_assert_num_queries(10):
            setup_report(study)


# What judgments fix ----------------------------------------------------------------------------------


@pytest.fixture
def judged(alice) -> Study:
    study = cast.a_rateable_study(2)
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    return study


def test_what_made_judgments_stays_and_a_fork_is_offered(alice, judged):
    page = said(alice, "setup_questions", judged.slug)
    assert "Pairs of this study were judged already." in page and address("fork", judged.slug) in page
    fields = {"title": "Kites", "question": "New words", "harm_categories": "\n".join(judged.harm_categories)}
    alice.post(address("setup_questions", judged.slug), fields)
    judged.refresh_from_db()
    assert judged.allow_tie and judged.question == "New words"


def test_a_fork_takes_everything_along_but_judgments(alice, judged):
    alice.post(address("fork", judged.slug), {"title": "Kites again"})
    made = Study.objects.get(slug="kites-again")
    assert (made.forked_from, made.state, made.overlap) == (judged, "draft", judged.overlap)
    assert list(made.arms.values_list("name")) == list(judged.arms.values_list("name"))
    assert made.prompts.count() == made.pair_count == 2 and not made.judgments.exists()
    assert not made.enrolments.exists() and made.seed == judged.seed
    assert Event.objects.filter(verb="fork_study", study=judged).exists()


def test_an_archived_study_leaves_the_list_and_comes_back(alice, judged):
    alice.post(address("archive", judged.slug))
    judged.refresh_from_db()
    assert judged.archived_at and judged.state == StudyState.CLOSED
    assert judged.title in said(alice, "archived") and address("study", judged.slug) not in said(
        alice, "studies"
    )
    alice.post(address("set_state", judged.slug), {"state": "open"})
    alice.post(address("restore", judged.slug))
    judged.refresh_from_db()
    assert judged.archived_at is None and judged.state == StudyState.CLOSED


def test_a_study_with_judgments_is_not_deleted(alice, judged):
    assert "This study cannot be deleted." in said(alice, "delete", judged.slug)
    answer = alice.post(address("delete", judged.slug), {"typed": judged.slug})
    assert answer.status_code == 422 or "archive it" in answer.content.decode()
    assert judged.prompts.exists()


def test_a_study_is_deleted_by_its_name_and_leaves_its_record(alice):
    study = cast.a_rateable_study(2, state=StudyState.DRAFT)
    cast.a_rater(study, cast.bob())
    assert alice.post(address("delete", study.slug), {"typed": "other"}).status_code == 422
    assert study.prompts.exists()
    alice.post(address("delete", study.slug), {"typed": study.slug})
    study.refresh_from_db()
    assert not study.prompts.exists() and not study.arms.exists() and not study.pairs.exists()
    assert study.events.first().detail == {"slug": "kites", "title": "Kites"}
    assert alice.get(address("study", "kites")).status_code == 404
    alice.post(address("new_study"), {"title": "Kites"})
    assert Study.objects.filter(slug="kites").exists()


def test_a_deleted_study_keeps_nobodys_address_and_invites_nobody(alice):
    study = cast.a_rateable_study(2, state=StudyState.DRAFT)
    _, secret = invite(study, "kim@example.org", StudyRole.EDITOR, cast.alice())
    take_pulse(study)
    alice.post(address("delete", study.slug), {"typed": study.slug})
    assert not study.member_invitations.exists() and not Pulse.objects.exists()
    assert alice.get(reverse("invitation", args=[secret])).status_code == 404


def test_two_who_add_a_question_at_once_do_not_lose_one(draft):
    first, second = Study.objects.get(pk=draft.pk), Study.objects.get(pk=draft.pk)
    ask_further(first, [Question("q1", "text", "Why?", (), 0, False)])
    with pytest.raises(StudyMoved):
        ask_further(second, [Question("q1", "text", "How?", (), 0, False)])
    draft.refresh_from_db()
    assert [asked["wording"] for asked in draft.further_questions] == ["Why?"]


def test_a_short_name_that_somebody_took_a_moment_ago_is_refused_in_a_sentence(alice, draft, monkeypatch):
    monkeypatch.setattr("annotation.actions.studies.free_slug", lambda title: draft.slug)
    answer = alice.post(address("new_study"), {"title": "Kites and harbours"})
    assert answer.status_code == 422 and "is taken" in answer.content.decode()
