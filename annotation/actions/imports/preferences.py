"""Flat preference data: TRL's preference and unpaired types, PKU-SafeRLHF, Anthropic's transcripts."""

import re
from collections.abc import Mapping

from annotation.actions.imports.cells import BadRow, label, raw_text, whole, word
from annotation.actions.imports.foreign import (
    ABOUT,
    PROMPT_LABELS,
    Answer,
    Foreign,
    Format,
    about,
    last_answer,
    pair_key_of,
    prompt_of,
    question_of,
    sample_of,
    strength,
    turns,
    two_answers,
)
from annotation.vocabulary import SafetyLevel, Severity

NAMES = ("pair_key", "sample")
SPEAKER = re.compile(r"\n\n(Human|Assistant):")
ROLES = {"Human": "user", "Assistant": "assistant"}
PKU_SEVERITY = ("", Severity.LOW, Severity.MODERATE, Severity.HIGH)
LABEL_MEANS = ("safety", "helpfulness")
COMPLETION = "completion"  # the arm of answers that stand alone and whose model the file does not name


# TRL, preference -----------------------------------------------------------------------------------------


def _is_trl(row: dict) -> bool:
    return {"chosen", "rejected"} <= set(row) and not _is_transcripts(row)


def _read_trl(row: dict, columns: Mapping[str, str]) -> Foreign:
    messages, chosen, rejected = _trl_texts(row)
    return _preferred(row, messages, chosen, rejected)


def _preferred(row: dict, messages: list[dict] | str, chosen: str, rejected: str) -> Foreign:
    arms = [word(row.get(name), name, longest=100) for name in ("chosen_arm", "rejected_arm")]
    if any(arms) and not all(arms):
        raise BadRow("Give “chosen_arm” and “rejected_arm”, or neither.")
    better, worse = two_answers((chosen, rejected), arms)
    judgment = {"arm_a": worse.arm, "arm_b": better.arm, question_of(row): strength(row), **about(row)}
    answers = sorted((better, worse), key=lambda answer: answer.arm)
    return Foreign(prompt_of(messages, row), answers, [judgment], sample_of(row), pair_key_of(row))


def _trl_texts(row: dict) -> tuple[list[dict] | str, str, str]:
    """The prompt and the two answers, from text or conversations, the prompt explicit or implied."""
    if row.get("chosen") is None or row.get("rejected") is None:
        raise BadRow("“chosen” or “rejected” is missing. An empty answer is written as an empty text.")
    prompt = row.get("prompt")
    if turns(row["chosen"], "chosen") is None:
        chosen, rejected = raw_text(row["chosen"], "chosen"), raw_text(row["rejected"], "rejected")
        if prompt in (None, ""):
            return _common_beginning(chosen, rejected)
        return turns(prompt, "prompt") or raw_text(prompt, "prompt"), chosen, rejected
    before, chosen = last_answer(row["chosen"], "chosen")
    also_before, rejected = last_answer(row["rejected"], "rejected")
    if before != also_before:
        raise BadRow(
            "“chosen” and “rejected” differ before their last answers, so they answer no one prompt."
        )
    return _explicit(prompt, before), chosen, rejected


def _explicit(prompt: object, before: list[dict]) -> list[dict] | str:
    """The prompt's turns, given by themselves, or before the answers, or both ways alike."""
    given = [] if prompt in (None, "") else (turns(prompt, "prompt") or raw_text(prompt, "prompt"))
    if not before:
        if not given:
            raise BadRow("The row has no prompt: neither in “prompt” nor before the answers.")
        return given
    told = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if told and told != before and told[-1:] != before[-1:]:
        raise BadRow("“prompt” is not what stands before the answers.")
    return before


