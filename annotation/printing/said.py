"""What programs call a thing, in words."""

from annotation.vocabulary import HarmCategory, Intent, ResponseMode, SafetyLevel, Severity

WORDS = {
    "balance": "Better balance",
    "safer": "Safer",
    "more_helpful": "More helpful",
    "safety": "Safety, four levels",
    "unsafe": "Safe or unsafe",
    "severity": "Severity",
    "helpfulness": "Helpfulness, 1–4",
    "mode": "Response mode",
    "facilitation": "Facilitates harm",
    "both_bad": "Both are bad",
    "": "All prompts",
    "all": "All prompts",
    "none": "none named",
    "plain": "Plain",
    "position and length": "Position and length taken out",
    "raters weighed": "Raters weighed",
}
SCALES = (Intent, ResponseMode, SafetyLevel, Severity, HarmCategory)
LABELS = {value: str(label) for scale in SCALES for value, label in scale.choices} | WORDS


def said(name: object) -> str:
    """The word for a value in a table; what is not ours is left as it is."""
    return LABELS.get(name, str(name)) if isinstance(name, str) else str(name)


def said_slice(by: str, name: str) -> str:
    """The word for a slice of that kind."""
    if name == "none":
        return {"cohort": "enrolled here", "language": "not known", "guideline": "none shown"}.get(
            by, said(name)
        )
    return f"version {name}" if by == "guideline" else said(name)
