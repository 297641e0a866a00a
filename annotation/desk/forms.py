"""What a researcher fills in on the desk."""

from django import forms

from annotation.models import User
from annotation.vocabulary import StudyState

MOST_SAMPLES = 8


class StateForm(forms.Form):
    """Open or close the study."""

    state = forms.ChoiceField(choices=[(s.value, s.label) for s in (StudyState.OPEN, StudyState.CLOSED)])


class RunForm(forms.Form):
    samples = forms.IntegerField(
        min_value=1, max_value=MOST_SAMPLES, initial=1, label="Responses per prompt and arm"
    )


class EnrolForm(forms.Form):
    """A rater by the name they log in with."""

    username = forms.CharField(max_length=150, label="User name")

    def clean_username(self) -> str:
        username = self.cleaned_data["username"].strip()
        self.user = User.objects.filter(username=username, is_active=True).first()
        if self.user is None:
            raise forms.ValidationError(
                f"There is no active user “{username}”. Create one in the admin first."
            )
        return username
