"""The transformer, on a tiny encoder made here; and the default encoder without network."""

import copy
import math
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.labels import Topic
from newsmark.models.borders import VectorBorders
from newsmark.models.calibration import Calibration, log_odds
from newsmark.models.classifier import Embeds, EmbedsTokens
from newsmark.models.context import in_reading_order
from newsmark.models.model import TrainedModel
from newsmark.models.saved import load_model, save_model
from newsmark.models.serving.batching import Batcher
from newsmark.models.spans import SpanFinder
from newsmark.models.topics import TopicModel, article_vector
from newsmark.models.transformer.finish import choose_graph
from newsmark.models.transformer.network import divide, freeze
from newsmark.models.transformer.reader import FLOAT, INT8, LONGEST, GraphSettings, SavedTransformer
from newsmark.models.transformer.settings import TransformerSettings
from newsmark.models.transformer.trainer import Transformer
from newsmark.training.calibration import fit_calibrations
from newsmark.training.dataset import LabelledPassages
from newsmark.training.topics import _definition_lines
from onnxruntime import InferenceSession
from safetensors.numpy import load_file
from transformers import AutoTokenizer
from transformers.models.bert.modeling_bert import BertLayer

ROOT = Path(__file__).parent.parent
LABELS = ("commitment", "statistic")
TEXTS = ["ministern lovar bygga skolor", "antalet steg till procent", "solen sken över staden igår och en lång dag", "lovar ministern"] * 6
WORDS = sorted({word for text in TEXTS for word in text.split()})
TARGETS = np.array([[1, 0], [0, 1], [0, 0], [1, 0]] * 6, dtype=np.float32)
UNSEEN = ["ministern lovar procent", "", "solen", "okända ord här", "antalet skolor steg igår och en lång dag över staden"]
RULES = (Calibration(), Calibration(0.4, 1.5, -0.25, (0.5, -0.5), (1.0, 0.0)))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A model this small is many times slower with several threads than with one when the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fit(encoder, *, seed=13, report=lambda *_: None, targets=TARGETS, start=None, **settings):
    small = {"encoder": encoder, "epochs": 2, "batch_size": 8, "learning_rate": 2e-3, "further_learning_rate": 2e-3, "max_tokens": 32}
    return Transformer.fit(TEXTS, targets, TransformerSettings(**small | settings), seed, report, start)


def weights(classifier):
    return {name: tensor.clone() for name, tensor in classifier.model.state_dict().items()}


@pytest.fixture(scope="module")
def trained(encoder):
    return fit(encoder)


def test_loss_is_reported_after_each_epoch_and_falls(encoder):
    told = []
    fit(encoder, report=lambda *metric: told.append(metric), epochs=6)
    assert [(name, step) for name, _, step in told] == [("loss", step) for step in range(1, 7)]
    assert told[-1][1] < told[0][1]


def test_toy_labels_are_learned(encoder):
    assert np.array_equal(fit(encoder, epochs=24).scores(TEXTS) > 0.5, TARGETS > 0.5)


def test_scores_are_a_probability_for_each_passage_and_label(trained):
    scores = trained.scores(UNSEEN)
    assert scores.shape == (5, 2)
    assert ((scores > 0) & (scores < 1)).all()
    assert trained.scores([]).shape == (0, 2)


def test_score_of_a_passage_does_not_depend_on_the_others(trained):
    contexts = [*TEXTS, *UNSEEN, *TEXTS[:16]]
    together = trained.scores(contexts)
    assert np.allclose(trained.scores(contexts[::-1])[::-1], together, atol=1e-5)
    assert np.allclose(np.concatenate([trained.scores([one]) for one in contexts]), together, atol=1e-5)


def score_one(classifier, text):
    return classifier.scores([text])


def test_same_seed_gives_the_same_scores_and_another_seed_others(encoder, trained):
    assert np.array_equal(fit(encoder).scores(UNSEEN), trained.scores(UNSEEN))
    assert not np.array_equal(fit(encoder, seed=14).scores(UNSEEN), trained.scores(UNSEEN))


@pytest.mark.parametrize("columns", [[0], [0, 1], [0, 1, 0, 1, 0]])
def test_there_is_one_output_a_label(encoder, columns):
    assert fit(encoder, epochs=1, targets=TARGETS[:, columns]).scores(UNSEEN).shape == (5, len(columns))


