"""`python manage.py load_demo`: the demo study, its people, and a run for the workers to generate."""

from django.core.management.base import BaseCommand, CommandParser

from annotation.actions.runs import finish_run
from annotation.management import demo
from annotation.models import Study

SLUG = "demo"


class Command(BaseCommand):
    help = "Create the demo study and its log-ins where they are missing, and print the log-ins."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--model", default="", help="a folder or hub name instead of the small demo model"
        )

    def handle(self, *args, model: str, **options) -> None:
        passwords = demo.logins()
        researcher = demo.person(demo.RESEARCHER, passwords[demo.RESEARCHER], is_staff=True)
        raters = [demo.person(name, passwords[name]) for name in demo.RATERS]
        study = Study.objects.filter(slug=SLUG).first()
        if study is None:
            study = demo.demo_study(SLUG, "Demo: two ways to say no", researcher, model)
        demo.enrol_all(study, raters)
        # Only the rows: the beat finds the run within seconds of its start.
        finish_run(demo.run_of(study))
        for user in (researcher, *raters):
            self.stdout.write(demo.login_line(user, passwords[user.username]))
