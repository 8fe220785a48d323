"""``predict serve`` given rubbish: every wrong request gets one sentence, and what the page describes is answered."""

import gzip
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("champion")
GOOD = {"inputs": [{"text": "Ministern lovar sänkta utsläpp.", "lang": "sv"}]}
JSON = {"Content-Type": "application/json"}


NESTED = b'{"inputs": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


HOSTILE = {
    "nothing": (b"", 422),
    "no JSON": (b"hello", 422),
    "half of it": (b'{"inputs": [{"text": "a"}', 422),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "no inputs": (b"{}", 422),
    "inputs null": ({"inputs": None}, 422),
    "inputs empty": ({"inputs": []}, 422),
    "inputs a text": ({"inputs": "text"}, 422),
    "an input that is a text": ({"inputs": ["text"]}, 422),
    "an input that is null": ({"inputs": [None]}, 422),
    "text missing": ({"inputs": [{"lang": "sv"}]}, 422),
    "text null": ({"inputs": [{"text": None}]}, 422),
    "text a number": ({"inputs": [{"text": 5}]}, 422),
    "text a list": ({"inputs": [{"text": ["a"]}]}, 422),
    "lang a number": ({"inputs": [{"text": "a", "lang": 5}]}, 422),
    "lang endless": ({"inputs": [{"text": "a", "lang": "s" * 1000}]}, 422),
    "unknown field": ({"inputs": [{"text": "a", "<script>": 1}]}, 422),
    "unknown parameter": ({**GOOD, "params": {"treshold": 0.5}}, 422),
    "params a list": ({**GOOD, "params": []}, 422),
    "threshold 7": ({**GOOD, "params": {"threshold": 7}}, 422),
    "threshold below 0": ({**GOOD, "params": {"threshold": -0.1}}, 422),
    "threshold a text": ({**GOOD, "params": {"threshold": "0.5"}}, 422),
    "threshold NaN": (b'{"inputs": [{"text": "a"}], "params": {"threshold": NaN}}', 422),
    "threshold infinite": (b'{"inputs": [{"text": "a"}], "params": {"threshold": 1e999}}', 422),
    "split a number": ({**GOOD, "params": {"split": 1}}, 422),
    "10,000 deep": (NESTED, 422),
    "10,000 deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 422),
    "latin-1": ('{"inputs": [{"text": "é"}]}'.encode("latin-1"), 422),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), 422),
    "half a surrogate": (b'{"inputs": [{"text": "\\ud800"}]}', 422),
    "a NUL byte": (b'{"inputs": [{"text": "a\0b"}]}', 422),
    "many inputs": ({"inputs": [{"text": "a"}] * 51}, 413),
    "a long text": ({"inputs": [{"text": "a" * 60_001}]}, 413),
    "a large body": (b" " * 300_001, 413),
    "dataframe_split": ({"dataframe_split": {"columns": ["text"], "data": [["a"]]}}, 422),
    "instances": ({"instances": [{"text": "a"}]}, 422),
}


def refused(server, response, status):
    """The sentence of a refusal; a good request right after it succeeds."""
    assert response.status_code == status, response.text
    assert str(status) in server.http.get("/openapi.json").json()["paths"]["/invocations"]["post"]["responses"]
    sentence = response.json()["error"]
    assert "\n" not in sentence
    assert len(sentence) < 200
    assert not re.search(r"Traceback|File \"|site-packages|/tmp|script|treshold", response.text)
    assert server.post(GOOD).status_code == 200
    return sentence


@pytest.mark.parametrize("name", HOSTILE)
def test_a_wrong_request_is_refused_in_one_sentence(server, name):
    content, status = HOSTILE[name]
    refused(server, server.post(content), status)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/csv"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json; charset=utf-8; x=1"},
        {**JSON, "Content-Encoding": "gzip"},
        {**JSON, "Content-Encoding": "br"},
    ],
)
def test_what_is_no_plain_json_is_refused(server, headers):
    refused(server, server.post(GOOD, headers), 415)


def test_a_gzip_bomb_is_not_opened(server):
    before = server.memory()
    refused(server, server.post(gzip.compress(b" " * 200_000_000), {**JSON, "Content-Encoding": "gzip"}), 415)
    assert server.memory() < before + 50


