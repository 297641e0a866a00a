"""Addresses below /desk/."""

from django.urls import path

from annotation.desk import disputes, grading, joining, planning, quality, results, review, views

app_name = "desk"
urlpatterns = [
    path("", views.studies, name="studies"),
    path("<slug:slug>/", views.study, name="study"),
    path("<slug:slug>/state/", views.set_state, name="set_state"),
    path("<slug:slug>/runs/", views.start_run, name="start_run"),
    path("<slug:slug>/dry-run/", views.dry_run, name="dry_run"),
    path("<slug:slug>/runs/<int:pk>/", views.run, name="run"),
    path("<slug:slug>/runs/<int:pk>/<slug:control>/", views.control_run, name="control_run"),
    path("<slug:slug>/plan/", planning.plan, name="plan"),
    path("<slug:slug>/results/", results.results, name="results"),
    path("<slug:slug>/grading/", grading.gradings, name="gradings"),
    path("<slug:slug>/grading/<int:pk>/", grading.grading, name="grading"),
    path("<slug:slug>/grading/<int:pk>/<slug:control>/", grading.control_grading, name="control_grading"),
    path("<slug:slug>/review/", review.review, name="review"),
    path("<slug:slug>/review/decide/", review.decide, name="decide"),
    path("<slug:slug>/review/take-back/", review.take_back, name="take_back"),
    path("<slug:slug>/review/rescan/", review.rescan, name="rescan"),
    path("<slug:slug>/review/<int:pk>/", review.pair, name="reviewed_pair"),
    path("<slug:slug>/raters/", views.raters, name="raters"),
    path("<slug:slug>/joining/", joining.joining, name="joining"),
    path("<slug:slug>/joining/consent/", joining.add_consent, name="add_consent"),
    path("<slug:slug>/joining/consent/<int:version>/", joining.consents, name="consents"),
    path("<slug:slug>/joining/links/", joining.make_link, name="make_link"),
    path("<slug:slug>/joining/links/<int:pk>/", joining.link, name="link"),
    path("<slug:slug>/joining/links/<int:pk>/revoke/", joining.revoke_link, name="revoke_link"),
    path(
        "<slug:slug>/joining/links/<int:pk>/people/<int:arrival>/code/",
        joining.new_return_code,
        name="new_return_code",
    ),
    path("<slug:slug>/quality/", quality.quality, name="quality"),
    path("<slug:slug>/quality/rules/", quality.set_rules, name="set_rules"),
    path("<slug:slug>/quality/mix/", quality.set_mix, name="set_mix"),
    path("<slug:slug>/quality/raters/<int:pk>/", quality.rater, name="rater"),
    path("<slug:slug>/quality/raters/<int:pk>/<slug:control>/", quality.control_rater, name="control_rater"),
    path("<slug:slug>/quality/appeals/<int:pk>/", quality.decide_appeal, name="decide_appeal"),
    path("<slug:slug>/disputes/", disputes.disputes, name="disputes"),
    path("<slug:slug>/gold/", quality.gold, name="gold"),
    path("<slug:slug>/gold/pairs/<int:pk>/", quality.make_gold, name="make_gold"),
    path("<slug:slug>/gold/<int:pk>/retire/", quality.retire_gold, name="retire_gold"),
    path("<slug:slug>/responses/", views.responses, name="responses"),
    path("<slug:slug>/responses/<int:pk>/text/", views.response_text, name="response_text"),
    path("<slug:slug>/prompts/<int:pk>/text/", views.prompt_text, name="prompt_text"),
    path("<slug:slug>/snapshots/", views.snapshots, name="snapshots"),
    path("<slug:slug>/snapshots/freeze/", views.freeze_snapshot, name="freeze_snapshot"),
    path("<slug:slug>/snapshots/<int:number>/", views.snapshot, name="snapshot"),
]
