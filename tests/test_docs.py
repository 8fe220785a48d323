"""The manuals keep up with the code: commands, options, links, environment variables and constants, each read from the parser or the source."""

import argparse
import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from help_pages import FOLDERS, all_parsers, pages

import newsmark

PROJECT = Path(__file__).resolve().parent.parent
TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
DOCUMENTS = [PROJECT / name for name in TRACKED if Path(name).name != "model_card.md"]
MANUALS = {name: PROJECT / folder / "README.md" for name, folder in FOLDERS.items()}
CONFIGURATION = PROJECT / "configs" / "README.md"
CODE = [PROJECT / "newsmark.py", *(path for folder in ("annotation", "models", "training") for path in sorted((PROJECT / folder).rglob("*.py")))]
EVERYWHERE = {"-h", "--help", "--version", "--debug"}


PARSERS = all_parsers()
LEAVES = {name: parser for name, parser in PARSERS.items() if not any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)}


def options_of(parser):
    return [(action, option) for action in parser._actions for option in action.option_strings if option not in EVERYWHERE]


def without_code(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def commands_in(path):
    """The lines of newsmark's commands in the code blocks of a document."""
    blocks = re.findall(r"```(?:bash|console)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in lines:
        words = shlex.split(line, comments=True)
        for cut in ("|", ">"):
            while cut in words:
                left, right = words[: words.index(cut)], words[words.index(cut) + 1 :]
                words = next((part for part in (left, right) if part and part[0] in MANUALS), [])
        if words and words[0].removeprefix(".venv/bin/") in MANUALS:
            yield line, [words[0].removeprefix(".venv/bin/"), *words[1:]]


def test_the_parsers_are_found():
    assert {"annotate push", "train promote", "predict", "predict serve"} <= set(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
def test_every_command_and_every_option_has_help(name):
    parser = PARSERS[name]
    assert parser.format_help().startswith("usage:")
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert {one.dest for one in action._choices_actions if one.help} == set(action.choices)
        else:
            assert action.help, f"{name}: {action.option_strings or action.dest} has no help"


@pytest.mark.parametrize("name", PARSERS)
def test_every_command_and_every_option_is_in_its_manual(name):
    manual = MANUALS[name.split()[0]].read_text(encoding="utf-8")
    assert name in manual
    described = manual + CONFIGURATION.read_text(encoding="utf-8")
    missing = [option for _, option in options_of(PARSERS[name]) if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", described)]
    assert missing == []


@pytest.mark.parametrize(("path", "text"), pages().items(), ids=lambda value: value.parent.name if isinstance(value, Path) else "")
def test_the_help_pages_in_the_manuals_are_what_the_commands_print(path, text):
    assert path.read_text(encoding="utf-8").split() == text.split(), "run: make commands"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_to_files_and_headings_that_exist(path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            broken.append(target)
        elif heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            if heading not in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}:
                broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_commands_in_code_blocks_are_accepted_by_the_parsers(path):
    for line, (name, *arguments) in commands_in(path):
        known = [word for word in PARSERS if word.split()[0] == name and word.split()[1:] == arguments[: len(word.split()) - 1]]
        best = max(known, key=len)
        try:
            PARSERS[best].parse_args(arguments[len(best.split()) - 1 :])
        except SystemExit:
            pytest.fail(f"{path.name}: {line}")


def test_the_commands_of_the_readme_are_seen():
    assert len(list(commands_in(PROJECT / "README.md"))) >= 8


def test_the_readme_has_at_most_900_words():
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_every_environment_variable_that_the_code_or_the_makefile_names_is_described():
    described = CONFIGURATION.read_text(encoding="utf-8")
    pattern = re.compile(r"(?<![\w])(?:NEWSMARK|LABEL_STUDIO|MLFLOW|RAY|DJANGO|POSTGRE|HF)_[A-Z][A-Z_]*\b")
    found = set(pattern.findall((PROJECT / "Makefile").read_text(encoding="utf-8")))
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and pattern.fullmatch(node.value):
                found.add(node.value)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"get", "getenv"}
                and "environ" in ast.unparse(node.func)
            ):
                found |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    assert {"NEWSMARK_CACHE", "NEWSMARK_TOKEN", "LABEL_STUDIO_URL", "MLFLOW_TRACKING_URI", "RANK"} <= found
    assert sorted(name for name in found if not re.search(rf"\b{name}\b", described)) == []


def constants_of(path):
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                names, values = (target.elts, getattr(node.value, "elts", [])) if isinstance(target, ast.Tuple) else ([target], [node.value])
                found |= {name.id: value.value for name, value in zip(names, values, strict=False) if isinstance(value, ast.Constant)}
    return found


def test_the_constants_have_the_values_that_are_described():
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| (\S+\.py) \|", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) >= 15
    assert [row for row in rows if constants_of(PROJECT / row[2]).get(row[0]) != float(row[1])] == []


def test_the_citation_and_the_changelog_speak_of_this_version():
    import yaml

    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == newsmark.__version__
    assert f"## {newsmark.__version__} " in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_codebook_defines_every_label_and_topic():
    codebook = (PROJECT / "annotation" / "CODEBOOK.md").read_text(encoding="utf-8")
    scheme = newsmark.load_labels()
    assert [name for name in (*scheme.label_names, *scheme.topic_names) if f"`{name}`" not in codebook] == []
