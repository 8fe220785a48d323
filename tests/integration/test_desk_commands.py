"""The way of a new desk with labels of its own, outside the clone: the commands are run as their users run them, in the desk's folder."""

import json
import os
import subprocess
import sys
from hashlib import sha256

import pytest

LABELS = """
labels:
  threat: {definition: Somebody announces harm., color: "#aa0000", hotkey: "1"}
  thanks: {definition: Somebody thanks somebody., color: "#00aa00", hotkey: "2"}
  weather: {definition: Says what the weather is or will be., color: "#0000aa", hotkey: "3"}
topics:
  other: {definition: Any., color: "#455a64", hotkey: "q"}
"""
LABEL_NAMES = {"threat", "thanks", "weather"}
ARTICLES = {
    "north.txt": [
        ("", "The council met on Monday."),
        ("threat", "We will hit back if the harbour stays shut."),
        ("thanks", "The mayor thanked all volunteers."),
        ("weather", "Heavy rain is expected tonight."),
        ("", "Prices of bread have not changed since spring."),
    ],
    "west.txt": [
        ("weather", "Strong wind and rain will reach the coast tomorrow."),
        ("", "Both teams trained behind closed doors."),
        ("threat", "Whoever enters will regret it, the group announced."),
        ("thanks", "Many thanks to the nurses who stayed."),
    ],
    "south.txt": [
        ("thanks", "She thanked her neighbours for their help."),
        ("", "A new timetable hangs in the station."),
        ("weather", "Sun in the morning, then heavy clouds and rain."),
        ("threat", "They will hit us again, and we will hit back harder, the captain warned."),
    ],
}


@pytest.fixture
def newsmark(tmp_path):
    """Run one of newsmark's commands in a folder outside the clone."""
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "1", "NEWSMARK_STAGES_GB": "0"}
    env.pop("MLFLOW_TRACKING_URI", None)
    mains = {"annotate": "newsmark:annotate", "train": "newsmark.training.cli:main", "predict": "newsmark.models.cli:main"}

    def run(name, *arguments, folder=tmp_path):
        module, function = mains[name].split(":")
        code = f"import sys; from {module} import {function} as main; sys.exit(main())"
        return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300)

    return run


def write_articles(desk):
    """Three articles of a few lines, and what one annotator marked in them: whole lines."""
    with (desk / "annotations.jsonl").open("w") as rows:
        for name, lines in ARTICLES.items():
            text, spans = "", []
            for label, line in lines:
                if label:
                    spans.append({"id": str(len(spans)), "start": len(text), "end": len(text) + len(line), "label": label})
                text += line + "\n"
            (desk / "articles" / name).write_text(text)
            row = {"document": sha256(text.encode()).hexdigest(), "name": name, "annotator": "ana", "ground_truth": False, "topics": ["other"], "spans": spans}
            rows.write(json.dumps(row) + "\n")


def test_a_desk_with_three_labels_of_its_own_goes_from_init_to_predictions(newsmark, tmp_path):
    made = newsmark("annotate", "init", "desk")
    assert made.returncode == 0, made.stderr
    desk = tmp_path / "desk"
    (desk / "labels.yaml").write_text(LABELS)
    write_articles(desk)

    checked = newsmark("annotate", "check", folder=desk)
    assert checked.returncode == 0, checked.stderr
    assert all(label in checked.stdout for label in LABEL_NAMES)

    trained = newsmark("train", "--config", "configs/baseline.yaml", "--register", folder=desk)
    assert trained.returncode == 0, trained.stderr
    assert "has none of the labels threat, thanks, weather: trained without it" in trained.stderr
    assert "registered as desk version 1" in trained.stderr
    assert (desk / "mlruns" / "mlflow.db").is_file()
    assert list(tmp_path.iterdir()) == [desk]

    (desk / "new.txt").write_text("Heavy rain and wind are expected.\n")
    predicted = newsmark("predict", "../new.txt", folder=desk / "articles")
    assert predicted.returncode == 0, predicted.stderr
    (row,) = map(json.loads, predicted.stdout.splitlines())
    assert set(row["scores"]) == LABEL_NAMES
    assert max(row["scores"], key=row["scores"].get) == "weather"
