"""``python manage.py import_responses STUDY FILE``: prompts and the answers of named arms."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.imports import Imported, import_into_new_study, import_responses
from annotation.actions.imports.responses import FIELDS
from annotation.actions.members import add_member, refuse_raters
from annotation.management.importing import Importing, add_file_arguments, mapping_from
from annotation.management.studies import study_named
from annotation.models import Study, User
from annotation.vocabulary import StudyRole


class Command(BaseCommand):
    help = "Imports prompts and what named arms answered to them; all of the file or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, FIELDS)
        parser.add_argument(
            "--create", metavar="TITLE", help="Make the study, as a draft, when it is missing."
        )
        parser.add_argument("--researcher", metavar="USERNAME", help="Who sees the study on the desk.")
        parser.add_argument("--no-pairs", action="store_true", help="Do not pair the responses.")

    def handle(self, *args: object, **options: object) -> None:
        importing = Importing(self, options["file"])
        with importing.refusals_in_words():
            result = self._import(options, importing)
        importing.done(result, "responses")
        study = study_named(options["study"])
        if not study.memberships.exists():
            self.stderr.write(
                f"Nobody sees “{study.slug}” on the desk yet. Say who does, for example: "
                f"import_responses {study.slug} FILE --researcher researcher"
            )

    def _import(self, options: dict, importing: Importing) -> Imported:
        path, mapping = options["file"], mapping_from(options, FIELDS)
        how = {
            "pairs": not options["no_pairs"],
            "skip_bad": options["skip_bad"],
            "on_skip": importing.skip,
            "on_progress": importing.progress,
        }
        slug, researcher = options["study"], _researcher(options["researcher"])
        if options["create"] and not Study.objects.filter(slug=slug).exists():
            return import_into_new_study(slug, options["create"], path, mapping, researcher, **how)
        study = study_named(slug)
        if researcher:
            refuse_raters(study, [researcher])
        result = import_responses(study, path, mapping, **how)
        if researcher:  # only a file that was taken changes who sees the study
            add_member(study, researcher, StudyRole.OWNER)
        return result


def _researcher(username: str | None) -> User | None:
    if not username:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user “{username}”.")
    if not user.is_staff:
        raise CommandError(f"“{username}” is not a researcher: only staff see studies on the desk.")
    return user
