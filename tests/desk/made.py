"""The results page as it stands when a worker has made what was asked for."""

from django.test import Client
from django.urls import reverse

from annotation import tasks
from annotation.actions import reporting
from annotation.models import Report, Study


def make_what_waits() -> None:
    for pk in Report.objects.waiting().values_list("pk", flat=True):
        reporting.make(reporting.claim(pk, "worker"))
        tasks.draw_figures(pk)


def results_page(client: Client, study: Study, **query) -> str:
    """Asked for, made, and looked at again."""
    address = reverse("desk:results", args=[study.slug])
    client.get(address, query)
    make_what_waits()
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()
