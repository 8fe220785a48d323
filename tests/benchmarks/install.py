"""What predicting takes: the wheel with its base dependencies in a new virtual environment, its size and its times.

``make size`` runs this. It needs the package index, and prints Markdown.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distributions
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent.parent
UNWANTED = ("torch", "mlflow", "transformers", "scikit-learn", "pandas")
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dist", type=Path, help="folder with the wheel, as make dist writes it")
    wheel = next(parser.parse_args().dist.glob("*.whl"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "venv"], cwd=folder, check=True)
        python = folder / "venv" / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
        began = time.perf_counter()
        subprocess.run([*pip, str(wheel), "-c", str(ROOT / "constraints.txt")], check=True)
        installed = time.perf_counter() - began
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        packages = {
            one.metadata["Name"].lower(): sum(size(Path(str(one.locate_file(file)))) for file in one.files or ()) for one in distributions(path=[str(site)])
        }
        total = sum(size(file) for file in site.rglob("*"))
        largest = sorted(packages.items(), key=lambda one: -one[1])[:5]
        article = next((ROOT / "seeds").glob("*.txt"))
        models = {kind: next((ROOT / "tests" / "data" / "models").glob(f"{kind}-*/")) for kind in ("baseline", "transformer")}
        program = str(folder / "venv" / "bin" / "predict")
        rows = [
            ["packages", len(packages)],
            ["of " + ", ".join(UNWANTED), ", ".join(name for name in UNWANTED if name in packages) or "none"],
            ["megabytes in site-packages", f"{total / 1e6:.0f}"],
            ["the largest", ", ".join(f"{name} {count / 1e6:.0f}" for name, count in largest)],
            ["seconds to install", f"{installed:.0f}"],
            ["seconds: import newsmark", seconds([str(python), "-c", "import newsmark"], folder)],
            *([f"seconds: predict one article, {kind}", seconds([program, str(article), "--model", str(model)], folder)] for kind, model in models.items()),
        ]
    print(tabulate(rows, headers=[f"{wheel.name}, base dependencies", ""], tablefmt="github", disable_numparse=True))


def size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def seconds(command: list[str], folder: Path) -> str:
    """Median wall time, after one run that fills the caches of files and of byte code."""
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return f"{statistics.median(times[1:]):.2f}"


if __name__ == "__main__":
    main()