def _common_beginning(chosen: str, rejected: str) -> tuple[str, str, str]:
    """Two texts that repeat their prompt: it ends with the last blank before they differ."""
    length = next(
        (at for at, (ours, theirs) in enumerate(zip(chosen, rejected, strict=False)) if ours != theirs),
        min(len(chosen), len(rejected)),
    )
    begins = re.match(r".*\s", chosen[:length], re.DOTALL)
    if not begins or not begins[0].strip():
        raise BadRow("The row has no “prompt”, and “chosen” and “rejected” begin with no common one.")
    end = begins.end()
    return begins[0].rstrip(), chosen[end:], rejected[end:]


TRL_PREFERENCE = Format(
    name="trl_preference",
    title="TRL preference (chosen, rejected)",
    fields=(
        "prompt",
        "chosen",
        "rejected",
        "margin",
        "margin_max",
        "margin_kind",
        "question",
        "chosen_arm",
        "rejected_arm",
        *NAMES,
        *PROMPT_LABELS,
        *ABOUT,
    ),
    needs=("chosen", "rejected"),
    fits=_is_trl,
    read=_read_trl,
)


# TRL, unpaired -------------------------------------------------------------------------------------------


def _read_unpaired(row: dict, columns: Mapping[str, str]) -> Foreign:
    if row.get("completion") is None:
        raise BadRow("“completion” is missing. An empty answer is written as an empty text.")
    if turns(row["completion"], "completion") is None:
        before, text = [], raw_text(row["completion"], "completion")
    else:
        before, text = last_answer(row["completion"], "completion")
    arm = word(row.get("arm"), "arm", longest=100) or COMPLETION
    judgments = [{"arm": arm, **told, **about(row)}] if (told := _labelled(row)) else []
    messages = _explicit(row.get("prompt"), before)
    return Foreign(prompt_of(messages, row), [Answer(arm, text)], judgments, sample_of(row))


def _labelled(row: dict) -> dict:
    """What a good or bad label says in our words, which only the researcher can say (`label_means`)."""
    given, means = row.get("label"), label(row.get("label_means"), "label_means", LABEL_MEANS)
    if given in (None, "") or not means:
        return {}
    is_good = _truth(given, "label")
    if means == "safety":
        return {"safety": SafetyLevel.CLEARLY_SAFE if is_good else SafetyLevel.CLEARLY_UNSAFE}
    return {"helpfulness": 4 if is_good else 1}


def _truth(value: object, name: str) -> bool:
    text = word(value, name).lower() if not isinstance(value, bool) else str(value).lower()
    if text not in ("true", "false", "1", "0", "1.0", "0.0", "yes", "no"):
        raise BadRow(f"“{name}” is {text}; it must be true or false.")
    return text in ("true", "1", "1.0", "yes")


TRL_UNPAIRED = Format(
    name="trl_unpaired",
    title="TRL unpaired (completion, label)",
    fields=("prompt", "completion", "label", "label_means", "arm", "sample", *PROMPT_LABELS, *ABOUT),
    needs=("completion",),
    fits=lambda row: "completion" in row and "prompt" in row,
    read=_read_unpaired,
)


# PKU-SafeRLHF --------------------------------------------------------------------------------------------


def _read_pku(row: dict, columns: Mapping[str, str]) -> Foreign:
    if row.get("prompt") in (None, ""):
        raise BadRow("“prompt” is empty.")
    answers = [_pku_answer(row, side) for side in (0, 1)]
    judgment = {
        "arm_a": answers[0].arm,
        "arm_b": answers[1].arm,
        question_of(row, "more_helpful"): _towards(row, "better_response_id"),
        **_pku_safety(row, 0, "a_"),
        **_pku_safety(row, 1, "b_"),
        **about(row),
    }
    if (safer := _towards(row, "safer_response_id")) is not None:
        judgment["safer"] = safer
    says = [name for name in judgment if judgment[name] is not None]
    judgments = [judgment] if set(says) - {"arm_a", "arm_b", *ABOUT} else []
    messages = turns(row["prompt"], "prompt") or raw_text(row["prompt"], "prompt")
    return Foreign(prompt_of(messages, row), answers, judgments, sample_of(row), pair_key_of(row))


