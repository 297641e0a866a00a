"""Files for training from a frozen snapshot: asked for by a recipe, watched, stopped, fetched."""

from django.http import HttpResponseBase
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import datasets
from annotation.api.views import ForResearchers, hinted
from annotation.datasets.recipe import Recipe
from annotation.downloads import download
from annotation.errors import NotFound
from annotation.models import Dataset


def dataset_data(found: Dataset) -> dict:
    """What is told of a dataset; `files` and `counts` once it is made."""
    manifest = found.manifest or {}
    return {
        "number": found.number,
        "state": found.state,
        "recipe": found.recipe,
        "step": found.step,
        "done": found.done,
        "total": found.total,
        "error": found.error,
        "asked_at": found.asked_at,
        "finished_at": found.finished_at,
        "counts": manifest.get("counts"),
        "files": manifest.get("files"),
    }


class DatasetList(ForResearchers, APIView):
    def get(self, request: Request, slug: str, number: int) -> Response:
        """The snapshot's datasets, the newest first."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return Response({"results": [dataset_data(found) for found in snapshot.datasets.all()]})

    def post(self, request: Request, slug: str, number: int) -> Response:
        """Have one made: the body is a recipe. 200 instead of 201 where the same was asked for already."""
        snapshot = access.snapshot_for(request.user, slug, number)
        found, is_new = datasets.ask(snapshot, Recipe.from_dict(request.data), request.user)
        if not is_new:
            return Response(dataset_data(found))
        told = hinted(lambda dataset: tasks.make_dataset.delay(dataset.pk), found)
        return Response({**dataset_data(found), **told}, status.HTTP_201_CREATED)


class Preview(ForResearchers, APIView):
    def post(self, request: Request, slug: str, number: int) -> Response:
        """What a recipe would make: counts, and the first three rows. Nothing is written."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return Response(datasets.preview_of(snapshot, Recipe.from_dict(request.data)).as_json())


class DatasetDetail(ForResearchers, APIView):
    def dataset(self) -> Dataset:
        return access.dataset_for(
            self.request.user, self.kwargs["slug"], self.kwargs["number"], self.kwargs["dataset"]
        )

    def get(self, request: Request, **names: object) -> Response:
        """How far it is; counts and files once it is made."""
        return Response(dataset_data(self.dataset()))


class DatasetControl(DatasetDetail):
    """POST stops a making, or starts it again."""

    http_method_names = ["post", "options"]

    def post(self, request: Request, control: str, **names: object) -> Response:
        if control not in datasets.CONTROLS:
            raise NotFound(f"A dataset can be told to {', '.join(datasets.CONTROLS)}.")
        found = self.dataset()
        datasets.CONTROLS[control](found, request.user)
        if control == "again":
            tasks.sent(tasks.make_dataset.delay, found.pk)
        return Response(dataset_data(self.dataset()))


class DatasetFile(DatasetDetail):
    def get(self, request: Request, name: str, **names: object) -> HttpResponseBase:
        """One file of a made dataset, or the part of it that a `Range` asks for."""
        found = self.dataset()
        path = access.dataset_file(found, name)
        return download(request, path, path.name, access.digest_of(path, found.manifest))


class SnapshotFile(ForResearchers, APIView):
    def get(self, request: Request, slug: str, number: int, name: str) -> HttpResponseBase:
        """One file of a snapshot, or the part of it that a `Range` asks for."""
        snapshot = access.snapshot_for(request.user, slug, number)
        path = access.snapshot_file(snapshot, name)
        return download(request, path, path.name, access.digest_of(path, snapshot.manifest))
