"""``annotate backend`` without a Label Studio: what it answers to the protocol, and what it refuses."""

import asyncio
import logging
import shutil
import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from newsmark.annotation.documents import make_document
from newsmark.annotation.errors import NewsmarkError
from newsmark.annotation.label_studio.backend import USER, suggest_for
from newsmark.annotation.label_studio.interface import interface_xml
from newsmark.annotation.label_studio.writing import prediction_row, task_data
from newsmark.annotation.labels import load_labels
from newsmark.annotation.suggestions import RuleSuggester, Suggestion
from newsmark.models.prediction.suggest import ModelSuggester
from newsmark.models.serving import backend as serving
from newsmark.models.serving.backend import make_backend
from newsmark.models.serving.live import LiveSuggester

MODEL = Path("tests/data/models/baseline-6")
PASSWORD, TOKEN = "a password of the test", "0123456789abcdef0123456789abcdef01234567"
SCHEME = load_labels(Path("configs/labels.yaml"))
XML = interface_xml(SCHEME)
ARTICLE = make_document("Près de 100 pays ont signé.\n« Nous allons y travailler cette année », dit-elle.\nComment (0)", "a.txt", "fr")


@pytest.fixture
def client():
    one = TestClient(make_backend(LiveSuggester(str(MODEL), SCHEME), 7, PASSWORD))
    one.auth = (USER, PASSWORD)
    return one


def task_of(document, number=1):
    return {"id": number, "data": task_data(document), "project": 7}


def ask(client, *tasks, **changed):
    return client.post("/predict", json={"tasks": tasks, "project": "7.1790000000", "label_config": XML, "params": {"context": None}, **changed})


def test_a_task_gets_what_a_push_suggests_with_the_models_version(client):
    suggester = ModelSuggester.load(str(MODEL), SCHEME)
    assert ask(client, task_of(ARTICLE)).json() == {"results": [prediction_row(ARTICLE, suggester.suggest(ARTICLE))]}
    assert client.post("/setup", json={"project": "7.1790000000", "access_token": TOKEN}).json() == {"model_version": suggester.version}
    assert client.get("/versions").json() == {"versions": [suggester.version]}
    assert client.get("/health").json()["status"] == "UP"


@pytest.mark.parametrize("auth", [None, (USER, "another"), ("admin", PASSWORD), (USER, "lösenord")])
def test_nothing_is_answered_without_the_password(client, auth):
    client.auth = auth
    answers = [client.get("/health"), client.get("/versions"), client.post("/setup", json={"project": "7.1"}), client.post("/webhook"), ask(client)]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert answers[0].headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize("project", ["8.1790000000", "", "77.1"])
def test_another_project_is_refused(client, project):
    assert ask(client, task_of(ARTICLE), project=project).status_code == 404
    assert client.post("/setup", json={"project": project}).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tasks": 1}', b'{"tasks": [{"data": {"text": "x"}}], "project": "7.1", "label_config": ""}', b"\xff"])
def test_what_is_no_request_is_refused_without_repeating_it(client, body):
    answer = client.post("/predict", content=body)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("data", [{}, {"text": None}, {"text": 3}, {"text": " \n"}, {"text": "\ud800"}, {"text": "Comment (0)", "lang": 5}, None])
def test_an_odd_task_gets_a_row_so_that_it_can_be_opened(data):
    row = suggest_for({"id": 1, "data": data}, RuleSuggester(SCHEME), XML)
    assert row["model_version"] == "rules-1"
    assert isinstance(row["result"], list)


def test_a_suggester_that_fails_leaves_the_task_without_suggestions_and_the_log_without_its_text(caplog):
    class Fails:
        version = "fails-1"

        def suggest(self, document):
            raise ValueError(document.text)

    assert suggest_for(task_of(ARTICLE), Fails(), XML) == {"model_version": "fails-1", "score": 0.0, "result": []}
    assert "pays" not in caplog.text


def test_what_the_interface_does_not_offer_yet_is_not_suggested():
    row = suggest_for(task_of(ARTICLE), RuleSuggester(SCHEME), XML.replace('value="statistic"', 'value="figure"'))
    assert [one["value"].get("labels") for one in row["result"]] == [["quote:direct"], ["boilerplate"]]


def test_topics_are_suggested_where_the_suggester_has_some():
    first, second = (topic.name for topic in SCHEME.topics[:2])

    class Topics:
        version = "topics-1"

        def suggest(self, _):
            return Suggestion("topics-1", (), {}, (first, second))

    (result,) = suggest_for(task_of(ARTICLE), Topics(), XML)["result"]
    assert (result["from_name"], result["value"]) == ("topics", {"choices": [first, second]})
    (result,) = suggest_for(task_of(ARTICLE), Topics(), XML.replace(f'value="{first}"', 'value="older-name"'))["result"]
    assert result["value"] == {"choices": [second]}  # one that the interface does not offer takes no other with it


