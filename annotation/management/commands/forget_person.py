"""``python manage.py forget_person USERNAME``: a person's right to be forgotten."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.people import forget_person
from annotation.errors import DomainError
from annotation.models import User


class Command(BaseCommand):
    help = "Empties everything that tells who a person is; what they judged stays under their code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--yes", action="store_true", help="Do not ask: it cannot be undone.")

    def handle(self, *args: object, **options: object) -> None:
        name = options["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user “{name}”.")
        if not options["yes"] and input(f"Forget “{name}”? This cannot be undone. Type the name: ") != name:
            raise CommandError("That is not the name. Nothing was changed.")
        try:
            done = forget_person(user)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The person is forgotten." if done else "The person was forgotten before.")
