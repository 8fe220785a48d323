"""Benchmark of the spans: borders and kinds on the marked documents of the corpus that were not learned from, and on the seeds: ``make bench``.

Every passage is given its true labels, so that only borders and kinds can be wrong. The vectors of words are those of the packaged encoder before any
training: as its lower half is frozen with ``train --fast``, a model of that has the same ones.
"""

import sys
from dataclasses import replace
from pathlib import Path

from newsmark.annotation.annotations import Span
from newsmark.annotation.commandline import run_command
from newsmark.annotation.edits import count_edits
from newsmark.annotation.labels import load_labels
from newsmark.annotation.passage_labels import spans_of_passages
from newsmark.annotation.splitting.passages import split_passages
from newsmark.annotation.suggestions import kind_by_rule
from newsmark.models.borders import Borders
from newsmark.models.context import in_reading_order
from newsmark.models.spans import SpanFinder
from newsmark.models.transformer.settings import TransformerSettings
from newsmark.models.transformer.trainer import Transformer
from newsmark.training.config import load_config
from newsmark.training.effort import SpanCounts
from newsmark.training.spans import is_held_out, load_marked

SCHEME = load_labels()
ENCODER = Transformer.untrained(TransformerSettings())
KINDS = {label.name: label.kinds for label in SCHEME.labels if label.kinds}


def finders_for(label, learned):
    """What is compared, by its name."""
    return {"whole passages": SpanFinder(KINDS), "without final punctuation": SpanFinder(KINDS, {label: Borders()}), **learned}


def learn(marked, without):
    """Learn without some documents, from the words and also from an encoder's vectors."""
    return {"learned from words": marked.learner.learn(without), "learned from words or vectors": marked.learner.learn(without, ENCODER)}


def as_spans(label, places, kinds):
    return [Span(f"{number}", *place, label, kind) for number, (place, kind) in enumerate(zip(places, kinds, strict=True))]


def measure(pairs, label):
    """Print a table of the passages with a label: F1 of spans and characters, edits, right kinds; ``pairs`` holds passages with the finders of each."""
    some = [(one, finders) for one, finders in pairs if one.label == label]
    print(f"{label}, {len(some)} passages, {sum(len(one.spans) for one, _ in some)} spans")
    for name in finders_for(label, some[0][1]):
        counts, edits, right = SpanCounts(), 0, 0
        for one, finders in some:
            [found] = finders_for(label, finders)[name].find_all([one.context], [{label: 1.0}], ENCODER)
            made = as_spans(label, [(span.start, span.end) for span in found], [span.kind for span in found])
            wanted = as_spans(label, one.spans, one.kinds)
            counts += SpanCounts.of(made, wanted)
            edits += count_edits(made, wanted).total
            kinds = KINDS.get(label, ())
            right += bool(kinds) and (found[0].kind or kind_by_rule(label, kinds, one.context.text)) == one.kinds[0]
        kind = f", kind {right / len(some):.2f}" if label in KINDS else ""
        print(f"  {name:<29} F1 {counts.exact_f1:.2f} exact, {counts.overlap_f1:.2f} by characters{kind}; {edits} edits")


def joined(document, spans):
    """Make one span of neighbouring spans that have only white space between them, and the same label and kind."""
    found = []
    for one in sorted(spans, key=lambda one: (one.label, one.start)):
        last = found[-1] if found else None
        if last and (last.label, last.kind) == (one.label, one.kind) and not document.text[last.end : one.start].strip():
            found[-1] = replace(last, end=one.end)
        else:
            found.append(one)
    return found


def measure_joining(marked, finders, seeds):
    """Print, for whole articles, what joining spans of neighbouring passages does."""
    apart, together = [SpanCounts(), 0], [SpanCounts(), 0]
    for document in marked.documents:
        right = marked.right[document.id].spans
        passages = split_passages(document.text, document.language)
        contexts, made = in_reading_order([one.text for one in passages]), []
        given = [dict.fromkeys((span.label for span in own), 1.0) for own in spans_of_passages(passages, right, SCHEME)]
        finder = finders[seeds[document.id]]["learned from words or vectors"]
        for passage, context, some in zip(passages, contexts, finder.find_all(contexts, given, ENCODER), strict=True):
            for one in some:
                kind = one.kind or kind_by_rule(one.label, KINDS.get(one.label, ()), context.text)
                made.append(Span(str(len(made)), passage.start + one.start, passage.start + one.end, one.label, kind))
        for found, spans in ((apart, made), (together, joined(document, made))):
            found[0] += SpanCounts.of(spans, right)
            found[1] += count_edits(spans, right).total
    print("Seeds, all labels, as whole articles")
    for name, (counts, edits) in (("passage by passage", apart), ("neighbouring ones joined", together)):
        print(f"  {name:<26} F1 {counts.exact_f1:.2f} exact, {counts.overlap_f1:.2f} by characters; {edits} edits")


def main():
    """Print the tables."""
    marked = load_marked(load_config(Path("configs/baseline.yaml"), {}), SCHEME)
    every = [one for some in marked.learner.marked.values() for one in some]
    held = {one.document for one in every if not one.own and is_held_out(one.document)}
    finders = learn(marked, held)
    seeds = {document.id: document.group for document in marked.documents}
    by_group = {group: learn(marked, {name for name, other in seeds.items() if other == group}) for group in dict.fromkeys(seeds.values())}
    parts = {
        f"Documents of the corpus, {len(held)} that were not learned from": [(one, finders) for one in every if one.document in held],
        "Seeds, each learned from the others and the corpus": [(one, by_group[seeds[one.document]]) for one in every if one.own],
    }
    for title, pairs in parts.items():
        print(title)
        for label in ("commitment", "statistic", "quote"):
            measure(pairs, label)
    measure_joining(marked, by_group, seeds)


if __name__ == "__main__":
    sys.exit(run_command("spans", "--debug" in sys.argv, main))
