"""Folders of frozen data to the Hugging Face Hub and back, where somebody has put a token.

The token comes from HF_TOKEN, or from the file that HF_TOKEN_FILE names; it is read for each call, and
neither kept nor told. What goes up is private unless somebody says otherwise, is one commit, and is recorded
with the revision that it became.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import httpx2
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError

from annotation.actions import events
from annotation.errors import HubRefused
from annotation.models import Event, Snapshot, Study, User

REPOSITORY = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[\w][\w./-]{0,99}", re.ASCII)
PASSING = (429, 500, 502, 503, 504)
TRIES = 4
LONGEST_WAIT = 30.0  # seconds between two tries
PUSHES_LISTED = 20
MOST_FILES = 1_000
WANTED = (".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".gz", ".md")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Pulled:
    """`revision` is the commit that the files are from."""

    revision: str
    files: tuple[Path, ...]


def token() -> str:
    """The token that is configured, "" for none. Raises HubRefused when its file cannot be read."""
    if given := os.environ.get("HF_TOKEN", "").strip():
        return given
    if not (path := os.environ.get("HF_TOKEN_FILE", "").strip()):
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise HubRefused("The file that HF_TOKEN_FILE names cannot be read.") from error


def push_snapshot(
    snapshot: Snapshot, repository: str, actor: User | None = None, *, public: bool = False
) -> str:
    """Push a snapshot's files; the commit that they became. Raises HubRefused."""
    told = {"snapshot": snapshot.number}
    return push(snapshot.study, Path(snapshot.folder), repository, actor, public=public, told=told)


def push(
    study: Study,
    folder: Path,
    repository: str,
    actor: User | None = None,
    *,
    public: bool = False,
    told: dict | None = None,
) -> str:
    """Push a folder that has a card as one commit to a dataset repository, made if it is missing.

    The commit takes away what the study's last push to it brought and this one has no more, and nothing else.
    Raises HubRefused; then nothing of the commit is there, though the empty repository may be.
    """
    _refuse_odd(REPOSITORY, repository, "Write a repository as OWNER/NAME.")
    files = _files_of(folder)
    api = _api()
    _patiently(lambda: api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True))
    info = _patiently(lambda: api.repo_info(repository, repo_type="dataset"))
    there = {one.rfilename for one in info.siblings or ()}
    left = sorted(_pushed_before(study, repository) & there - files.keys())
    if not info.private and not public:
        raise HubRefused(f"“{repository}” is public already. Say --public if everybody may read the data.")
    commit = _patiently(
        lambda: api.create_commit(
            repository,
            [
                *(CommitOperationAdd(name, path) for name, path in files.items()),
                *(CommitOperationDelete(name) for name in left),
            ],
            commit_message=f"{study.slug}: {folder.name}",
            repo_type="dataset",
        )
    )
    events.record(
        study,
        "push_to_hub",
        actor,
        repository=repository,
        revision=commit.oid,
        public=public,
        files=len(files),
        names=sorted(files),
        removed=left,
        **(told or {}),
    )
    return commit.oid


def _pushed_before(study: Study, repository: str) -> set[str]:
    """The files of the study's last push to the repository."""
    last = study.events.filter(verb="push_to_hub", detail__repository=repository).first()
    return set(last.detail.get("names", ())) if last else set()


