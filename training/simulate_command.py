"""``train simulate``: its options, and what is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..annotation.commandline import print_json, whole_number
from ..annotation.desk import annotated_sources, current_desk
from ..annotation.desk_options import add_labels, default_of
from ..annotation.errors import NewsmarkError, UsageError, unknown_name
from ..annotation.folders import CONFIGS, shown
from ..annotation.labels import LabelScheme, load_labels
from ..models.kinds import KINDS
from .progress import print_progress

if TYPE_CHECKING:
    from .dataset import LabelledPassages
    from .simulated_questions import Asked
    from .simulation import Plan, Simulation

_CORPUS = CONFIGS.parent / "seeds" / "bootstrap"  # that comes with newsmark, in a checkout and in a wheel


def add_simulate(commands: Any, shared: Sequence[argparse.ArgumentParser]) -> None:
    """Add simulate to the parser's commands."""
    simulate = commands.add_parser("simulate", parents=shared, help="measure ways of choosing what to annotate next, on articles whose labels are known")
    corpus = f"labelled passages, with their documents {default_of(_CORPUS)}"
    simulate.add_argument("path", nargs="?", type=Path, metavar="PATH", help=corpus)
    kinds = [name for name, kind in KINDS.items() if kind.vectors]
    simulate.add_argument("--model", choices=kinds, default=kinds[0], help="kind of model whose vectors are learned from (default: %(default)s)")
    for name, default, least, text in (
        ("start", 20, 1, "articles annotated at the beginning"),
        ("articles", 150, 2, "articles annotated at the end"),
        ("batch", 10, 1, "articles chosen by one model"),
        ("repetitions", 5, 2, "repetitions, each from other articles"),
    ):
        simulate.add_argument(f"--{name}", type=whole_number(name, least, 10_000), default=default, metavar="N", help=f"{text} (default: %(default)s)")
    simulate.add_argument("--label", metavar="LABEL", help="also compare judgements of single passages for this label with whole articles")
    for name, seconds, text in (("judgement", 6, "one judgement of a passage"), ("passage", 10, "one passage of a whole article")):
        simulate.add_argument(
            f"--seconds-per-{name}", type=whole_number("seconds", 1, 3600), default=seconds, metavar="S", help=f"time for {text} (default: %(default)s)"
        )
    simulate.add_argument("--choosing", action="store_true", help="score on other articles, to find out which way is best without seeing the usual ones")
    simulate.add_argument("--forecast", action="store_true", help="only say what ten more articles are likely to bring, from those that the desk has annotated")
    simulate.add_argument("--seeds", metavar="FOLDER", help="annotated articles for --forecast (default: the desk's, else seeds)")
    add_labels(simulate, "labels_file")
    simulate.set_defaults(run=_simulate)


def _simulate(arguments: argparse.Namespace) -> None:
    scheme = load_labels(arguments.labels_file)
    if arguments.start >= arguments.articles:
        raise UsageError(f"--articles: must be more than the {arguments.start} of --start")
    if arguments.label is not None and arguments.label not in scheme.label_names:
        raise UsageError(f"--label: {unknown_name('label', arguments.label, scheme.label_names)}")
    from .simulated_questions import Pace, simulate_questions  # keeps --help fast
    from .simulation import Plan, make_material, simulate

    load_vectors = KINDS[arguments.model].load_vectors()
    if load_vectors is None:
        raise UsageError(f"--model: {arguments.model} has no vectors")
    if arguments.forecast:
        _forecast(arguments, scheme, load_vectors)
        return
    plan = Plan(arguments.start, arguments.articles, arguments.batch, arguments.repetitions, arguments.choosing)
    data = _load(arguments, scheme)
    material = replace(make_material(data, *load_vectors(data.texts), plan.choosing), exclusive=scheme.exclusive_names)
    found = simulate(material, plan, print_progress)
    pace = Pace(arguments.seconds_per_judgement, arguments.seconds_per_passage)
    asked = simulate_questions(material, plan, arguments.label, pace, print_progress) if arguments.label else None
    if arguments.json:
        print_json(_answer(found, asked, plan))
        return
    print(_table(found, plan))
    if asked:
        print(f"\n{_asked_table(asked)}")