@pytest.mark.parametrize("value", [0, 1])
def test_label_that_all_or_no_passages_have_can_be_trained_on(encoder, value):
    targets = TARGETS.copy()
    targets[:, 1] = value
    assert np.isfinite(fit(encoder, targets=targets).scores(UNSEEN)).all()


@pytest.mark.parametrize("frozen", [True, False])
def test_word_embeddings_stay_as_they_are_when_frozen(encoder, frozen):
    before = torch.from_numpy(load_file(Path(encoder) / "model.safetensors")["embeddings.word_embeddings.weight"])
    after = fit(encoder, freeze_embeddings=frozen).model.encoder.get_input_embeddings().weight.detach().cpu()
    assert torch.equal(before, after) is frozen


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_lowest_layers_stay_as_they_are_when_frozen(encoder, frozen):
    before = load_file(Path(encoder) / "model.safetensors")
    after = {name: tensor.numpy() for name, tensor in weights(fit(encoder, frozen_layers=frozen)).items()}
    for part, stays in (("encoder.layer.0.", frozen > 0), ("encoder.layer.1.", frozen > 1), ("embeddings.position", frozen > 0), ("embeddings.word", True)):
        names = [name for name in before if name.startswith(part)]
        assert names
        same = [np.array_equal(before[name], after[f"encoder.{name}"]) for name in names]
        assert all(same) is stays, part


def test_of_an_encoder_with_fewer_layers_than_are_to_be_frozen_two_thirds_are(encoder):
    layers = fit(encoder, frozen_layers=3).model.encoder.encoder.layer
    assert [any(one.requires_grad for one in layer.parameters()) for layer in layers] == [False, True]


def test_layers_that_can_not_be_told_apart_are_one_clear_error():
    with pytest.raises(NewsmarkError, match="frozen_layers 3: the layers of this encoder can't be told apart; choose 0"):
        freeze(torch.nn.Embedding(2, 2), TransformerSettings(freeze_embeddings=False, frozen_layers=3))


@pytest.mark.parametrize("lowest", [1, 2])
def test_the_two_parts_of_an_encoder_say_together_what_the_whole_says(trained, lowest):
    rows = trained._rows(TEXTS)
    whole, lengths = trained._in_batches(rows, 32, trained.model.pool), [len(row["input_ids"]) for row in rows]
    lower, upper = divide(trained.model.encoder, lowest)
    trained._keep_vectors(rows, lower)
    assert [row["inputs_embeds"].shape for row in rows] == [(length, 32) for length in lengths]
    twin = Transformer(copy.copy(trained.model), trained.tokenizer, trained.settings)
    twin.model._modules = {**trained.model._modules, "encoder": upper}
    assert np.allclose(twin._in_batches(rows, 32, twin.model.pool), whole, atol=0.02)
    assert np.array_equal(trained._in_batches(trained._rows(TEXTS), 32, trained.model.pool), whole)


def test_frozen_layers_read_each_passage_once(encoder, monkeypatch):
    """However many epochs train the layers above them."""
    read = []
    forward = BertLayer.forward
    monkeypatch.setattr(BertLayer, "forward", lambda self, hidden, *rest, **more: read.append((id(self), len(hidden))) or forward(self, hidden, *rest, **more))
    layers = fit(encoder, frozen_layers=1, epochs=3).model.encoder.encoder.layer
    passages = {key: sum(size for layer, size in read if layer == key) for key in map(id, layers)}
    assert list(passages.values()) == [len(TEXTS), 4 * len(TEXTS)]


def test_an_encoder_whose_parts_cannot_be_told_apart_is_not_divided(trained):
    assert divide(torch.nn.Linear(2, 2), 1) is None
    assert divide(trained.model.encoder, 0) is None


