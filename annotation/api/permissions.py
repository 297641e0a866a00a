"""Who may do what over JSON; `access` decides."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from annotation import access
from annotation.errors import NotAllowed
from annotation.vocabulary import StudyRole


class OfResearchers(BasePermission):
    """Researchers and members of studies; of a study named in the address, who sends needs `least_to_send`.

    Raises NotFound for what is not theirs.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not (request.user.is_authenticated and access.may_use_desk(request.user)):
            return False
        least = getattr(view, "least_to_send", StudyRole.EDITOR)
        if request.method not in SAFE_METHODS and "slug" in view.kwargs:
            try:
                access.study_for(request.user, view.kwargs["slug"], least)
            except NotAllowed as error:
                raise PermissionDenied(str(error)) from error
        return True
