"""How well sentences are found, on suites that others wrote. They are not part of this repository: fetch what you want into one folder, for example

    git clone --depth 1 https://github.com/nipunsadvilkar/pySBD
    git clone --depth 1 https://github.com/wikimedia/sentencex
    git clone --depth 1 https://github.com/UniversalDependencies/UD_Danish-DDT    (and any other treebank)

and name it with --data. Printed are, for pySBD's golden rules and sentencex's own tests, how many texts are split as they expect; for each
treebank, precision, recall and F1 of the ends of sentences when ten consecutive sentences are joined to a paragraph.
"""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from newsmark.annotation.commandline import run_command
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.splitting.passages import split_passages
from tabulate import tabulate

PARAGRAPH = 10
"""Sentences of a treebank that are joined."""

RULES = re.compile(r"GOLDEN_([A-Z]{2})_\w*RULES\w*|([A-Z]{2})_MORE_TEST_CASES")
Case = tuple[str, str, list[str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the suites are (default: only the cold-start corpus is measured)")
    parser.add_argument("--failures", action="store_true", help="also print each text that is split differently, one JSON object per line")
    arguments = parser.parse_args()
    return run_command("splitting", False, lambda: bench(arguments.data, arguments.failures))


def bench(folder: Path | None, failures: bool) -> None:
    corpus = {path.stem: corpus_paragraphs(path) for path in sorted(Path("seeds/bootstrap").glob("*.jsonl"))}
    print(tabulate([boundary_scores(f"cold-start corpus {name}", name, paragraphs) for name, paragraphs in corpus.items()], headers="keys", floatfmt=".3f"))
    if folder is None:
        print("\nOther suites are measured when --data names the folder they were fetched into (see --help).")
        return
    if not folder.is_dir():
        raise NewsmarkError(f"{folder}: no such folder")
    print()
    print(tabulate([exact(name, list(cases), failures) for name, cases in (("pySBD", pysbd(folder)), ("sentencex", sentencex(folder)))], headers="keys"))
    banks = [boundary_scores(path.stem, path.stem.partition("_")[0], treebank(path)) for path in sorted(folder.rglob("*-ud-test.conllu"))]
    print("\n" + tabulate(banks, headers="keys", floatfmt=".3f"))


def exact(name: str, cases: list[Case], failures: bool) -> dict[str, object]:
    right = 0
    for language, text, expected in cases:
        found = [squeeze(passage.text) for passage in split_passages(text, language)]
        if found == [squeeze(sentence) for sentence in expected]:
            right += 1
        elif failures:
            print(json.dumps({"suite": name, "lang": language, "expected": expected, "found": found}, ensure_ascii=False))
    return {"suite": name, "texts": len(cases), "as expected": right}


def squeeze(text: str) -> str:
    return " ".join(text.split())


def pysbd(folder: Path) -> Iterator[Case]:
    """The lists of (text, sentences) in pySBD's test files; "clean" and "pdf" cases change the text and are left out."""
    for path in sorted(folder.rglob("tests/lang/test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (named := RULES.fullmatch(node.targets[0].id)):
                if "CLEAN" in node.targets[0].id or "clean" in path.name:
                    continue
                for case in ast.literal_eval(node.value):
                    yield (named[1] or named[2]).lower(), case[0], case[1]


def sentencex(folder: Path) -> Iterator[Case]:
    """The cases of sentencex's ``tests/xx.txt``: text, "---", its sentences one per line, "==="."""
    for path in sorted(folder.rglob("sentencex*/tests/??.txt")):
        for case in path.read_text(encoding="utf-8").split("==="):
            lines = [line for line in case.strip().split("\n") if not line.startswith("# ") and line.strip() != "#"]
            if "---" in lines:
                text, sentences = lines[: lines.index("---")], lines[lines.index("---") + 1 :]
                if text and sentences:
                    yield path.stem, "\n".join(text), [line for line in sentences if line.strip()]


def treebank(path: Path) -> list[tuple[str, set[int]]]:
    sentences: list[str] = []
    paragraphs: list[list[str]] = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.startswith("# text = "):
            sentences.append(line.removeprefix("# text = ").strip())
        elif line.startswith("# newdoc") or len(sentences) == PARAGRAPH:
            paragraphs.append(sentences)
            sentences = []
    glued = path.stem[:2] in {"ja", "zh"}
    return [join(group, "" if glued else " ") for group in [*paragraphs, sentences] if group]


def corpus_paragraphs(path: Path) -> list[tuple[str, set[int]]]:
    """Running text of the cold-start corpus: consecutive sentences of one document."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    groups = groupby(rows, lambda row: (row["document"], len(row["text"]) >= 40 and row["text"][-1] in '.!?。！？…”»"'))
    return [join([row["text"] for row in group], "" if path.stem in {"ja", "zh"} else " ") for (_, running), group in groups if running]


def join(sentences: list[str], between: str) -> tuple[str, set[int]]:
    return between.join(sentences), {len(between.join(sentences[:count])) for count in range(1, len(sentences) + 1)}


def boundary_scores(name: str, language: str, paragraphs: list[tuple[str, set[int]]]) -> dict[str, object]:
    both = found = expected = 0
    for text, ends in paragraphs:
        given = {passage.end for passage in split_passages(text, language)}
        both, found, expected = both + len(given & ends), found + len(given), expected + len(ends)
    return {
        "text": name,
        "sentences": expected,
        "precision": both / max(found, 1),
        "recall": both / max(expected, 1),
        "F1": 2 * both / max(found + expected, 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