def test_training_begins_with_a_logistic_regression_on_standardised_vectors(encoder):
    """With so small a rate that nothing is learned, the model is its beginning."""
    model = fit(encoder, learning_rate=1e-12).model
    plain = Transformer(model, fit(encoder).tokenizer, TransformerSettings(max_tokens=32))
    vectors = plain._in_batches(plain._rows(TEXTS), 32, model.pool)
    assert np.allclose(vectors.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(vectors.std(axis=0), 1, atol=1e-3)
    logits = vectors @ model.head.weight.detach().numpy().T + model.head.bias.detach().numpy()
    truth = TARGETS > 0
    assert all(logits[truth[:, column], column].min() > logits[~truth[:, column], column].max() for column in range(2))


def test_going_on_changes_the_scores_and_leaves_the_start_as_it_is(encoder, trained):
    told, before, scores = [], weights(trained), trained.scores(UNSEEN)
    further = fit(encoder, targets=1 - TARGETS, start=trained, further_epochs=3, report=lambda *metric: told.append(metric))
    assert [step for _, _, step in told] == [1, 2, 3]
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(trained).items())
    assert np.array_equal(trained.scores(UNSEEN), scores)
    assert not np.allclose(further.scores(UNSEEN), scores, atol=0.01)
    assert np.array_equal(fit(encoder, targets=1 - TARGETS, start=trained, further_epochs=3).scores(UNSEEN), further.scores(UNSEEN))


def test_labels_that_nobody_judged_teach_nothing(encoder):
    targets = TARGETS.copy()
    targets[:, 1] = np.nan
    model = fit(encoder, targets=targets).model
    assert not model.head.weight[1].any()
    assert model.head.bias[1] == 0


def test_unjudged_targets_add_nothing_to_the_loss_and_the_others_weigh_as_ever(trained):
    tokens = torch.tensor([[1, 4, 5, 2], [1, 6, 7, 2]])
    whole, some = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, math.nan], [math.nan, 1.0]])
    with torch.inference_mode():
        logits = trained.model(tokens)["logits"]
        found = [trained.model(tokens, labels=labels)["loss"] for labels in (whole, some)]
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, whole, reduction="none")
    assert found[0] == losses.mean()
    assert found[1] == pytest.approx(float(losses.diagonal().sum() / 4))


def test_passages_add_to_the_loss_by_their_weight(trained):
    tokens, targets, weights = torch.tensor([[1, 4, 5, 2], [1, 6, 7, 2]]), torch.tensor([[1.0, 0.0], [0.0, math.nan]]), torch.tensor([3.0, 1.0])
    with torch.inference_mode():
        logits = trained.model(tokens)["logits"]
        found = trained.model(tokens, labels=targets, weights=weights)["loss"]
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none")
    assert float(found) == pytest.approx(float((3 * losses[0].sum() + losses[1, 0]) / 4))


def test_passages_count_by_their_weight_where_the_head_begins(encoder):
    settings = TransformerSettings(encoder=encoder, epochs=1, batch_size=8, learning_rate=1e-12, max_tokens=32)
    heavy = np.where(TARGETS[:, 0] > 0, 9, 1).astype(np.float32)
    plain, weighted = (Transformer.fit(TEXTS, TARGETS, settings, 13, lambda *_: None, weights=given).scores(UNSEEN) for given in (None, heavy))
    assert (weighted[:, 0] > plain[:, 0]).all()


def test_a_label_that_the_start_did_not_judge_begins_as_a_logistic_regression_of_its_own(encoder):
    first = TARGETS.copy()
    first[:, 1] = np.nan
    start = fit(encoder, targets=first)
    further = fit(encoder, start=start, further_learning_rate=1e-12)
    scores = further.scores(TEXTS)[:, 1]
    assert scores[TARGETS[:, 1] > 0].min() > scores[TARGETS[:, 1] == 0].max()
    assert torch.equal(further.model.center, start.model.center)
    assert further.scores(TEXTS)[:, 0] == pytest.approx(start.scores(TEXTS)[:, 0], abs=1e-5)


def test_going_on_begins_where_the_start_ended(encoder):
    """With so small a rate that nothing is learned, going on gives the start's scores; a new head would not."""
    start = fit(encoder, epochs=6)
    further = fit(encoder, start=start, further_learning_rate=1e-9)
    assert np.allclose(further.scores(UNSEEN), start.scores(UNSEEN), atol=1e-4)


def test_processes_that_cannot_share_a_batch_say_so(encoder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NewsmarkError, match=r"^batch_size 7: 2 processes can't share it evenly; choose a multiple of 2$"):
        fit(encoder, batch_size=7)


def test_tokens_beyond_the_longest_are_cut_off(encoder):
    classifier = fit(encoder, max_tokens=8)
    start = "ministern lovar bygga skolor och en"
    assert np.allclose(score_one(classifier, start), score_one(classifier, start + " antalet" * 500), atol=1e-6)
    assert not np.allclose(score_one(classifier, start), score_one(classifier, "antalet " + start), atol=1e-6)


