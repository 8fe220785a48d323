"""The fingerprint of splitting: what decides counts, what people read does not."""

import pytest
from newsmark.annotation.splitting import fingerprint as module
from newsmark.annotation.splitting.fingerprint import code_digest, fingerprint

CODE = "def double(number):\n    return 2 * number\n"


def digest(folder, code):
    module = folder / "module.py"
    module.write_text(code)
    return code_digest([module])


def test_comments_docstrings_and_layout_do_not_change_the_digest_of_code(tmp_path):
    documented = '"""A module."""\n\n# why\ndef double(number):\n    """Twice."""\n    return (2 *\n            number)\n'
    assert digest(tmp_path, documented) == digest(tmp_path, CODE)


def test_what_the_code_does_changes_its_digest(tmp_path):
    assert digest(tmp_path, CODE.replace("2", "3")) != digest(tmp_path, CODE)


@pytest.mark.parametrize(("words", "same"), [("Dr prof", True), ("prof  Dr", True), ("Dr prof kap", False)], ids=["same", "another order", "one more"])
def test_the_words_of_a_language_change_the_fingerprint_and_their_order_does_not(words, same, monkeypatch):
    monkeypatch.setattr(module, "word_lists", lambda: {"xx": {"never_end": "Dr prof"}})
    before = fingerprint.__wrapped__()
    monkeypatch.setattr(module, "word_lists", lambda: {"xx": {"never_end": words}})
    assert (fingerprint.__wrapped__() == before) is same


def test_the_fingerprint_is_the_same_from_call_to_call():
    assert fingerprint() == fingerprint()
    assert len(fingerprint()) == 64
