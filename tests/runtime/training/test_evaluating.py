"""What an evaluation says of reward models, on answers written by hand."""

from models_runtime.training.evaluate import reward_report
from models_runtime.training.rows import Answer, Judged, Pair


def an_answer(arm: str) -> Answer:
    told = {"family": "f", "intent": "benign", "sample": 0, "messages": (), "masked": False, "votes": 1}
    return Answer("p", arm=arm, text=arm, helpfulness=1.0, safety=1.0, mode="direct_answer", **told)


def test_a_pair_about_which_a_question_was_not_asked_is_no_tie():
    a, b = an_answer("one"), an_answer("two")
    pairs = [Pair(a, b, {"more_helpful": lean, "safer": None, "balance": 1.0}) for lean in (0.0, 2.0)]

    def scores(conversations):
        return [0.5] * len(conversations)

    report = reward_report(Judged([a, b], pairs), {"helpfulness": scores, "safety": scores})
    left_out = {name: (report[name]["ties_left_out"], report[name]["not_asked"]) for name in report if name in
                ("helpfulness", "safety", "reward")}  # fmt: skip
    assert left_out == {"helpfulness": (1, 0), "safety": (0, 2), "reward": (0, 0)}
