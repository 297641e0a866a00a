"""The rater's addresses. A pair is known by the token of the rater's hold on it, never by a number."""

from django.urls import path

from annotation.rate import appeals, disputes, joining, keeping, practice, rehearsal, views, wellbeing

app_name = "rate"

urlpatterns = [
    path("", views.home, name="home"),
    path("pair/<uuid:token>/", views.judge, name="judge"),
    path("pair/<uuid:token>/correct/", views.revise, name="revise"),
    path("pair/<uuid:token>/skip/", views.skip, name="skip"),
    path("pair/<uuid:token>/feedback/", practice.feedback, name="feedback"),
    path("pair/<uuid:token>/dispute/", disputes.dispute, name="dispute"),
    path("<slug:slug>/disputes/", disputes.disputes, name="disputes"),
    path("<slug:slug>/practice/", practice.practice, name="practice"),
    path("<slug:slug>/quiz/", practice.quiz, name="quiz"),
    path("pair/<uuid:token>/decline/", views.decline, name="decline"),
    path("pair/<uuid:token>/flag/", views.flag, name="flag"),
    path("pair/<uuid:token>/draft/", keeping.draft, name="draft"),
    path("pair/<uuid:token>/beat/", keeping.beat, name="beat"),
    path("your/settings/", wellbeing.preferences, name="preferences"),
    path("your/single-keys/", wellbeing.single_keys, name="single-keys"),
    path("<slug:slug>/", views.next_pair, name="next"),
    path("<slug:slug>/appeal/", appeals.appeal, name="appeal"),
    path("<slug:slug>/consent/", joining.consent, name="consent"),
    path("<slug:slug>/welcome/", joining.welcome, name="welcome"),
    path("<slug:slug>/completed/", joining.completed, name="completed"),
    path("<slug:slug>/rehearsal/", rehearsal.rehearsal, name="rehearsal"),
    path("<slug:slug>/skipped/", views.take_up_skipped, name="skipped"),
    path("<slug:slug>/wellbeing/", wellbeing.wellbeing, name="wellbeing"),
    path("<slug:slug>/break/", wellbeing.rest, name="rest"),
    path("<slug:slug>/go-on/", wellbeing.go_on, name="go-on"),
]
