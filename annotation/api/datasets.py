"""Files for training from a frozen snapshot: asked for by a recipe, watched, stopped, fetched."""

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import datasets
from annotation.api.bases import ForResearchers, hinted
from annotation.api.files import OfFiles, says_archive, says_file, sent_archive, sent_file
from annotation.api.once import once
from annotation.api.schema import PLAIN, a_list, an_object, page_of, says
from annotation.datasets.recipe import Recipe
from annotation.errors import NotFound
from annotation.models import Dataset

MOMENT = {"type": ["string", "null"], "format": "date-time"}
SOMETHING = {"type": ["object", "null"]}
DATASET = an_object(
    "detail",
    number=int,
    state=str,
    recipe=dict,
    step=str,
    done=int,
    total=int,
    error=str,
    asked_at=MOMENT,
    finished_at=MOMENT,
    counts=SOMETHING,
    files=SOMETHING,
    detail=PLAIN[str],
)
PREVIEW = an_object(judgments=dict, items=dict, notes=dict, rows=a_list(dict))
RECIPE = {
    "type": "object",
    "description": "A recipe, as docs/datasets.md tells it.",
    "properties": {"format": {"type": "string"}},
}


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
    @says(page_of(DATASET))
    def get(self, request: Request, slug: str, number: int) -> Response:
        """The snapshot's datasets, the newest first."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return Response({"results": [dataset_data(found) for found in snapshot.datasets.all()]})

    @once
    @says(DATASET, 201, {"application/json": RECIPE}, also={200: OpenApiResponse(DATASET, "It is there.")})
    def post(self, request: Request, slug: str, number: int) -> Response:
        """Have one made: the body is a recipe. 200 instead of 201 where the same was asked for already."""
        self.study()
        snapshot = access.snapshot_for(request.user, slug, number)
        found, is_new = datasets.ask(snapshot, Recipe.from_dict(request.data), request.user)
        if not is_new:
            return Response(dataset_data(found))
        told = hinted(lambda dataset: tasks.make_dataset.delay(dataset.pk), found)
        return Response({**dataset_data(found), **told}, status.HTTP_201_CREATED)


class Preview(ForResearchers, APIView):
    @says(PREVIEW, 200, {"application/json": RECIPE})
    def post(self, request: Request, slug: str, number: int) -> Response:
        """What a recipe would make: counts, and the first three rows. Nothing is written."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return Response(datasets.preview_of(snapshot, Recipe.from_dict(request.data)).as_json())


class DatasetDetail(ForResearchers, APIView):
    @says(DATASET)
    def get(self, request: Request, slug: str, number: int, dataset: int) -> Response:
        """How far it is; counts and files once it is made."""
        return Response(dataset_data(access.dataset_for(request.user, slug, number, dataset)))


class DatasetControl(ForResearchers, APIView):
    @says(DATASET)
    def post(self, request: Request, slug: str, number: int, dataset: int, control: str) -> Response:
        """Stop a making, or start it again."""
        self.study()
        found = access.dataset_for(request.user, slug, number, dataset)
        if control not in datasets.CONTROLS:
            raise NotFound(f"A dataset can be told to {', '.join(datasets.CONTROLS)}.")
        datasets.CONTROLS[control](found, request.user)
        if control == "again":
            tasks.sent(tasks.make_dataset.delay, found.pk)
        return Response(dataset_data(access.dataset_for(request.user, slug, number, dataset)))


class DatasetFile(OfFiles):
    @says_file
    def get(self, request: Request, slug: str, number: int, dataset: int, name: str) -> HttpResponseBase:
        """One file of a made dataset, or a part of it."""
        found = access.dataset_for(request.user, slug, number, dataset)
        return sent_file(request, access.dataset_file(found, name), found)


class DatasetArchive(OfFiles):
    @says_archive
    def get(self, request: Request, slug: str, number: int, dataset: int) -> HttpResponseBase:
        """All files of a made dataset as one ZIP, or a part of it."""
        return sent_archive(request, access.dataset_for(request.user, slug, number, dataset))