@pytest.mark.parametrize("token", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
def test_special_token_written_in_a_text_is_scored_as_text(trained, token):
    written, broken = f"ministern {token} lovar", f"ministern [ {token[1:]} lovar"
    assert np.array_equal(score_one(trained, written), score_one(trained, broken))
    assert np.isfinite(score_one(trained, written)).all()


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    """The folder of a saved model."""
    folder = tmp_path_factory.mktemp("saved")
    save_model(TrainedModel("transformer", LABELS, frozenset(), RULES, trained), folder)
    return folder


def test_saved_graphs_give_close_scores(saved, trained):
    small, large = load_model(saved), SavedTransformer(saved, GraphSettings(32, FLOAT))
    texts = [*UNSEEN, *TEXTS[:4], "ministern [SEP] lovar", "antalet " * 30]
    assert np.allclose(large.scores(texts), trained.scores(texts), atol=2e-3)
    assert np.allclose(small.classifier.scores(texts), trained.scores(texts), atol=0.1)
    assert not np.allclose(small.scores(in_reading_order(texts)), small.classifier.scores(texts), atol=2e-3)
    assert small.calibrations == RULES


@pytest.mark.parametrize("graph", [INT8, FLOAT])
def test_score_of_a_saved_model_does_not_depend_on_the_others_at_all(saved, graph):
    classifier = SavedTransformer(saved, GraphSettings(32, graph))
    draw = random.Random(13)
    texts = [*UNSEEN, *(" ".join(draw.choices(WORDS, k=length)) for length in range(1, 40) for _ in range(9))]
    together = classifier.scores(texts)
    assert np.array_equal(classifier.scores(texts[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([classifier.scores([text]) for text in texts]), together)
    assert classifier.scores([]).shape == (0, 2)


def test_saved_graphs_also_give_the_vectors_that_probabilities_are_made_from(saved, trained):
    texts = [*UNSEEN, *TEXTS[:4]]
    pooled = trained._in_batches(trained._rows(texts), 32, trained.model.pool)
    assert np.allclose(SavedTransformer(saved, GraphSettings(32, FLOAT)).vectors(texts), pooled, atol=2e-2)
    small = SavedTransformer(saved, GraphSettings(32, INT8))
    assert np.corrcoef(small.vectors(texts).ravel(), pooled.ravel())[0, 1] > 0.95
    assert np.array_equal(np.concatenate([small.vectors([text]) for text in texts]), small.vectors(texts))
    assert isinstance(small, Embeds)
    assert small.vectors([]).shape == (0, 32)


@pytest.mark.parametrize("graph", [INT8, FLOAT])
def test_a_saved_model_gives_each_token_its_place_and_the_vector_that_half_of_the_layers_make(saved, trained, graph):
    texts = ["solen sken  över staden", "«lovar» [SEP] procent", "", *TEXTS[:30]]
    classifier = SavedTransformer(saved, GraphSettings(32, graph))
    found, wanted = classifier.token_vectors(texts), trained.token_vectors(texts)
    assert isinstance(classifier, EmbedsTokens)
    assert isinstance(trained, EmbedsTokens)
    assert [texts[0][start:end] for start, end in found[0].places] == ["solen", "sken", "över", "staden"]
    assert [texts[1][start:end] for start, end in found[1].places] == ["«", "lovar", "»", "[", "EP", "]", "procent"]  # no special token
    assert [one.vectors.shape for one in found[:3]] == [(4, 32), (7, 32), (0, 32)]
    for one, other, text in zip(found, wanted, texts, strict=True):
        assert np.array_equal(one.places, other.places)
        assert np.allclose(one.vectors, other.vectors, atol=2e-2 if graph == FLOAT else 0.5)
        assert np.array_equal(one.vectors, classifier.token_vectors([text])[0].vectors)  # whatever stands beside it
    assert classifier.token_vectors([]) == trained.token_vectors([]) == []


def test_a_served_model_finds_the_same_borders_and_topics_as_the_model_itself(saved):
    model, draw = load_model(saved), np.random.default_rng(13)
    borders = VectorBorders(tuple(map(tuple, draw.normal(size=(3, 33)).tolist())))
    topics = TopicModel(("a", "b"), (True, True), (True, True), draw.normal(size=(2, 32)), np.zeros(2))
    model = replace(model, spans=SpanFinder(borders={LABELS[0]: borders}), topics=topics)
    served = Batcher(model, 1000).model
    contexts, scores = in_reading_order(TEXTS), [{LABELS[0]: 0.9}] * len(TEXTS)
    spans = list(model.spans.find_all(contexts, scores, model.classifier))
    assert any((one.start, one.end) != (0, len(text)) for found, text in zip(spans, TEXTS, strict=True) for one in found)
    assert list(served.spans.find_all(contexts, scores, served.classifier)) == spans
    assert served.predict_topics(TEXTS, [[]] * len(TEXTS)) == model.predict_topics(TEXTS, [[]] * len(TEXTS))


def test_each_token_of_a_long_text_has_one_vector_from_the_window_that_it_is_further_inside_of(saved):
    classifier = SavedTransformer(saved, GraphSettings(8, FLOAT))  # six words and two special tokens; two words are shared
    words = ["solen", "sken", "över", "staden", "igår", "och", "en", "lång", "dag", "ministern", "lovar", "bygga", "skolor"]
    text = " ".join(words)
    [found] = classifier.token_vectors([text])
    assert [text[start:end] for start, end in found.places] == words
    first, second, third = classifier.token_vectors([" ".join(words[start:end]) for start, end in ((0, 6), (4, 10), (8, 13))])
    assert np.allclose(found.vectors, np.concatenate([first.vectors[:5], second.vectors[1:5], third.vectors[1:]]), atol=1e-6)


def test_articles_are_compared_with_the_definitions_of_topics_in_a_saved_models_vectors(saved):
    classifier = SavedTransformer(saved, GraphSettings(32, INT8))
    topics = [Topic("school", "skolor bygga lovar", "#000000", "a"), Topic("number", "antalet procent steg", "#000000", "b")]
    words = [["solen", "sken", "över", "staden", "igår", "och"][number % 6 :] + WORDS[number : number + 2] for number in range(12)]
    names, texts = np.array([f"d{number}" for number in range(12)]), [" ".join(some) for some in words]
    languages = np.full(12, "sv")
    corpus = LabelledPassages(LABELS, texts, np.zeros((12, 2), np.float32), names, names, languages, names, [(0, 1)] * 12, np.full(12, "article"))
    lines = _definition_lines(classifier, topics, corpus, [])
    scores = np.array([[article_vector(classifier, [topic.definition]) @ weights + intercept for weights, intercept in lines] for topic in topics])
    assert scores.argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("graph", [INT8, FLOAT])
def test_a_long_passage_is_read_in_windows_that_overlap(saved, graph):
    classifier = SavedTransformer(saved, GraphSettings(8, graph))  # six words and two special tokens; two words are shared
    words = ["solen", "sken", "över", "staden", "igår", "och", "en", "lång", "dag", "ministern", "lovar", "bygga", "skolor"]
    parts = [" ".join(words[start:end]) for start, end in ((0, 6), (4, 10), (8, 13))]
    whole, alone = classifier.scores([" ".join(words), "solen", *parts]), classifier.scores(parts)
    assert np.array_equal(whole[0], alone.max(axis=0))
    assert np.array_equal(whole[2:], alone)
    assert np.allclose(classifier.vectors([" ".join(words)])[0], classifier.vectors(parts).mean(axis=0), atol=1e-6)
    assert np.array_equal(SavedTransformer(saved, GraphSettings(8, graph)).scores([" ".join(words[:6])])[0], alone[0])


def test_a_statistic_at_the_end_of_3000_words_is_found(tmp_path, encoder):
    trained = fit(encoder, epochs=24, max_tokens=8)
    trained.save(tmp_path)
    classifier = SavedTransformer.load(tmp_path)
    words = ["solen", "sken", "över", "staden", "igår", "och", "en", "lång", "dag"]
    long = " ".join(words[number % len(words)] for number in range(3000))
    without, ending = classifier.scores([long, f"{long} antalet steg till procent"])
    assert without[1] < 0.5 < ending[1]
    assert classifier.truncates([long]) == [False]


def test_what_is_longer_than_the_longest_passage_is_known(saved):
    classifier = SavedTransformer(saved, GraphSettings(32, INT8))
    assert classifier.truncates(["", "solen " * 1000, "s" * LONGEST, "s" * (LONGEST + 1)]) == [False, False, False, True]
    assert classifier.truncates([]) == []
    read, cut = "s " * (LONGEST // 2), "s " * (LONGEST // 2) + "antalet steg till procent"
    assert np.array_equal(classifier.scores([read]), classifier.scores([cut]))


def test_a_saved_model_is_used_without_pytorch(saved):
    code = f"""
import sys
for name in ("torch", "transformers", "sklearn", "mlflow"): sys.modules[name] = None
from pathlib import Path
from newsmark.models.context import PassageInContext
from newsmark.models.saved import load_model
print(load_model(Path({str(saved)!r})).scores([PassageInContext("ministern lovar")]).shape)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "(1, 2)\n"), done.stderr


def test_saving_a_loaded_model_changes_nothing(tmp_path, saved):
    load_model(saved).classifier.save(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (saved / path.name).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.int8.onnx", "settings.json", "tokenizer.json"}


def test_embeddings_of_the_larger_graph_are_float16_and_weights_of_the_smaller_one_8_bits(saved):
    large, small = (onnx.load(saved / name).graph.initializer for name in (FLOAT, INT8))
    types = {tensor.name: tensor.data_type for tensor in large if tensor.name.endswith("embeddings.weight")}
    assert len(types) == 3
    assert set(types.values()) == {onnx.TensorProto.FLOAT16}
    assert sum(tensor.data_type == onnx.TensorProto.INT8 for tensor in small) >= 8
    assert (saved / INT8).stat().st_size < (saved / FLOAT).stat().st_size


def test_embeddings_that_were_made_in_4_bits_stay_in_4_bits_and_lose_nothing(tmp_path, trained):
    drawn = np.random.default_rng(3)
    words = trained.model.encoder.get_input_embeddings().weight
    steps = drawn.integers(-7, 8, words.shape)
    steps[:, 5] = -8
    scales = drawn.uniform(0.001, 0.02, (len(words), 1)).astype(np.float16).astype(np.float32)
    scales[0] = 0  # as the row of the padding is
    packed = copy.deepcopy(trained.model)
    halves = (steps * scales).astype(np.float16)  # as the packaged encoder is kept
    packed.encoder.get_input_embeddings().weight.data = torch.from_numpy(halves.astype(np.float32))
    classifier = Transformer(packed, trained.tokenizer, trained.settings)
    classifier.sample = trained.sample
    classifier.save(tmp_path)
    model = onnx.load(tmp_path / INT8)
    graph = model.graph
    assert [list(tensor.dims) for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.UINT4] == [[len(words), 32], [len(words), 1]]
    assert not any(tensor.data_type == onnx.TensorProto.INT8 and list(tensor.dims) == list(words.shape) for tensor in graph.initializer)
    (gathered,) = (node for node in graph.node if node.op_type == "GatherBlockQuantized")
    graph.output.append(onnx.helper.make_tensor_value_info(gathered.output[0], onnx.TensorProto.FLOAT16, None))
    count = min(len(words), 24)
    (found,) = InferenceSession(model.SerializeToString()).run([gathered.output[0]], {"input_ids": np.arange(count)[None]})
    assert np.array_equal(found[0].astype(np.float32), packed.encoder.get_input_embeddings().weight[:count].detach().numpy())
    texts = [*UNSEEN, *TEXTS[:4]]
    assert np.allclose(SavedTransformer(tmp_path, GraphSettings(32, INT8)).scores(texts), classifier.scores(texts), atol=0.1)


@pytest.mark.parametrize("name", ["model.int8.onnx", "tokenizer.json", "settings.json"])
def test_damaged_file_of_the_right_size_is_one_clear_error(tmp_path, saved, name):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(b" " * (tmp_path / name).stat().st_size)
    with pytest.raises(NewsmarkError, match="this file of the model was changed or damaged"):
        load_model(tmp_path)


def drawn_passages(trained):
    """Passages whose truth is what the trained model says, in two languages."""
    drawn = np.random.default_rng(5)
    texts = [" ".join(drawn.choice(WORDS, drawn.integers(2, 9))) for _ in range(400)]
    targets = (trained.scores(texts) > 0.5).astype(np.float32)
    names = np.array([f"d{number // 4}" for number in range(400)])
    languages = np.repeat(["sv", "fi"], 200)
    return LabelledPassages(LABELS, texts, targets, names, names, languages, names, [(0, len(text)) for text in texts], np.repeat(["article"], 400))


def test_eight_bits_serve_where_they_decide_as_32_do(tmp_path, encoder):
    trained = fit(encoder, epochs=24)
    data = drawn_passages(trained)
    trained.save(tmp_path)
    chosen = choose_graph(tmp_path, data, lambda odds: fit_calibrations(odds, data.targets), frozenset())
    assert [one.name for one in chosen.shifts] == ["commitment", "statistic", "fi", "sv"]
    assert chosen.classifier.settings.graph == (INT8 if all(one.holds for one in chosen.shifts) else FLOAT)
    assert SavedTransformer.load(tmp_path).settings == chosen.classifier.settings
    assert f"{'8' if chosen.classifier.settings.graph == INT8 else '32'} bits serve" in chosen.table


def test_one_channel_that_is_much_larger_does_not_blur_the_others_in_8_bits(tmp_path, encoder, monkeypatch):
    trained = fit(encoder, epochs=12)
    for layer in trained.model.encoder.encoder.layer:
        layer.intermediate.dense.weight.data[3] *= 300
        layer.output.dense.weight.data[:, 3] /= 300
    errors = []
    for name in ("even", "plain"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "plain":
            monkeypatch.setattr("newsmark.models.transformer.quantization._evener", lambda seen, _: np.ones_like(seen.least))
        trained.save(folder)
        found = SavedTransformer(folder, GraphSettings(32, INT8)).scores(TEXTS)
        errors.append(np.abs(log_odds(found) - log_odds(SavedTransformer(folder, GraphSettings(32, FLOAT)).scores(TEXTS))).mean())
    assert errors[0] < errors[1] / 2


def test_32_bits_serve_where_8_decide_otherwise(tmp_path, encoder):
    trained = fit(encoder, epochs=24)
    data = drawn_passages(trained)
    trained.save(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    fit(encoder, epochs=24, targets=1 - TARGETS).save(other)
    shutil.copy(other / INT8, tmp_path / INT8)
    chosen = choose_graph(tmp_path, data, lambda odds: fit_calibrations(odds, data.targets), frozenset())
    assert "32 bits serve" in chosen.table
    assert SavedTransformer.load(tmp_path).settings.graph == FLOAT
    assert np.allclose(SavedTransformer.load(tmp_path).scores(data.texts[:20]), trained.scores(data.texts[:20]), atol=2e-3)


@pytest.mark.parametrize("present", [(), ("config.json",), ("config.json", "tokenizer.json", "tokenizer_config.json"), ("config.json", "model.safetensors")])
def test_folder_without_all_files_of_an_encoder_is_one_clear_error(tmp_path, encoder, present):
    for name in present:
        (tmp_path / name).write_bytes((Path(encoder) / name).read_bytes())
    with pytest.raises(NewsmarkError, match=f"encoder '{tmp_path}' can't be loaded: .+"):
        fit(str(tmp_path))


def test_an_encoder_that_reads_only_shorter_texts_is_one_clear_error(encoder):
    with pytest.raises(NewsmarkError, match=rf"^max_tokens 65: encoder '{encoder}' reads at most 64 tokens at once; choose no more than these$"):
        fit(encoder, max_tokens=65)


def test_a_tokenizers_own_limit_is_none_of_the_encoder(tmp_path, encoder):
    folder = shutil.copytree(encoder, tmp_path / "encoder")
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=16)
    tokenizer.save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder).model_max_length == 16
    assert np.isfinite(fit(str(folder), max_tokens=64).scores(UNSEEN)).all()


def test_truncated_weights_of_an_encoder_are_one_clear_error(tmp_path, encoder):
    for path in Path(encoder).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(NewsmarkError, match=f"encoder '{tmp_path}' can't be loaded: .+"):
        fit(str(tmp_path))


def test_default_encoder_loads_without_network():
    """In a process of its own, because the hub's client reads its environment only once."""
    code = """
import socket
def refuse(*_): raise SystemExit("a connection was tried")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from newsmark.models.encoder.loading import load_encoder
model, tokenizer = load_encoder("multilingual-e5-small")
print(model.config.hidden_size, len(tokenizer))
"""
    environment = {key: value for key, value in os.environ.items() if key not in {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["384", "250002"]
