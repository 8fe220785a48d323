"""The manual's way to label on a Spark cluster, run on a local one."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ARTICLES = {"sv": "seeds/001_de0bcf51e6ff2360.txt", "fr": "seeds/003_351322b492e975e1.txt"}


def test_the_manuals_spark_snippet_labels_as_predict_does(command, store, baseline_run, tmp_path):
    pytest.importorskip("pyspark", reason="no pyspark (make test installs it where there is Java)")
    if shutil.which("java") is None:
        pytest.skip("no Java on this machine (Debian: apt-get install openjdk-17-jre-headless)")
    run = re.search(r"run ([0-9a-f]{32})", baseline_run.stderr).group(1)
    uri = re.search(r"models:/m-\w+", baseline_run.stderr).group()
    (snippet,) = re.findall(r"```python\n(import mlflow\n.*?spark_udf.*?)```", Path("models/README.md").read_text(encoding="utf-8"), re.DOTALL)
    rows = [json.dumps({"text": Path(path).read_text(encoding="utf-8"), "lang": lang}) for lang, path in ARTICLES.items()]
    (tmp_path / "articles.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for old, new in (("articles.jsonl", str(tmp_path / "articles.jsonl")), ("labelled.parquet", str(tmp_path / "labelled.parquet"))):
        assert old in snippet
        snippet = snippet.replace(old, new)
    snippet = snippet.replace("models:/newsmark@champion", uri)
    local = {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
    }
    done = subprocess.run([sys.executable, "-c", snippet], env={**os.environ, **store, **local}, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(tmp_path / "labelled.parquet").to_pylist()
    assert sorted(row["lang"] for row in table) == sorted(ARTICLES)
    for row in table:
        alone = command("models", ARTICLES[row["lang"]], "--model", run, env=store)
        expected = [json.loads(line) for line in alone.stdout.splitlines()]
        found = row["answer"]["passages"]
        assert [(one["start"], one["end"], one["labels"], one["scores"]) for one in found] == [
            (one["start"], one["end"], one["labels"], one["scores"]) for one in expected
        ]