def _pku_answer(row: dict, side: int) -> Answer:
    name = f"response_{side}"
    if row.get(name) is None:
        raise BadRow(f"“{name}” is missing. An empty answer is written as an empty text.")
    if turns(row[name], name) is None:
        text = raw_text(row[name], name)
    else:
        _, text = last_answer(row[name], name)
    return Answer(word(row.get(f"arm_{side}"), f"arm_{side}", longest=100) or name, text)


def _towards(row: dict, name: str) -> int | None:
    side = whole(row.get(name), name, 0, 1)
    return None if side is None else (1 if side else -1)


def _pku_safety(row: dict, side: int, prefix: str) -> dict:
    """Safety from the yes or no, severity from its level; yes and no are the ends of our scale."""
    safe, level = f"is_response_{side}_safe", f"response_{side}_severity_level"
    severity = whole(row.get(level), level, 0, 3)
    if row.get(safe) in (None, ""):
        return {}
    if _truth(row[safe], safe):
        if severity:
            raise BadRow(f"“{level}” is {severity}, but “{safe}” says that the response is safe.")
        return {f"{prefix}safety": SafetyLevel.CLEARLY_SAFE}
    return {
        f"{prefix}safety": SafetyLevel.CLEARLY_UNSAFE,
        f"{prefix}severity": PKU_SEVERITY[severity or 0],
    }


PKU = Format(
    name="pku_saferlhf",
    title="PKU-SafeRLHF (response_0, response_1)",
    fields=(
        "prompt",
        *[name.format(side) for side in (0, 1) for name in ("response_{}", "is_response_{}_safe")],
        "response_0_severity_level",
        "response_1_severity_level",
        "better_response_id",
        "safer_response_id",
        "question",
        "arm_0",
        "arm_1",
        *NAMES,
        *PROMPT_LABELS,
        *ABOUT,
    ),
    needs=("prompt", "response_0", "response_1"),
    fits=lambda row: {"prompt", "response_0", "response_1"} <= set(row),
    read=_read_pku,
)


# Anthropic's transcripts ---------------------------------------------------------------------------------


def _is_transcripts(row: dict) -> bool:
    return all(
        isinstance(row.get(name), str) and SPEAKER.match(row[name]) is not None
        for name in ("chosen", "rejected")
    )


def _read_transcripts(row: dict, columns: Mapping[str, str]) -> Foreign:
    chosen, rejected = (_spoken(row.get(name), name) for name in ("chosen", "rejected"))
    if chosen[:-1] != rejected[:-1]:
        raise BadRow("The two transcripts differ before their last answers, so they answer no one prompt.")
    if len(chosen) < 2 or not all(turn[-1]["role"] == "assistant" for turn in (chosen, rejected)):
        raise BadRow("A transcript must begin with “Human:” and end with “Assistant:”.")
    return _preferred(row, chosen[:-1], chosen[-1]["content"], rejected[-1]["content"])


def _spoken(value: object, name: str) -> list[dict]:
    """The turns of “\\n\\nHuman: …\\n\\nAssistant: …”; one blank after the colon belongs to the mark."""
    before, *parts = SPEAKER.split(raw_text(value, name))
    if before.strip() or not parts:
        raise BadRow(f"“{name}” is no transcript of “Human:” and “Assistant:”.")
    return [
        {"role": ROLES[speaker], "content": said.removeprefix(" ")}
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    ]


ANTHROPIC_HH = Format(
    name="anthropic_hh",
    title="Anthropic HH transcripts (chosen, rejected)",
    fields=(
        "chosen",
        "rejected",
        "margin",
        "margin_max",
        "question",
        "chosen_arm",
        "rejected_arm",
        *NAMES,
        *PROMPT_LABELS,
        *ABOUT,
    ),
    needs=("chosen", "rejected"),
    fits=_is_transcripts,
    read=_read_transcripts,
)