def test_a_body_of_300_megabytes_is_refused_and_not_kept(server):
    before = server.memory()
    refused(server, server.post(b" " * 300_000_000), 413)
    chunks = (b"x" * 1_000_000 for _ in range(300))  # without a Content-Length
    refused(server, server.http.post("/invocations", content=chunks, headers=JSON), 413)
    assert server.memory() < before + 50


def test_100_000_inputs_are_refused_and_not_kept(serve, store, tmp_path):
    server = serve(tmp_path, store)
    try:
        server.post(GOOD)
        before = server.memory()
        for _ in range(5):
            assert "more than 1000 inputs" in refused(server, server.post({"inputs": [{"text": "a"}] * 100_000}), 413)
        assert server.memory() < before + 200
    finally:
        assert server.stop() == 0


def test_odd_texts_are_labelled(server):
    odd = ["", " ", "\n\n", "a\r\nb", "\u202e\u200b", "👩‍👩‍👧‍👦" * 100, "a" * 50_000, "." * 10_000, "\\" * 1000, "</s>", "�", "e\u0301" * 500, "\x00"]
    answer = server.post({"inputs": [{"text": text} for text in odd]})
    assert answer.status_code == 200, answer.text
    for text, one in zip(odd, answer.json()["predictions"], strict=True):
        assert all(text[passage["start"] : passage["end"]] == passage["text"] for passage in one["passages"])
    assert server.post({"inputs": [{"text": "Hej.", "lang": "no such language"}]}).status_code in {200, 422}


def made_by(schema, schemas):
    """Strategy for values that an OpenAPI schema describes; it fails on what it does not know."""
    if "$ref" in schema:
        return made_by(schemas[schema["$ref"].removeprefix("#/components/schemas/")], schemas)
    if "anyOf" in schema:
        return st.one_of([made_by(one, schemas) for one in schema["anyOf"]])
    if schema["type"] == "object":
        assert schema["additionalProperties"] is False
        fields = {name: made_by(one, schemas) for name, one in schema["properties"].items()}
        required = schema.get("required", [])
        optional = {name: one for name, one in fields.items() if name not in required}
        return st.fixed_dictionaries({name: fields[name] for name in required}, optional=optional)
    return {
        "array": lambda: st.lists(made_by(schema["items"], schemas), min_size=schema["minItems"], max_size=3),
        "string": lambda: st.text(st.characters(exclude_categories=["Cs"]), max_size=schema.get("maxLength", 40)),
        "number": lambda: st.floats(schema["minimum"], schema["maximum"], allow_subnormal=False),
        "boolean": st.booleans,
        "null": st.none,
    }[schema["type"]]()


@pytest.fixture(scope="module")
def described(server):
    """Strategy for what the server's own page says that it takes."""
    page = server.http.get("/openapi.json").json()
    return made_by(page["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"], page["components"]["schemas"])


WRONG = st.none() | st.integers() | st.floats(allow_nan=False, allow_subnormal=False) | st.just([]) | st.dictionaries(st.text(max_size=5), st.text(max_size=5))


AT_LEISURE = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@AT_LEISURE
@given(data=st.data())
def test_what_the_page_describes_is_answered(server, described, data):
    body = data.draw(described)
    response = server.post(body)
    assert response.status_code == 200, (body, response.text)
    assert len(response.json()["predictions"]) == len(body["inputs"])


@AT_LEISURE
@given(data=st.data())
def test_what_the_page_does_not_describe_is_refused(server, described, data):
    """Each example is a described request in which one field is wrong, or not known."""
    body = data.draw(described)
    one = data.draw(st.sampled_from([body, *body["inputs"], *([body["params"]] if "params" in body else [])]))
    name = data.draw(st.sampled_from(["unknown", next((name for name in ("inputs", "text") if name in one), "split")]))
    one[name] = data.draw(WRONG)
    refused(server, server.post(body), 422)


@pytest.mark.parametrize("path", ["/", "/nothing", "/invocations/", "/../etc/passwd", "/invocations?x=1"])
def test_other_addresses_and_methods_answer_in_one_sentence(server, path):
    answer = server.http.get(path)
    assert answer.status_code in {404, 405}
    assert set(answer.json()) == {"error"}


def test_a_foreign_host_is_refused(server):
    answer = server.http.get("/ping", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Invalid host header")
