"""What commands about a study share."""

from django.core.management.base import CommandError

from annotation.models import Study


def study_named(slug: str) -> Study:
    """The study of that name. Raises CommandError, which names those there are."""
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        there = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(
            f"There is no study “{slug}”. {f'There are: {there}.' if there else 'There is none.'}"
        )
    return study
