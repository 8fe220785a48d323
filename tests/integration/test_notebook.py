"""The notebooks: each runs as it stands, the committed file keeps what it showed, and what its text says of its outputs holds."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PROJECT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = {path.stem: path for path in sorted((PROJECT / "notebooks").glob("*.ipynb"))}
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:home|tmp|root|work|workspace|Users|private|var|opt|mnt|usr)\b|\b[A-Z]:\\")
WEB_ADDRESS = re.compile(r"https?://\S+")


@pytest.fixture(params=NOTEBOOKS)
def name(request):
    return request.param


@pytest.fixture
def committed(name):
    return nbformat.read(NOTEBOOKS[name], as_version=4)


def _code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _texts(output):
    """Every text of an output; pictures are left out."""
    if output.output_type == "stream":
        return [output.text]
    return [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]


def _printed(notebook):
    return "\n".join(text for cell in _code_cells(notebook) for output in cell.outputs for text in _texts(output))


def _numbers(pattern, notebook):
    """The number that each match of a pattern holds, in the outputs of a notebook."""
    return [float(number) for number in re.findall(pattern, _printed(notebook), re.MULTILINE)]


def _kinds(cell):
    """What a cell shows: printed text, a table, a picture. Another machine may have warnings, which do not count."""
    return {kind for output in cell.outputs if output.get("name") != "stderr" for kind in output.get("data", ["printed"])}


def _names_a_machine_path(text):
    return bool(MACHINE_PATH.search(WEB_ADDRESS.sub("", text)))


@pytest.fixture
def execute(monkeypatch, tmp_path):
    """Run a notebook in a kernel of its own whose temporary folder is the test's."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def run(notebook, folder):
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
        return notebook

    return run


def _walkthrough(notebook):
    printed = _printed(notebook)
    assert re.search(r"^commitment: 8 misses", printed, re.MULTILINE)  # "three of eleven commitments are found"
    assert re.search(r"^commitment +\S+ +0.27 .* 11 +", printed, re.MULTILINE)
    assert re.search(r"^statistic: 5 misses", printed, re.MULTILINE)  # "and no statistic"
    (estimate,) = re.findall(r"(\S.*\S) +\(highest: .*\n +Selon la régie des transports", printed)
    assert estimate.endswith("statistic, quote")  # "the attributed estimate gets both labels that fit"
    (pledge,) = re.findall(r"(\S.*\S) +\(highest: .*\n +« Nous nous engageons", printed)
    assert "commitment" not in pledge  # "does not find the commitment"


def _own_labels(notebook):
    printed = _printed(notebook)
    assert re.search(r"^advice +\S+ +0\.62 .* 21 +", printed, re.MULTILINE)  # "13 of the 21 passages with advice are found"
    assert re.search(r"^finding +\S+ +0\.72 .* 18 +", printed, re.MULTILINE)  # "13 of the 18 with a finding"
    assert re.search(r"12 articles: 1\.8 \(.* from nothing 3\.2\.", printed)
    assert re.search(r"^advice +missed +fr +Brossez les dents", printed, re.MULTILINE)
    assert re.search(r"^finding +false alarm en +The University of Harrowby has published a study", printed, re.MULTILINE)
    lows, highs = zip(*(map(float, pair) for pair in re.findall(r"^(?:en|fr|sv) +\S+ +(\S+)–(\S+) ", printed, re.MULTILINE)), strict=True)
    assert len(lows) == 3
    assert max(lows) < min(highs)  # "those of the three languages overlap"
    assert re.search(r"^finding .* A study of 800 patients", printed, re.MULTILINE)
    assert re.search(r"^– .* Wear long trousers", printed, re.MULTILINE)
    assert re.search(r"^advice .* Do not wait", printed, re.MULTILINE)
    served = re.findall(r"^\d+ \d+ (\[.*\])$", printed, re.MULTILINE)
    assert served == ["[]", "[]", "['finding']", "[]", "[]", "['advice']"]  # "the same labels as the model above"
    assert len(_code_cells(notebook)[-1].source.splitlines()) <= 30


