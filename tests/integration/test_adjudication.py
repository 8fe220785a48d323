"""``annotate adjudicate`` and ``annotate doubt --push`` against the real Label Studio, from two readings or a doubtful one to a ground truth."""

import json
from dataclasses import replace

import pytest
from newsmark.annotation.annotations import Annotation, Reviewed, Span, read_annotations, write_annotations
from newsmark.annotation.documents import Document, read_documents
from newsmark.annotation.label_studio.connection import Connection
from newsmark.annotation.label_studio.project import Project
from newsmark.annotation.label_studio.writing import to_results
from newsmark.annotation.labels import load_labels

SCHEME = load_labels()
DISPUTED = Document("Le pays s'engage à agir. « Oui <b> », dit-elle. Il pleut.", "disputed.txt", "fr")
AGREED = Document("Trois pays ont voté. Il pleut.", "agreed.txt", "fr")
ALONE = Document("Personne ne sait.", "alone.txt", "fr")
COMMITMENT, QUOTE, INDIRECT = Span("s1", 0, 24, "commitment"), Span("s2", 25, 47, "quote", "direct"), Span("s3", 25, 47, "quote", "indirect")


def _by(annotator, document, *spans, topics=("other",)):
    return Annotation(document.id, document.name, annotator, ground_truth=False, topics=topics, spans=spans)


class Workplace:
    """An annotators' project with its adjudications, and the files beside it."""

    def __init__(self, folder, server, command, environment, title):
        self.documents, self.file = folder / "articles.jsonl", folder / "annotations.jsonl"
        rows = [{"text": one.text, "name": one.name, "lang": one.language} for one in (DISPUTED, AGREED, ALONE)]
        self.documents.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.project, self.adjudications = (Project(Connection(server.url, server.token), name) for name in (title, f"{title} adjudication"))
        self._command, self._environment = command, environment
        self.write(
            _by("ann", DISPUTED, COMMITMENT, QUOTE, topics=("other", "cybercrime")),
            _by("bo", DISPUTED, replace(COMMITMENT, end=23), INDIRECT),
            _by("ann", AGREED, Span("s1", 0, 20, "statistic")),
            _by("bo", AGREED, Span("s1", 0, 19, "statistic"), Span("s2", 0, 19, "statistic")),
            _by("ann", ALONE),
        )

    def write(self, *annotations):
        write_annotations(self.file, annotations)

    def read(self):
        return {(one.name, one.annotator): one for one in read_annotations(self.file, read_documents([self.documents]), SCHEME)}

    def annotate(self, name, *arguments, project=True):
        title = ("--project", self.project.title) if project else ()
        return self._command("annotation", name, *arguments, *title, "--annotations", self.file, env=self._environment)

    def adjudicate(self):
        return self.annotate("adjudicate", self.documents)

    def task(self):
        (task,) = self.adjudications.tasks.export(only_annotated=False)
        return task

    def predictions(self):
        return self.adjudications.connection.get("api/predictions/", {"project": self.adjudications.required_id()})

    def submit(self, results):
        self.adjudications.connection.sdk.annotations.create(id=self.task().id, result=results)

    def stars(self):
        tasks = self.project.tasks.export(only_annotated=True)
        return {(task.name, self.project.annotators.name_of(one.user)) for task in tasks for one in task.annotations if one.ground_truth}