def test_an_article_of_100_kb_is_answered_whole(client):
    text = "\n".join(f"Près de {number} pays ont signé l'accord sur le climat. Le soleil brille." for number in range(1500))
    assert len(text.encode()) > 100_000
    (row,) = ask(client, task_of(make_document(text, "long.txt", "fr"))).json()["results"]
    assert row["result"]
    assert all(text[one["value"]["start"] : one["value"]["end"]] == one["value"]["text"] for one in row["result"])


def test_when_the_time_is_over_the_tasks_that_are_left_get_nothing_to_store(client, monkeypatch):
    monkeypatch.setattr(serving, "_LIMITS", serving.Limits(seconds=0))
    assert ask(client, task_of(ARTICLE, 1), task_of(ARTICLE, 2)).json() == {"results": [[], []]}


def test_a_small_task_and_health_do_not_wait_for_large_ones(client, monkeypatch):
    begun, go_on = threading.Semaphore(0), threading.Event()
    suggest = ModelSuggester.suggest

    def slow(self, document):
        if document.name == "large":
            begun.release()
            assert go_on.wait(60)
        return suggest(self, document)

    monkeypatch.setattr(ModelSuggester, "suggest", slow)
    large = make_document("Le soleil brille. " * 1000, "large", "fr")
    with client:  # one event loop for all requests
        waiting = [threading.Thread(target=ask, args=(client, task_of(large, number))) for number in range(8)]
        for one in waiting:
            one.start()
        assert begun.acquire(timeout=60)
        assert client.get("/health").status_code == 200
        assert ask(client, task_of(ARTICLE)).json()["results"][0]["result"]
        go_on.set()
        for one in waiting:
            one.join()


def test_neither_password_nor_token_nor_text_is_logged(client, caplog):
    caplog.set_level(logging.DEBUG)
    client.post("/setup", json={"project": "7.1790000000", "access_token": TOKEN, "extra_params": None})
    client.post("/setup", json={"project": 7, "access_token": TOKEN})
    ask(client, task_of(ARTICLE))
    ask(client, task_of(ARTICLE), project="8.1")
    logged = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("newsmark"))
    assert "suggested" in logged
    assert not [secret for secret in (PASSWORD, TOKEN, "pays") if secret in logged]


def test_without_a_model_the_rules_suggest_and_the_reason_is_known(monkeypatch):
    def none(_):
        raise NewsmarkError("no model was trained yet")

    monkeypatch.setattr("newsmark.models.serving.following.resolve", none)
    live = LiveSuggester(None, SCHEME)
    assert (live.present.version, live.lacking) == ("rules-1", "no model was trained yet")
    with pytest.raises(NewsmarkError, match="no model was trained yet"):
        LiveSuggester("models:/newsmark@champion", SCHEME)


def test_a_least_score_leaves_out_what_the_model_is_less_sure_of():
    live = LiveSuggester(str(MODEL), SCHEME, least=0.99)
    assert live.present.version == "baseline-4eab1ef5f958 from 0.99"
    assert live.present.suggest(ARTICLE).spans == ()


def test_training_is_not_begun_from_label_studio(client):
    answer = client.post("/webhook", json={"action": "START_TRAINING"})
    assert answer.status_code == 501
    assert "command train" in answer.json()["error"]


def test_a_promotion_changes_the_version_of_the_next_answer(monkeypatch, tmp_path):
    """The alias moves from nothing to a model, and then to another."""
    other = shutil.copytree(MODEL, tmp_path / "other")
    card = (other / "newsmark.json").read_text()
    (other / "newsmark.json").write_text(card.replace("baseline-4eab1ef5f958", "baseline-another"))
    alias = {}

    def resolve(_):
        if not alias:
            raise NewsmarkError("no model was trained yet")
        return str(alias["champion"]), str(alias["champion"])

    monkeypatch.setattr("newsmark.models.serving.following.resolve", resolve)
    monkeypatch.setattr("newsmark.models.serving.following._FOLLOW_SECONDS", 0.01)
    monkeypatch.setattr("newsmark.models.serving.live._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("newsmark.models.serving.following.find_folder", Path)
    live = LiveSuggester(None, SCHEME)

    async def until(version):
        while live.present.version != version:
            await asyncio.sleep(0.01)

    async def promote():
        following = asyncio.create_task(live.follow())
        for folder, version in ((MODEL, "baseline-4eab1ef5f958"), (other, "baseline-another")):
            alias["champion"] = folder
            await asyncio.wait_for(until(version), 60)
        following.cancel()

    asyncio.run(promote())
    assert live.lacking is None
