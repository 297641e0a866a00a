"""Real judgments made by others, where a copy lies beside the project; without it, only their cases skip."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import settings

from annotation.stats.ratings import Ratings

# A machine that does other things too makes an example late, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data"


class SharedData:
    """Reads the reference values and the judgments of one folder of tables."""

    def __init__(self, folder: Path):
        self.folder = folder

    def json(self, path: str) -> dict:
        return json.loads((self.folder / path).read_text())

    def rows(self, path: str) -> list[dict[str, str]]:
        with (self.folder / path).open(newline="") as file:
            return list(csv.DictReader(file))

    def ratings(self, path: str, **where: str) -> Ratings:
        """The rows whose columns equal ``where``; labels become numbers where all of them are."""
        rows = [row for row in self.rows(path) if all(row[name] == value for name, value in where.items())]
        labels = [row["label"] for row in rows]
        values = [float(label) for label in labels] if all(map(_is_number, labels)) else labels
        return Ratings.from_rows([row["item_id"] for row in rows], [row["rater_id"] for row in rows], values)


def _is_number(label: str) -> bool:
    return label.replace(".", "", 1).isdigit()


@pytest.fixture(scope="session")
def shared_data() -> SharedData:
    if not FOLDER.is_dir():
        pytest.skip(f"There is no folder of shared data at {FOLDER}.")
    return SharedData(FOLDER)