@pytest.fixture
def workplace(label_studio, command, store, tmp_path, request):
    environment = {**store, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    return Workplace(tmp_path, label_studio, command, environment, request.node.name.removeprefix("test_")[:35])


def _marks(results):
    return sorted((one["from_name"], *one["value"].get("labels", one["value"].get("choices"))) for one in results)


def test_what_is_agreed_passes_and_a_dispute_is_decided_in_label_studio(workplace):
    assert workplace.annotate("push", workplace.documents).returncode == 0
    done = workplace.adjudicate()
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        f"{workplace.file} rewritten: 1 of 3 documents have a ground truth, 1 are in dispute, 1 have one annotator, 0 have none; "
        f"decide what is in dispute at {workplace.adjudications.url}, then run the command again\n"
    )
    truth = workplace.read()["agreed.txt", "agreed"]
    assert (truth.ground_truth, truth.spans, truth.topics) == (True, (Span("s1", 0, 20, "statistic"),), ("other",))

    # what all agree on is marked already; the rest is shown beside the text, with who marked it
    (prediction,) = workplace.predictions()
    assert _marks(prediction["result"]) == [("span", "commitment"), ("topics", "other")]
    shown = workplace.task().disputed
    rows = [row.split("</tr>")[0] for row in shown.split("<tr>")[2:]]
    assert rows == [
        f"<td>{words}</td><td>{mark}</td><td>{by}</td><td>{other}</td>"
        for words, mark, by, other in (
            ("« Oui &lt;b&gt; », dit-elle.", "quote (direct)", "ann", "bo"),
            ("« Oui &lt;b&gt; », dit-elle.", "quote (indirect)", "bo", "ann"),
            ("(the whole article)", "topic cybercrime", "ann", "bo"),
        )
    ]

    where = {"id": "q", "to_name": "text", "value": {"start": 25, "end": 47, "text": DISPUTED.text[25:47]}}
    quote = {**where, "from_name": "span", "type": "labels", "value": where["value"] | {"labels": ["quote:direct"]}}
    workplace.submit([*prediction["result"], quote])
    done = workplace.adjudicate()
    assert done.returncode == 0, done.stderr
    assert f"{workplace.file} rewritten: 2 of 3 documents have a ground truth, 0 are in dispute" in done.stderr
    (truth,) = [one for one in workplace.read().values() if one.ground_truth and one.name == "disputed.txt"]
    assert truth.annotator.endswith(" (adjudicating)")
    assert [(span.label, span.kind) for span in truth.spans] == [("commitment", None), ("quote", "direct")]
    assert [one.ground_truth for one in workplace.task().annotations] == [True]

    # both have their star in the annotators' project, once, and the file has no more of them after a pull
    assert workplace.stars() == {("agreed.txt", "agreed"), ("disputed.txt", truth.annotator)}
    pulled = workplace.annotate("pull")
    assert pulled.stderr == f"{workplace.file}: 0 new, 0 changed, 7 in all\n"
    done = workplace.adjudicate()
    assert f"{workplace.file} unchanged: 2 of 3 documents" in done.stderr
    assert "stars of ground truths" not in done.stderr

    agreement = workplace.annotate("agreement", workplace.documents, project=False).stdout
    assert agreement.endswith("in dispute: 0 passages, 0 spans, the topics of 0 documents; left out: 2 documents with a ground truth\n")
    assert "http" not in agreement


def test_a_task_that_is_submitted_untouched_decides_nothing_and_is_reported(workplace):
    workplace.adjudicate()
    (prediction,) = workplace.predictions()
    workplace.submit(prediction["result"])
    done = workplace.adjudicate()
    assert done.returncode == 3
    assert "1 of 3 documents have a ground truth, 1 are in dispute" in done.stderr
    assert "not decided: disputed.txt was submitted as it was shown, which decides nothing; mark what is right" in done.stderr
    assert workplace.adjudications.task_url(workplace.task().id) in done.stderr
    assert [one.ground_truth for one in workplace.task().annotations] == [False]

    nothing = {"id": "r", "from_name": "rejected", "to_name": "text", "type": "choices", "value": {"choices": ["Nothing of what is in dispute is right"]}}
    workplace.submit([*prediction["result"], nothing])
    done = workplace.adjudicate()
    assert done.returncode == 0, done.stderr
    assert "2 of 3 documents have a ground truth, 0 are in dispute" in done.stderr
    (truth,) = [one for one in workplace.read().values() if one.ground_truth and one.name == "disputed.txt"]
    assert [(span.label, span.kind) for span in truth.spans] == [("commitment", None)]


