"""What the tests share: the project's folder, its commands, and a fresh MLflow store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from forking import Forks
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # one test process per core: threads of two would wait for each other, and take many times as long
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy or PyTorch is loaded; commands inherit it

settings.register_profile("newsmark", derandomize=True, deadline=None)  # the same examples each time, however busy the machine is
settings.register_profile("fuzz", max_examples=20_000, print_blob=True)  # make fuzz: others each time
settings.load_profile("newsmark")

_LONGEST_FIRST = (
    "test_push_pull",
    "test_train_command",
    "test_label_studio_faults",
    "test_transformer_run",
    "test_team_services",
    "test_serve_load",
    "test_serve_refusals",
    "test_transformer",
)
"""Files of tests that take longest, in this order: two processes finish at about the same time if no long file comes last."""

PROJECT = Path(__file__).resolve().parent.parent
WORDS = "ministern lovar bygga skolor antalet steg till procent solen sken över staden igår och en lång dag le la de dela ."


def pytest_collection_modifyitems(items):
    """Mark what starts servers and what trains; run the longest files first, integration tests before the others."""
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.server)
        if {"encoder", "baseline_run"} & set(item.fixturenames):
            item.add_marker(pytest.mark.training)
    order = {name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: (order.get(item.path.stem, len(order)), "integration" not in item.path.parts, item.path.stem))


@pytest.fixture(autouse=True)
def _in_the_project_folder(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Environment whose MLflow store is a fresh SQLite file; shared, because a new one takes seconds to make."""
    folder = tmp_path_factory.mktemp("store")
    return {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "1", "NEWSMARK_STAGES_GB": "0"}


@pytest.fixture(scope="session")
def command():
    """Run ``python -m MODULE …`` in the project's folder and return the finished process, its output as text.

    It runs in a forked process, which begins with the libraries loaded (see ``forking``). The first time that a command (``training compare``, say) is run,
    it has a new process all the same, and so it has wherever the environment may change how Python starts or how a library is loaded.
    """
    forks, known = Forks(PROJECT), set()

    def run(module, *arguments, env=None, stdin=None):
        texts = [*map(str, arguments)]
        name = module, *(one for one in texts[:1] if one.isalpha())
        environment = dict(os.environ if env is None else env)
        if name in known and forks.can_take(environment):
            return forks.run(module, texts, environment, stdin, timeout=600)
        known.add(name)
        text = [sys.executable, "-m", module, *texts]
        return subprocess.run(text, cwd=PROJECT, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=600)

    yield run
    forks.stop()


@pytest.fixture(scope="session")
def baseline_run(store, command):
    """The finished process of one baseline training run on the seeds alone, without the cold-start corpus, in ``store``."""
    done = command("training", "--config", "configs/baseline.yaml", "--bootstrap", "", env=store)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """Folder of an untrained two-layer BERT with a vocabulary of some whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    vocabulary = {word: number for number, word in enumerate([*special.values(), *WORDS.split()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **special).save_pretrained(folder)
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64}
    BertModel(BertConfig(vocab_size=len(vocabulary), pad_token_id=0, **sizes)).save_pretrained(folder)
    return str(folder)