def _comparing(notebook):
    printed = _printed(notebook)
    (found,) = _numbers(r"^nearest French passage is in the article .*: (\d+) of 20", notebook)
    assert found >= 18  # "nearly every Swedish passage"
    (alike,) = _numbers(r"^nearest passage in the same language: (\d+)%", notebook)
    assert alike > 70  # "most passages"
    differences = re.findall(r"^macro F1 +\S+ +(\S+) to (\S+)", printed, re.MULTILINE)
    assert len(differences) == 2
    assert all(float(low) <= 0 <= float(high) for low, high in differences)  # "each interval includes 0"
    assert max(map(float, re.findall(r" (0\.\d+)", re.search(r"^commitment +average precision: (.*)", printed, re.MULTILINE).group()))) < 0.4


def _passages_of_comparing(notebook):
    (agreed,) = re.findall(r"Thailand hoppas att .*\n +(truth: .*)", _printed(notebook))
    assert agreed == "truth: quote | baseline: commitment | static: commitment | transformer: commitment"  # "all three take it for a commitment"


_SAYS = {"walkthrough": _walkthrough, "own_labels": _own_labels, "comparing": _comparing}
"""Checks what the text of each notebook says of its outputs."""

_SAYS_OF_PASSAGES = {"comparing": _passages_of_comparing}
"""Checks what a text says of single passages that a transformer labels; another processor rounds otherwise, so of the kept outputs only."""

_SCORES = {
    "walkthrough": {r"^macro F1 +(\S+)": 0.02},
    "own_labels": {r"^macro F1 +(\S+)": 0.02},
    "comparing": {r"^(?:baseline|static) +macro F1 (\S+)": 0.03, r"^transformer +macro F1 (\S+)": 0.1},
}
"""Numbers in the outputs, and how far those of another machine may be from those that are kept."""

_PICTURES = {"walkthrough": 2, "own_labels": 1, "comparing": 3}


def test_every_notebook_is_held_to_what_it_says():
    assert set(_SAYS) == set(_SCORES) == set(_PICTURES) == set(NOTEBOOKS)


def test_every_cell_runs_and_the_store_is_a_temporary_one(name, committed, execute, tmp_path):
    before = [_kinds(cell) for cell in _code_cells(committed)]
    shown = nbformat.read(NOTEBOOKS[name], as_version=4)
    for cell in _code_cells(committed):
        cell.outputs, cell.execution_count = [], None
    executed = execute(committed, PROJECT)  # nbclient raises where a cell fails
    assert [cell.execution_count for cell in _code_cells(executed)] == list(range(1, len(_code_cells(executed)) + 1))
    assert [_kinds(cell) for cell in _code_cells(executed)] == before
    assert len(list(tmp_path.glob("*/mlflow.db"))) == 1
    _SAYS[name](executed)
    for pattern, tolerance in _SCORES[name].items():  # else its outputs are not of this code
        assert _numbers(pattern, executed)
        assert _numbers(pattern, executed) == pytest.approx(_numbers(pattern, shown), abs=tolerance)


def test_what_the_text_says_of_the_outputs_holds(name, committed):
    _SAYS[name](committed)
    _SAYS_OF_PASSAGES.get(name, lambda _: None)(committed)


def test_it_finds_the_project_from_its_own_folder(name, committed, execute):
    first = _code_cells(committed)[0]
    where = nbformat.v4.new_code_cell(f"print((Path.cwd() / 'notebooks' / '{name}.ipynb').is_file())")
    executed = execute(nbformat.v4.new_notebook(cells=[first, where]), NOTEBOOKS[name].parent)
    assert executed.cells[1].outputs[0].text == "True\n"


def test_the_committed_file_keeps_its_outputs_and_pictures(name, committed):
    cells = _code_cells(committed)
    assert all(cell.execution_count for cell in cells)
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == _PICTURES[name]
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
    assert NOTEBOOKS[name].stat().st_size < 200_000


def test_links_of_the_text_lead_to_files(name, committed):
    text = "\n".join(cell.source for cell in committed.cells if cell.cell_type == "markdown")
    files = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert [target for target in files if not (NOTEBOOKS[name].parent / target).exists()] == []


def test_no_output_names_a_path_of_a_machine(committed):
    texts = [text for cell in _code_cells(committed) for output in cell.outputs for text in _texts(output)]
    assert texts
    assert [text for text in texts if _names_a_machine_path(text)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see '/tmp/x'", True),
        ("sqlite:////home/me/mlflow.db", True),
        ("in /root", True),
        ("C:\\Users", True),
        ("https://example.org/home/a", False),
        ("2/3", False),
    ],
)
def test_machine_paths_are_distinguished_from_web_addresses(text, expected):
    assert _names_a_machine_path(text) == expected
