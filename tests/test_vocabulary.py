"""A smaller vocabulary: what the languages in use need is read as before, and nothing falls silent."""

import numpy as np
import pytest
from newsmark.annotation.errors import NewsmarkError
from newsmark.models.encoder.packaged import default_encoder
from newsmark.models.encoder.vocabulary import prune, report
from newsmark.models.transformer.settings import TransformerSettings
from newsmark.models.transformer.trainer import Transformer
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

SWEDISH = "Regeringen ska minska utsläppen med 55 procent till 2030, säger ministern (”det lovar vi”)."
FRENCH = "L'accord de l'Organisation prévoit 1 500 emplois."
RARE = "Snurrebockens hjortronmylta förhandlades bort i Vuoggatjålme."


@pytest.fixture(scope="module")
def whole():
    return Tokenizer.from_file(str(default_encoder() / "tokenizer.json"))


@pytest.fixture(scope="module")
def pruned(whole):
    return prune(whole, [RARE], ["sv", "fr"])


def test_common_words_and_given_texts_are_read_as_before(whole, pruned):
    smaller, kept = pruned
    assert smaller.get_vocab_size() == len(kept) < whole.get_vocab_size() / 3
    for text in (SWEDISH, FRENCH, RARE, "«Regeringen» (Regeringen) -regeringen"):
        assert smaller.encode(text).tokens == whole.encode(text).tokens
        assert [int(kept[number]) for number in smaller.encode(text).ids] == whole.encode(text).ids


def test_special_tokens_keep_their_places(whole, pruned):
    smaller, _ = pruned
    for token in ("<s>", "<pad>", "</s>", "<unk>"):
        assert smaller.token_to_id(token) == whole.token_to_id(token)


def test_other_languages_fall_into_pieces_and_never_into_silence(whole, pruned):
    smaller, _ = pruned
    for text in ("Η κυβέρνηση δεσμεύεται", "सरकार वादा करती है", "La minestra è servita", "გამარჯობა"):
        before, after = whole.encode(text), smaller.encode(text)
        assert len(after.ids) >= len(before.ids)
        assert after.ids.count(smaller.token_to_id("<unk>")) == before.ids.count(whole.token_to_id("<unk>")) == 0
        assert "".join(after.tokens) == "".join(before.tokens)


def test_the_report_names_what_is_kept_and_what_is_lost(whole, pruned):
    rows = {line.split()[0]: line.split() for line in report(whole, pruned[0], ["sv", "fr"]).splitlines() if line.strip()}
    assert rows["sv"][1] == rows["fr"][1] == "yes"
    assert float(rows["sv"][2].rstrip("%")) > 99
    assert float(rows["el"][1].rstrip("%")) < 50


def test_tokenizers_of_another_kind_stay_whole():
    assert prune(Tokenizer(WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")), [], ["sv"]) is None


def test_a_language_without_a_word_list_is_refused(whole):
    with pytest.raises(NewsmarkError, match=r"languages: there is no list of common words of 'xx'; choose among ar, bg"):
        prune(whole, [], ["xx"])


def test_a_model_says_the_same_with_the_smaller_vocabulary(tmp_path):
    texts = [SWEDISH, FRENCH, RARE, "Dela artikeln"]
    targets = np.eye(4, dtype=np.float32)
    frozen = {"epochs": 1, "frozen_layers": 12, "learning_rate": 1e-9}
    whole, pruned = (
        Transformer.fit(texts, targets, TransformerSettings(languages=languages, **frozen), seed=1, report=lambda *_: None) for languages in ((), ("sv", "fr"))
    )
    assert len(pruned.tokenizer) == pruned.model.encoder.get_input_embeddings().num_embeddings < 80_000
    np.testing.assert_allclose(pruned.scores(texts), whole.scores(texts), atol=1e-4)
    assert not whole.vocabulary
    pruned.save(tmp_path)
    assert "word pieces are kept" in (tmp_path / "vocabulary.txt").read_text()
