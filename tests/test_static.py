"""The static model, on the words of a tiny encoder: what it learns, and that it predicts the same after it was saved."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.calibration import Calibration
from newsmark.models.context import in_reading_order
from newsmark.models.encoder.vocabulary import prune
from newsmark.models.model import TrainedModel
from newsmark.models.saved import load_model, save_model
from newsmark.models.static.reader import BORDER, FORMS, SavedStatic, Words, bare, buckets_of
from newsmark.models.static.settings import StaticSettings
from newsmark.models.static.spelling import learn_spelling
from newsmark.models.static.trainer import Static
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, models, pre_tokenizers

LABELS = ("commitment", "statistic")
TEXTS = ["ministern lovar bygga skolor", "antalet steg till procent", "solen sken över staden igår och en lång dag", "lovar ministern"] * 6
TARGETS = np.array([[1, 0], [0, 1], [0, 0], [1, 0]] * 6, dtype=np.float32)
BUCKETS = 1000
UNSEEN = ["ministern lovar procent", "", "solen", "okända ord här", "antalet skolor steg igår och en lång dag över staden", " \n", "2030 , 7 ."]
RULES = (Calibration(), Calibration(0.4, 1.5, -0.25, (0.5, -0.5), (1.0, 0.0)))


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few buckets, and one thread: a model this small is slower with several when the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("newsmark.models.static.spelling._BUCKETS", BUCKETS)
        yield
    torch.set_num_threads(threads)


def fit(encoder, *, texts=TEXTS, targets=TARGETS, seed=13, report=lambda *_: None, start=None, weights=None, **settings):
    small = {"encoder": encoder, "filters": 8, "epochs": 3, "further_epochs": 3, "batch_size": 8, "learning_rate": 1e-2}
    return Static.fit(texts, targets, StaticSettings(**small | settings), seed, report, start, weights)


def cut(tokenizer, texts):
    return Words(tokenizer, np.zeros((1, 1), dtype=np.float16)).of(texts)


@pytest.fixture(scope="module")
def trained(encoder):
    return fit(encoder)


@pytest.fixture
def folder(trained, tmp_path):
    save_model(TrainedModel("static", LABELS, frozenset(), RULES, trained), tmp_path / "model")
    return tmp_path / "model"


def test_labels_of_the_training_passages_are_learned(encoder):
    assert np.array_equal(fit(encoder, epochs=40).scores(TEXTS) > 0.5, TARGETS > 0.5)


def test_loss_is_reported_after_each_epoch_and_falls(encoder):
    told = []
    fit(encoder, report=lambda *metric: told.append(metric), epochs=6)
    assert [(name, step) for name, _, step in told] == [("loss", step) for step in range(1, 7)]
    assert told[-1][1] < told[0][1]


def test_scores_are_a_probability_for_each_passage_and_label(trained):
    scores = trained.scores(UNSEEN)
    assert scores.shape == (len(UNSEEN), 2)
    assert ((scores > 0) & (scores < 1)).all()
    assert trained.scores([]).shape == (0, 2)
    assert np.array_equal(trained.scores([""]), trained.scores([" \n"]))


def test_saved_scores_are_those_of_the_network_but_for_the_rounding_to_8_bits(encoder, monkeypatch):
    monkeypatch.setattr("newsmark.models.static.trainer._SHARE_OF_SPELLING", 0.0)
    found = fit(encoder, epochs=20)
    pieces, ends, _, forms = cut(found.tokenizer, UNSEEN)
    for index, text in enumerate(UNSEEN):
        row = torch.from_numpy(pieces[ends[index] : ends[index + 1] + 1].astype(np.int64))
        padded = torch.cat([row, torch.full((max(3 - len(row), 0),), BORDER)])
        with torch.inference_mode():
            wanted = torch.sigmoid(found.network(padded[None], torch.tensor([len(row) - 2.0]), torch.from_numpy(forms[[index]]).float()))[0].numpy()
        assert np.abs(found.scores([text])[0] - wanted).max() < 0.05


def test_scores_of_a_passage_are_the_same_to_the_last_digit_whatever_stands_beside_it(trained, monkeypatch):
    texts = [*TEXTS, *UNSEEN, " ".join(TEXTS)]
    together = trained.scores(texts)
    monkeypatch.setattr("newsmark.models.static.reader._BLOCK", 7)
    assert np.array_equal(trained.scores(texts[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([trained.scores([one]) for one in texts]), together)


def test_the_order_of_words_counts(encoder):
    texts, targets = ["ministern lovar", "lovar ministern"] * 12, np.array([[1, 0], [0, 1]] * 12, dtype=np.float32)
    assert np.array_equal(fit(encoder, texts=texts, targets=targets, epochs=60).scores(texts) > 0.5, targets > 0.5)


def test_scores_stay_the_same_after_the_known_words_were_forgotten(trained, monkeypatch):
    before = trained.scores(UNSEEN)
    monkeypatch.setattr("newsmark.models.static.reader._MOST_KEPT", 0)
    assert np.array_equal(trained.scores(UNSEEN), before)
    assert np.array_equal(trained.scores(UNSEEN), before)


def test_same_seed_gives_the_same_scores_and_another_seed_others(encoder, trained):
    assert np.array_equal(fit(encoder).scores(UNSEEN), trained.scores(UNSEEN))
    assert not np.array_equal(fit(encoder, seed=14).scores(UNSEEN), trained.scores(UNSEEN))


def test_vectors_of_words_that_are_in_no_passage_stay_as_they_are(encoder):
    first = fit(encoder, texts=TEXTS[:8], targets=TARGETS[:8])
    second = fit(encoder, texts=TEXTS[:2] * 6, targets=TARGETS[:2].repeat(6, axis=0), start=first)
    before, after = first.network.vectors.weight, second.network.vectors.weight
    moved = (before != after).any(dim=1).nonzero().flatten().tolist()
    assert moved
    assert set(moved) <= set(cut(first.tokenizer, TEXTS[:2]).pieces.tolist())


def test_going_on_changes_the_further_one_and_not_the_start(encoder):
    start = fit(encoder, texts=TEXTS[:8], targets=TARGETS[:8])
    before = start.scores(UNSEEN)
    further = fit(encoder, texts=TEXTS[8:], targets=TARGETS[8:], start=start)
    assert np.array_equal(start.scores(UNSEEN), before)
    assert not np.array_equal(further.scores(UNSEEN), before)
    assert np.array_equal(fit(encoder, texts=TEXTS[8:], targets=TARGETS[8:], start=start).scores(UNSEEN), further.scores(UNSEEN))


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_that_all_or_no_passages_have_is_always_or_never_given(encoder, value):
    targets = TARGETS.copy()
    targets[:, 1] = value
    assert (fit(encoder, targets=targets).scores(UNSEEN)[:, 1] == value).all()


def test_a_label_that_nobody_judged_is_never_given_until_further_passages_teach_it(encoder):
    targets = TARGETS.copy()
    targets[:, 1] = np.nan
    start = fit(encoder, targets=targets)
    assert (start.scores(UNSEEN)[:, 1] == 0).all()
    further = fit(encoder, start=start, further_epochs=40)
    assert np.array_equal(further.scores(TEXTS) > 0.5, TARGETS > 0.5)
    assert (fit(encoder, targets=targets, start=further, further_epochs=1).scores(TEXTS)[:, 1] > 0).all()


def test_where_nothing_was_judged_nothing_is_learned(encoder):
    texts, targets = [*TEXTS, "solen sken"], np.concatenate([TARGETS, [[0, np.nan]]]).astype(np.float32)
    other = targets.copy()
    other[-1, 0] = np.nan
    nothing = fit(encoder, texts=texts, targets=other)
    weightless = fit(encoder, texts=texts, targets=targets, weights=np.array([1.0] * 24 + [1e-30], dtype=np.float32))
    assert np.allclose(nothing.scores(UNSEEN), weightless.scores(UNSEEN), rtol=0, atol=1e-6)


def test_a_passage_counts_by_its_weight(encoder):
    texts, targets = ["ministern lovar"] * 16, np.array([[1, 0], [0, 1]] * 8, dtype=np.float32)
    first = fit(encoder, texts=texts, targets=targets, weights=np.array([5, 1] * 8, dtype=np.float32), epochs=20).scores(texts[:1])
    second = fit(encoder, texts=texts, targets=targets, weights=np.array([1, 5] * 8, dtype=np.float32), epochs=20).scores(texts[:1])
    assert (first[0] > 0.5).tolist() == [True, False]
    assert (second[0] > 0.5).tolist() == [False, True]


def test_saved_model_gives_identical_scores(trained, folder, tmp_path):
    contexts = in_reading_order(UNSEEN)
    loaded = load_model(folder)
    before = TrainedModel("static", LABELS, frozenset(), RULES, trained).scores(contexts)
    assert np.array_equal(loaded.scores(contexts), before)
    save_model(loaded, tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert np.array_equal(again.scores(contexts), before)
    assert again.version == loaded.version
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}


def test_weights_that_do_not_fit_the_vocabulary_are_damage(folder):
    path, card = folder / "tokenizer.json", json.loads((folder / "newsmark.json").read_text(encoding="utf-8"))
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["vocab"] |= {"överflödigt": len(content["model"]["vocab"])}
    path.write_text(json.dumps(content), encoding="utf-8")
    card["files"]["tokenizer.json"] = path.stat().st_size
    del card["digests"]
    (folder / "newsmark.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(NewsmarkError, match=r"damaged .*weights that don't fit the vocabulary"):
        load_model(folder)


def test_loading_and_predicting_need_neither_torch_nor_scikit_learn_nor_scipy(folder):
    code = "import sys; from pathlib import Path; from newsmark.models.saved import load_model; load_model(Path(sys.argv[1])).classifier.scores(['Ett hus']); "
    code += "assert not {'sklearn', 'scipy', 'torch', 'transformers', 'onnxruntime', 'mlflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, folder], check=True)


def test_an_encoder_that_is_not_there_is_named():
    with pytest.raises(NewsmarkError, match="no such folder"):
        fit("./nowhere")


def test_a_word_gives_the_same_pieces_wherever_it_stands_and_borders_stand_between_passages(trained):
    pieces, ends, _, _ = cut(trained.tokenizer, ["solen sken", "", "sken"])
    assert ends.tolist() == [0, 3, 4, 6]
    assert (pieces[[0, 3, 4, 6, 7]] == BORDER).all()
    assert pieces[2] == pieces[5] != pieces[1]
    assert len(pieces) == 8


def unigram():
    vocabulary = [("<unk>", -20.0), ("</s>", -20.0), ("▁", -3.0), *((letter, -8.0) for letter in "abcd"), ("▁abc", -5.0), ("▁dab", -6.0), ("▁cab", -7.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens(["</s>"])
    return tokenizer


def test_the_commonest_pieces_stay_and_those_of_the_texts():
    tokenizer = bare(unigram())
    for commonest, wanted in ((0, {"▁cab"}), (2, {"▁cab", "▁abc"}), (10, {"▁cab", "▁abc", "▁dab"})):
        smaller, kept = prune(tokenizer, ["cab"], (), commonest)
        assert {piece for piece in smaller.get_vocab() if len(piece) > 3 and piece[0] == "▁"} == wanted
        assert [tokenizer.id_to_token(int(old)) for old in kept] == [smaller.id_to_token(new) for new in range(len(kept))]


def test_what_looks_like_a_special_token_is_text():
    tokenizer = unigram()
    assert "</s>" in tokenizer.encode("abc</s>").tokens
    found = bare(tokenizer).encode("abc</s>")
    assert found.tokens[0] == "▁abc"
    assert found.special_tokens_mask == [0] * len(found.ids)


def test_scores_of_a_model_made_by_hand_are_those_that_the_definition_gives():
    tokenizer = bare(unigram())
    answers = np.zeros((3, tokenizer.get_vocab_size() + 1, 1), dtype=np.int8)
    abc, dab = (tokenizer.token_to_id(piece) + 1 for piece in ("▁abc", "▁dab"))
    answers[0, abc], answers[1, dab], answers[2, BORDER] = 10, 5, 3
    spelling = np.zeros((BUCKETS, 2), dtype=np.float16)
    spelling[buckets_of("abc", BUCKETS), 1], spelling[buckets_of("dab", BUCKETS), 1] = 0.5, 0.25
    spelling[buckets_of("abc", BUCKETS)[-1], 0] = 2.0  # the word itself
    model = SavedStatic(tokenizer, answers, np.array([-4], dtype=np.int16), np.array([[1.0], [10.0], *[[0.0]] * FORMS]), spelling, np.zeros(1))
    windows = {"abc dab": [0, 10 + 5 + 3 - 4], "dab abc": [5 - 4, 0], "dab": [5 + 3 - 4], "": [0]}
    for text, found in windows.items():
        squares = sum(spelling[buckets_of(word, BUCKETS), 1].sum() for word in text.split())
        odds = max(found) + 10 * np.mean(found) + (2.0 / np.sqrt(squares) if "abc" in text else 0.0)
        assert model.scores([text])[0, 0] == pytest.approx(1 / (1 + np.exp(-odds)))


def test_a_number_counts_whatever_its_digits(trained):
    assert np.array_equal(trained.scores(["antalet 14"]), trained.scores(["antalet 99031"]))


def test_words_share_what_they_are_spelled_like(encoder):
    texts, targets = ["lovade", "steg"] * 12, np.array([[1, 0], [0, 1]] * 12, dtype=np.float32)
    found = fit(encoder, texts=texts, targets=targets, epochs=1)  # the tiny encoder knows neither lovade nor lovad
    lovad, steget = found.scores(["lovad", "steget"])
    assert lovad[0] > steget[0]
    assert lovad[1] < steget[1]
    assert np.array_equal(buckets_of("Lovade", BUCKETS), buckets_of("lovade", BUCKETS))


def test_what_words_add_is_together_the_logistic_regression_on_the_whole_passages():
    texts = ["lovar bygga", "bygger 20 hus", "steg till 14", "sken", "lovade", "byggde, sade"]
    targets = np.array([[1, 0], [1, np.nan], [0, 0], [0, 1], [1, 1], [0, np.nan]], dtype=np.float32)
    counts = np.array([1, 2, 1, 1, 3, 1], dtype=np.float32)
    added, intercepts = learn_spelling(texts, targets, counts, 13)
    ngrams = [[bucket for word in text.replace("20", "0").replace("14", "0").split() for bucket in buckets_of(word, BUCKETS)] for text in texts]
    found = CountVectorizer(analyzer=lambda text: text).fit_transform(ngrams)
    idf = np.log(7 / (1 + (found > 0).sum(axis=0).A1)) + 1
    vectors = found.multiply(idf).multiply(1 / np.sqrt(found @ idf**2)[:, None]).tocsr()
    sums = np.array([added[some].sum(axis=0) for some in ngrams])
    for column in range(2):
        judged = np.flatnonzero(~np.isnan(targets[:, column]))
        regression = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", random_state=13)
        regression.fit(vectors[judged], targets[judged, column] > 0, sample_weight=counts[judged])
        assert np.allclose(sums[:, column] / np.sqrt(sums[:, 2]) + intercepts[column], regression.decision_function(vectors), rtol=0, atol=1e-2)


def test_the_form_of_a_passage_is_known(trained):
    texts = ["„Jag lovar 300 hus“, sade hon.", "Ett hus", "", "HUS | Ett"]
    forms = cut(trained.tokenizer, texts).forms
    assert forms.shape == (4, FORMS)
    words, characters, digits, capitals, begin_with_capital, any_digit, quotation, *signs, opens, closes, stops = forms.T
    assert np.allclose(np.expm1(words), [6, 2, 0, 3])
    assert np.allclose(np.expm1(characters), [23, 6, 0, 7])  # a number is one digit
    assert np.allclose(digits, [1 / 23, 0, 0, 0])
    assert np.allclose(capitals, [1 / 23, 1 / 6, 0, 4 / 7])
    assert np.allclose(begin_with_capital, [0, 1 / 2, 0, 2 / 3])
    assert [any_digit.tolist(), quotation.tolist(), signs[-1].tolist()] == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert [opens.tolist(), closes.tolist(), stops.tolist()] == [[1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