def _load(arguments: argparse.Namespace, scheme: LabelScheme) -> LabelledPassages:
    """The passages that are named, or of the corpus what it says of the labels of the labels file, which may be others than its own."""
    from .labelled import load_corpus, load_labelled

    path = arguments.path or shown(_CORPUS)
    data = load_labelled(path, scheme) if arguments.path else load_corpus(path, scheme)[0]
    judged = [name for column, name in enumerate(data.labels) if data.judged[:, column].any()]
    if missing := [name for name in data.labels if name not in judged]:
        if not judged or arguments.label in missing:
            raise NewsmarkError(f"{path} says nothing about {arguments.label or ', '.join(missing)}; name labelled passages (PATH) that do")
        print_progress(f"{path} says nothing about {', '.join(missing)}: only {', '.join(judged)} can be simulated")
    return data


def _forecast(arguments: argparse.Namespace, scheme: LabelScheme, load_vectors: Callable[[Sequence[str]], tuple[Any, float]]) -> None:
    import numpy as np

    from .dataset import joined, load_passages
    from .forecast import forecast
    from .labelled import load_corpus
    from .simulation import Material

    documents, annotations = annotated_sources(arguments.seeds)
    own = load_passages(documents, annotations, str(arguments.labels_file), current_desk().reading)
    corpus = arguments.path or shown(_CORPUS)
    data = joined(own, load_corpus(corpus, scheme)[0])
    articles = [np.flatnonzero(own.documents == document) for document in dict.fromkeys(own.documents.tolist())]
    found = forecast(Material(data, *load_vectors(data.texts), tuple(articles), ()), np.arange(len(own.texts), len(data.texts)))
    if arguments.json:
        print_json({"forecast": {**vars(found), "gain": vars(found.gain)}, "said": str(found)})
    else:
        curve = ", ".join(f"{score:.2f} with {size}" for size, score in zip(found.sizes, found.scores, strict=True))
        print(f"macro F1 out of fold: {curve} annotated articles beside {corpus}\n{found}")


def _answer(found: Simulation, asked: Asked | None, plan: Plan) -> dict[str, Any]:
    ways = {
        name: {
            "macro_f1": [vars(one) for one in way.macro_f1],
            "articles": way.articles,
            "mean": vars(way.mean),
            "against": {other: vars(one) for other, one in way.against.items()},
        }
        for name, way in found.ways.items()
    }
    answer = {**vars(plan), "passages": found.passages, "held_out_articles": found.held_out, "ways": ways, "judgements": None}
    if asked:
        from .simulated_questions import JUDGEMENTS

        f1 = {name: [vars(one) for one in curve] for name, curve in asked.f1.items()}
        against = {name: vars(one) for name, one in asked.against.items()}
        answer["judgements"] = {"label": asked.label, "numbers": JUDGEMENTS, "minutes": asked.minutes, "f1": f1, "against": against}
    return answer


def _table(found: Simulation, plan: Plan) -> str:
    from tabulate import tabulate

    from .tables import signed, signed_range, with_range

    names = list(found.ways)
    rows = [
        [size, passages, *(with_range(found.ways[name].macro_f1[number], 3) for name in names)]
        for number, (size, passages) in enumerate(zip(plan.sizes, found.passages, strict=True))
    ]
    curves = tabulate(rows, headers=["articles", "passages", *names])
    differences = [
        [name, with_range(way.mean, 3), *(f"{signed(one.value, 3)} [{signed_range(one, 3)}]" if (one := way.against.get(other)) else "" for other in names[:2])]
        for name, way in found.ways.items()
    ]
    paired = tabulate(differences, headers=["way", "mean", *(f"less {name}" for name in names[:2])])
    note = (
        f"Macro F1 on {found.held_out} other articles, {plan.repetitions} repetitions; a simulation, and no score of a model.\n"
        "All ways annotate as many passages. Brackets: 95 % intervals, bootstrap over articles and repetitions;\n"
        "differences are paired, of the mean over all rows after the first."
    )
    return f"{curves}\n\n{paired}\n\n{note}"


def _asked_table(asked: Asked) -> str:
    from tabulate import tabulate

    from .simulated_questions import JUDGEMENTS
    from .tables import signed, signed_range, with_range

    rows = [
        [number, f"{minutes:.0f}", *(with_range(curve[place], 3) for curve in asked.f1.values())]
        for place, (number, minutes) in enumerate(zip(JUDGEMENTS, asked.minutes, strict=True))
    ]
    table = tabulate(rows, headers=["judgements", "minutes", *asked.f1])
    lines = [f"judgements less {name}, at the end: {signed(one.value, 3)} [{signed_range(one, 3)}]" for name, one in asked.against.items()]
    return "\n".join([f"F1 of {asked.label}, by judgements of single passages and by whole articles in equal time\n", table, "", *lines])