def test_open_tasks_and_stars_follow_what_annotators_change(workplace):
    workplace.annotate("push", workplace.documents)
    workplace.adjudicate()
    own = workplace.read()
    assert workplace.stars() == {("agreed.txt", "agreed")}

    own["agreed.txt", "bo"] = _by("bo", AGREED)  # no longer agreed
    own["disputed.txt", "bo"] = _by("bo", DISPUTED, COMMITMENT, QUOTE, topics=("cybercrime", "other"))  # no longer in dispute
    workplace.write(*own.values())
    done = workplace.adjudicate()
    assert "1 of 3 documents have a ground truth, 1 are in dispute" in done.stderr
    assert workplace.task().name == "agreed.txt"
    assert workplace.stars() == {("disputed.txt", "agreed")}


def test_an_answer_that_cannot_be_read_is_named_and_decides_nothing(workplace):
    workplace.adjudicate()
    workplace.submit([{"id": "x", "from_name": "span", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 900, "labels": ["quote"]}}])
    done = workplace.adjudicate()
    assert done.returncode == 3
    assert "1 of 3 documents have a ground truth, 1 are in dispute" in done.stderr
    assert f"left out: task {workplace.task().id} (disputed.txt)" in done.stderr


def test_adjudicate_answers_in_json_for_scripts(workplace):
    done = workplace.annotate("adjudicate", workplace.documents, "--json")
    answer = json.loads(done.stdout)
    assert {key: answer[key] for key in ("documents", "ground_truths", "one_annotator", "no_annotator", "rewritten", "untouched")} == {
        "documents": 3,
        "ground_truths": 1,
        "one_annotator": 1,
        "no_annotator": 0,
        "rewritten": True,
        "untouched": [],
    }
    assert [(one["name"], len(one["spans"])) for one in answer["disputes"]] == [("disputed.txt", 2)]
    assert answer["url"] == workplace.adjudications.url


class Doubtful:
    """What is in doubt in a workplace: two annotators differ in one document, cut the same word in another one, and a word is cut in a third."""

    def __init__(self, workplace):
        self.workplace = workplace
        own = workplace.read()
        cut = Span("s1", 0, 12, "statistic")  # Trois pays o
        alone = Span("s1", 0, 7, "statistic")  # Personn
        own["agreed.txt", "ann"] = replace(own["agreed.txt", "ann"], spans=(cut,), offered=("statistic", "quote"))
        own["agreed.txt", "bo"] = replace(own["agreed.txt", "bo"], spans=(cut,), offered=("statistic", "quote"))
        own["alone.txt", "ann"] = replace(own["alone.txt", "ann"], spans=(alone,), offered=SCHEME.label_names)
        workplace.write(*own.values())

    def doubt(self, *arguments):
        return self.workplace.annotate("doubt", self.workplace.documents, "--reason", "annotators", "--reason", "borders", *arguments)

    def push(self):
        done = self.doubt("--push")
        assert done.returncode == 0, done.stderr
        return done.stderr

    @property
    def tasks(self):
        return {task.name: task for task in self.workplace.adjudications.tasks.export(only_annotated=False)}

    def submit(self, name, *spans):
        document = {one.name: one for one in (DISPUTED, AGREED, ALONE)}[name]
        results = to_results(document, spans, ("other",))
        self.workplace.adjudications.connection.sdk.annotations.create(id=self.tasks[name].id, result=results)


@pytest.fixture
def doubtful(workplace):
    return Doubtful(workplace)


