"""The walkthrough notebook: it runs as it stands, and the committed file keeps what it showed."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PROJECT = Path(__file__).resolve().parent.parent.parent
NOTEBOOK = PROJECT / "notebooks" / "walkthrough.ipynb"
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:home|tmp|root|work|workspace|Users|private|var|opt|mnt|usr)\b|\b[A-Z]:\\")
WEB_ADDRESS = re.compile(r"https?://\S+")


@pytest.fixture
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def _code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _texts(output):
    """Every text of an output; pictures are left out."""
    if output.output_type == "stream":
        return [output.text]
    return [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]


def _names_a_machine_path(text):
    return bool(MACHINE_PATH.search(WEB_ADDRESS.sub("", text)))


@pytest.fixture
def execute(monkeypatch, tmp_path):
    """Run a notebook in a kernel of its own whose temporary folder is the test's."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def run(notebook, folder):
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
        return notebook

    return run


def test_every_cell_runs_and_the_store_is_a_temporary_one(committed, execute, tmp_path):
    for cell in _code_cells(committed):
        cell.outputs, cell.execution_count = [], None
    executed = execute(committed, PROJECT)  # nbclient raises where a cell fails
    assert [cell.execution_count for cell in _code_cells(executed)] == list(range(1, len(_code_cells(executed)) + 1))
    assert not any(output.output_type == "error" for cell in executed.cells for output in cell.get("outputs", []))
    assert len(list(tmp_path.glob("*/mlflow.db"))) == 1
    assert _macro_f1(executed) == pytest.approx(_macro_f1(nbformat.read(NOTEBOOK, as_version=4)), abs=0.02)  # else its outputs are not of this code


def _macro_f1(notebook):
    texts = [text for cell in _code_cells(notebook) for output in cell.outputs for text in _texts(output)]
    (found,) = re.findall(r"^macro F1 +(\S+)", "\n".join(texts), re.MULTILINE)
    return float(found)


def test_it_finds_the_project_from_its_own_folder(committed, execute):
    first = _code_cells(committed)[0]
    where = nbformat.v4.new_code_cell("print((Path.cwd() / 'notebooks' / 'walkthrough.ipynb').is_file())")
    executed = execute(nbformat.v4.new_notebook(cells=[first, where]), NOTEBOOK.parent)
    assert executed.cells[1].outputs[0].text == "True\n"


def test_the_committed_file_keeps_its_outputs_and_pictures(committed):
    cells = _code_cells(committed)
    assert all(cell.execution_count for cell in cells)
    assert all(cell.outputs for cell in cells[1:])  # the first only sets up
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
    assert NOTEBOOK.stat().st_size < 200_000


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
