"""Addresses below /api/v1/."""

from django.urls import path

from annotation.api import datasets, grading, printing, rating, results, review, training, views

app_name = "api"
urlpatterns = [
    path("studies/", views.StudyList.as_view(), name="studies"),
    path("studies/<slug:slug>/", views.StudyDetail.as_view(), name="study"),
    path("studies/<slug:slug>/claim", rating.Claim.as_view(), name="claim"),
    path("assignments/<uuid:token>/judgment", rating.judge, name="judge"),
    path("assignments/<uuid:token>/heartbeat", rating.Heartbeat.as_view(), name="heartbeat"),
    path("assignments/<uuid:token>/skip", rating.Skip.as_view(), name="skip"),
    path("assignments/<uuid:token>/decline", rating.Decline.as_view(), name="decline"),
    path("assignments/<uuid:token>/flag", rating.Flag.as_view(), name="flag"),
    path("studies/<slug:slug>/dry-run/", views.DryRun.as_view(), name="dry_run"),
    path("studies/<slug:slug>/runs/", views.RunList.as_view(), name="runs"),
    path("studies/<slug:slug>/runs/<int:pk>/", views.RunDetail.as_view(), name="run"),
    path("studies/<slug:slug>/runs/<int:pk>/<slug:control>/", views.RunControl.as_view(), name="control_run"),
    path("studies/<slug:slug>/gradings/", grading.GradingList.as_view(), name="gradings"),
    path("studies/<slug:slug>/gradings/<int:pk>/", grading.GradingDetail.as_view(), name="grading"),
    path("studies/<slug:slug>/gradings/<int:pk>/report/", grading.Grades.as_view(), name="grades"),
    path(
        "studies/<slug:slug>/gradings/<int:pk>/<slug:control>/",
        grading.GradingControl.as_view(),
        name="control_grading",
    ),
    path("studies/<slug:slug>/review/", review.ReviewList.as_view(), name="review"),
    path("studies/<slug:slug>/review/decide/", review.Decide.as_view(), name="decide"),
    path("studies/<slug:slug>/review/take-back/", review.TakeBack.as_view(), name="take_back"),
    path("studies/<slug:slug>/review/rescan/", review.Rescan.as_view(), name="rescan"),
    path("studies/<slug:slug>/review/<int:pk>/", review.ReviewDetail.as_view(), name="reviewed_pair"),
    path("studies/<slug:slug>/snapshots/<int:number>/report/", printing.Report.as_view(), name="report"),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/report.<slug:kind>",
        printing.ReportFile.as_view(),
        name="report_file",
    ),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/files/<str:name>",
        datasets.SnapshotFile.as_view(),
        name="snapshot_file",
    ),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/datasets/",
        datasets.DatasetList.as_view(),
        name="datasets",
    ),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/datasets/preview/",
        datasets.Preview.as_view(),
        name="preview_dataset",
    ),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/datasets/<int:dataset>/",
        datasets.DatasetDetail.as_view(),
        name="dataset",
    ),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/datasets/<int:dataset>/files/<str:name>",
        datasets.DatasetFile.as_view(),
        name="dataset_file",
    ),
    path(
        "studies/<slug:slug>/snapshots/<int:number>/datasets/<int:dataset>/<slug:control>/",
        datasets.DatasetControl.as_view(),
        name="control_dataset",
    ),
    path("studies/<slug:slug>/trainings/", training.TrainingList.as_view(), name="trainings"),
    path("studies/<slug:slug>/trainings/<int:number>/", training.TrainingDetail.as_view(), name="training"),
    path(
        "studies/<slug:slug>/trainings/<int:number>/arm/",
        training.TrainingArm.as_view(),
        name="training_arm",
    ),
    path(
        "studies/<slug:slug>/trainings/<int:number>/<slug:control>/",
        training.TrainingControl.as_view(),
        name="control_training",
    ),
    path("studies/<slug:slug>/results/", results.Results.as_view(), name="results"),
    path(
        "studies/<slug:slug>/results/<slug:table>.<slug:ending>",
        results.ResultsFile.as_view(),
        name="results_file",
    ),
    path("studies/<slug:slug>/fairness/", views.Fairness.as_view(), name="fairness"),
    path("studies/<slug:slug>/flags/", views.Flags.as_view(), name="flags"),
    path("studies/<slug:slug>/progress/", views.Progress.as_view(), name="progress"),
    path("studies/<slug:slug>/plan", views.Plan.as_view(), name="plan"),
    path("studies/<slug:slug>/agreement/", views.Agreement.as_view(), name="agreement"),
    path("studies/<slug:slug>/win-rates/", views.WinRates.as_view(), name="win_rates"),
    path("studies/<slug:slug>/outcomes/", views.Outcomes.as_view(), name="outcomes"),
]
