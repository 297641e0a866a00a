"""Who a program is: a token with scopes, sent as `Authorization: Token …` (or `Bearer …`)."""

from rest_framework.authentication import TokenAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from annotation import access
from annotation.actions import tokens
from annotation.models import ApiToken, User
from annotation.vocabulary import TokenScope

KEYWORDS = ("Token", "Bearer")


class ScopedTokens(TokenAuthentication):
    """Lets in by a token that is valid; what it may do is `HasScope`'s to say."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        first = get_authorization_header(request).partition(b" ")[0].decode("latin-1")
        self.keyword = next((word for word in KEYWORDS if word.lower() == first.lower()), self.keyword)
        return super().authenticate(request)

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        found = access.token_by(key)
        if found is None:
            raise AuthenticationFailed("This token opens nothing: it is unknown, has expired or was revoked.")
        tokens.note_use(found)
        return found.user, found


class HasScope(BasePermission):
    """Whether the token was made for this; whoever comes with a session may do what the person may."""

    def has_permission(self, request: Request, view: object) -> bool:
        needed = getattr(view, "scope", None) or _by_method(request)
        if not isinstance(request.auth, ApiToken) or request.auth.may(needed):
            return True
        self.message = f"This token was not made for the scope “{needed}”. Make one that was."
        return False


def _by_method(request: Request) -> str:
    return TokenScope.READ if request.method in SAFE_METHODS else TokenScope.WRITE