def _files_of(folder: Path) -> dict[str, Path]:
    """The folder's files by their names in the repository. Raises HubRefused."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    files = {path.relative_to(folder).as_posix(): path for path in found}
    if not files:
        raise HubRefused(f"There are no files in “{folder}”.")
    if "README.md" not in files:
        raise HubRefused(f"“{folder}” has no card (README.md), so nobody would know what the data are.")
    return files


def pull(repository: str, folder: Path, revision: str = "main") -> Pulled:
    """Fetch the data files of a dataset repository into a folder; what is there already is not fetched again.

    A download that broke off goes on where it stopped. Raises HubRefused.
    """
    _refuse_odd(REPOSITORY, repository, "Write a repository as OWNER/NAME.")
    _refuse_odd(REVISION, revision, "A revision is a branch, a tag or a commit.")
    api = _api(needs_token=False)
    info = _patiently(
        lambda: api.repo_info(repository, repo_type="dataset", revision=revision, files_metadata=True)
    )
    names = _wanted(repository, {one.rfilename: one.size or 0 for one in info.siblings or ()})
    paths = [_fetch(api, repository, name, info.sha, folder) for name in names]
    return Pulled(info.sha, tuple(paths))


def _wanted(repository: str, sizes: dict[str, int]) -> list[str]:
    """The names of files that can be imported. Raises HubRefused for names that lead elsewhere."""
    names = sorted(name for name in sizes if name.lower().endswith(WANTED))
    if not names or len(names) > MOST_FILES:
        raise HubRefused(
            f"“{repository}” has {len(names)} files that could be imported; 1 to {MOST_FILES:,} can be."
        )
    for name in names:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
            raise HubRefused(
                f"“{repository}” has a file of a name that leads elsewhere, so nothing was fetched."
            )
    if sum(sizes[name] for name in names) > settings.IMPORT_MOST_UNPACKED:
        raise HubRefused(f"The files of “{repository}” are larger than IMPORT_MOST_UNPACKED allows.")
    return names


def _fetch(api: HfApi, repository: str, name: str, revision: str, folder: Path) -> Path:
    return Path(
        _patiently(
            lambda: api.hf_hub_download(
                repository, name, repo_type="dataset", revision=revision, local_dir=folder
            )
        )
    )


def _api(needs_token: bool = True) -> HfApi:
    secret = token()
    if needs_token and not secret:
        raise HubRefused("No token is configured. Put one in HF_TOKEN, or name its file in HF_TOKEN_FILE.")
    # False: else a token that somebody once logged in with on this machine would be used, unasked.
    return HfApi(endpoint=settings.HUB_ENDPOINT or None, token=secret or False, library_name="evenhand")


def _refuse_odd(pattern: re.Pattern[str], name: str, hint: str) -> None:
    if not pattern.fullmatch(name) or ".." in name:
        raise HubRefused(f"“{name[:100]}” cannot be. {hint}")


def _patiently(call: Callable[[], Result]) -> Result:
    """The call's result, after a few tries where the Hub is busy or away. Raises HubRefused."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return call()
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status not in PASSING or not left:
                raise HubRefused(_words(status)) from None  # the error's text may quote what was sent
            time.sleep(_wait(error.response.headers.get("Retry-After", ""), left))
        except (httpx2.TransportError, OSError) as error:
            if not left:
                raise HubRefused(
                    f"The Hub does not answer ({type(error).__name__}). Try again later."
                ) from None
            time.sleep(_wait("", left))
        except ValueError as error:
            raise HubRefused(f"The Hub's answer is not understood: {error}.") from None
    raise AssertionError("the last try returns or raises")


def _wait(asked: str, left: int) -> float:
    seconds = float(asked) if asked.isdigit() else 2.0 ** (TRIES - 1 - left)
    return min(seconds, LONGEST_WAIT)


def _words(status: int) -> str:
    """What an answer of the Hub means for whoever asked."""
    return {
        401: "The Hub knows no such token, or no such repository for it. Check HF_TOKEN and the name.",
        403: "The token may not do this. Give it the right to write to the repository's owner.",
        404: "The Hub has no such repository or revision, or the token may not see it.",
        409: "Somebody else changed the repository at the same time. Try again.",
        413: "The Hub takes no files so large.",
        429: "The Hub has had too many requests and asks to wait. Try again later.",
    }.get(status, f"The Hub answered with an error ({status}). Try again later.")


# From the desk -----------------------------------------------------------------------------------------


def pushes_of(study: Study) -> QuerySet[Event]:
    """What was last asked for, arrived or failed, the newest first."""
    told = study.events.without_judging().filter(verb__startswith="push_to_hub")
    return told.order_by("-pk")[:PUSHES_LISTED]


def is_configured() -> bool:
    """Whether something can be pushed."""
    try:
        return bool(token())
    except HubRefused:
        return False


def note_asked(snapshot: Snapshot, repository: str, actor: User) -> Event:
    """Record that a worker is to push."""
    return events.record(
        snapshot.study, "push_to_hub_asked", actor, snapshot=snapshot.number, repository=repository
    )


@transaction.atomic
def note_failure(snapshot: Snapshot, repository: str, actor: User, reason: str) -> Event:
    """Record why a worker could not push."""
    told = {"snapshot": snapshot.number, "repository": repository, "reason": reason}
    return events.record(snapshot.study, "push_to_hub_failed", actor, **told)


def refuse_repository(repository: str) -> None:
    """Raises HubRefused for what names no repository."""
    _refuse_odd(REPOSITORY, repository, "Write a repository as OWNER/NAME.")