def test_doubts_are_pushed_reviewed_pulled_and_not_asked_again(workplace, doubtful):
    workplace.annotate("push", workplace.documents)
    said = doubtful.push()
    assert f"3 new tasks to decide, 0 there already; {workplace.adjudications.url}\n" in said
    assert "0 new tasks to decide, 3 there already" in doubtful.push()
    tasks = doubtful.tasks
    assert (len(workplace.adjudications.tasks.export(only_annotated=False)), {*tasks}) == (3, {"agreed.txt", "alone.txt", "disputed.txt"})
    assert tasks["disputed.txt"].review is None  # annotate adjudicate would make the same task
    assert "<td>Personn</td><td>statistic</td><td>marked</td><td>borders: ann: ends within a word</td>" in tasks["alone.txt"].disputed
    marked = {one["task"]: _marks(one["result"]) for one in workplace.predictions()}
    assert marked[tasks["alone.txt"].id] == [("span", "statistic"), ("topics", "other")]

    # a reviewer corrects one document, and leaves the other one as it is: both are decided
    doubtful.submit("alone.txt", Span("x", 0, 16, "commitment"))
    doubtful.submit("agreed.txt", Span("s1", 0, 12, "statistic"))
    assert "0 new tasks to decide, 1 there already, 2 begun or not read yet (annotate adjudicate reads them)" in doubtful.push()
    done = workplace.adjudicate()
    assert done.returncode == 0, done.stderr
    assert "2 of 3 documents have a ground truth, 1 are in dispute, 0 have one annotator" in done.stderr
    truths = {one.name: one for one in workplace.read().values() if one.ground_truth}
    assert [(span.start, span.end, span.label) for span in truths["alone.txt"].spans] == [(0, 16, "commitment")]
    assert (truths["alone.txt"].reviewed, truths["alone.txt"].offered) == ((Reviewed(0, 7, "statistic"),), SCHEME.label_names)
    assert (truths["agreed.txt"].reviewed, truths["agreed.txt"].offered) == ((Reviewed(0, 12, "statistic"),), ("statistic", "quote"))
    assert workplace.stars() == {(name, truths[name].annotator) for name in ("agreed.txt", "alone.txt")}

    # neither is asked again, with the same border in one of them; not after a pull, and not by adjudicate
    assert workplace.annotate("pull", "--all").stderr.startswith(f"{workplace.file}: 0 new, 0 changed")
    assert {one.name: one.reviewed for one in workplace.read().values() if one.ground_truth} == {name: one.reviewed for name, one in truths.items()}
    assert "0 new tasks to decide, 1 there already;" in doubtful.push()
    assert doubtful.doubt().stdout.endswith("annotators 1; left out: 1 that a reviewer has decided on\n")
    before = workplace.file.read_bytes()
    assert "unchanged: 2 of 3 documents" in workplace.adjudicate().stderr
    assert workplace.file.read_bytes() == before
    assert len(workplace.adjudications.tasks.export(only_annotated=False)) == 3


def test_open_reviews_follow_what_is_in_doubt_and_doubled_ones_are_removed(workplace, doubtful):
    doubtful.push()
    first = doubtful.tasks["alone.txt"]
    own = workplace.read()
    own["alone.txt", "ann"] = replace(own["alone.txt", "ann"], spans=(Span("s1", 0, 6, "statistic"),))
    workplace.write(*own.values())
    assert "1 new tasks to decide, 2 there already" in doubtful.push()
    second = doubtful.tasks["alone.txt"]
    assert second.id != first.id
    assert second.review.doubts == (Reviewed(0, 6, "statistic"),)

    # an import that the server went on with after a time-out, and that was repeated
    project = workplace.adjudications
    rows = [row for row in project.tasks.export_rows(only_annotated=False) if row["data"]["name"] == "alone.txt"]
    project.tasks.import_rows([{"data": row["data"]} for row in rows])
    assert len(project.tasks.export(only_annotated=False)) == 4
    assert "0 new tasks to decide, 3 there already" in doubtful.push()
    assert len(project.tasks.export(only_annotated=False)) == 3

    # annotate adjudicate leaves open reviews alone
    assert workplace.adjudicate().returncode == 0
    assert {*doubtful.tasks} == {"agreed.txt", "alone.txt", "disputed.txt"}


def test_a_review_in_which_nothing_in_dispute_is_ticked_as_wrong_decides_nothing_and_is_named(workplace, doubtful):
    doubtful.push()
    task = doubtful.tasks["alone.txt"]
    nothing = {"id": "r", "from_name": "rejected", "to_name": "text", "type": "choices", "value": {"choices": ["Nothing of what is in dispute is right"]}}
    workplace.adjudications.connection.sdk.annotations.create(id=task.id, result=[nothing])
    done = workplace.adjudicate()
    assert done.returncode == 3
    assert f"left out: task {task.id} (alone.txt)" in done.stderr
    assert "labels are in doubt there, and nothing is in dispute" in done.stderr
    assert not any(one.ground_truth for one in workplace.read().values() if one.name == "alone.txt")
