"""``python manage.py make_token USERNAME``: a token for the API, printed once."""

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotation.actions.tokens import make_token
from annotation.errors import DomainError
from annotation.models import User
from annotation.vocabulary import TokenScope

DAYS = 90
LONGEST = 3650


class Command(BaseCommand):
    help = (
        "Make a token with which a program uses the API as this person. It is printed once and kept nowhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="From the command line", help="where it is used")
        parser.add_argument(
            "--scope",
            action="append",
            choices=TokenScope.values,
            help="what it may do; repeatable (default: everything)",
        )
        parser.add_argument(
            "--days", type=int, default=DAYS, help=f"how long it is valid (default: {DAYS}); 0 is for ever"
        )

    def handle(self, *args: object, username: str, name: str, days: int, **options: object) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user “{username}”. Nothing was made.")
        if not 0 <= days <= LONGEST:
            raise CommandError(f"--days is a number from 0 (for ever) to {LONGEST}. Nothing was made.")
        until = timezone.now() + timedelta(days=days) if days else None
        try:
            _, secret = make_token(user, name, options["scope"] or TokenScope.values, until)
        except DomainError as error:
            raise CommandError(f"{error} Nothing was made.") from error
        self.stdout.write(secret)
