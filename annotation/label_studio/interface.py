"""The annotation interface of Label Studio, made from the labels file."""

from __future__ import annotations

from html import escape
from xml.etree import ElementTree as ET

from ..disputes import Dispute
from ..labels import Label, LabelScheme

SPAN, TOPICS, NOTE, TEXT = "span", "topics", "note", "text"
"""Names of the interface's controls; results refer to them."""

DISPUTED, REJECTED = "disputed", "rejected"
"""Names of what only the interface for adjudicating has: the list of what is in dispute, and the choice that none of it is right."""


_BAR = "position: sticky; top: 0; z-index: 5; padding: 4px 0; background: var(--color-neutral-background, #fff)"
"""Style of the labels and kinds: they stay in view while the text is scrolled."""

_HEAD = "<p><br><b>{}</b></p>"
"""Label Studio's page takes bullets, numbers, space and styles away: they are written out."""

_HOW = f"""{_HEAD.format("How to work")}<ol>
<li>1. Once on each computer: click the sliders below the text and switch on <b>Keep label selected after creating a region</b>.</li>
<li>2. The suggestions are marked already: correct them, add what is missing, choose the topics below the text, and press Ctrl+Enter to submit.</li>
<li>3. To mark: press the key of a label once, then drag over one stretch after another; halves of words are taken as whole ones. One drag over neighbouring
lines or sentences marks each of them. Esc puts the label away.</li>
<li>4. To delete: click a mark, each further one with Ctrl, and press Backspace once for all of them. To change their label, press its key instead.</li>
<li>5. Mark the whole sentence where all of it has the label, else the part that has it. One stretch may have several labels: mark it once with each.</li>
<li>6. What you do is kept as a draft; Submit sends it, and Update changes what you have sent. Skip is for texts that can't be judged.</li>
</ol>"""


def kind_control(label: str) -> str:
    """Name of the control that held a label's kinds, before each kind became a mark of its own; older annotations have its results."""
    return f"kind-{label}"


def mark_name(label: str, kind: str | None) -> str:
    """Name of what annotators mark with: a label or, where it has kinds, ``LABEL:KIND``, so that one key gives both."""
    return f"{label}:{kind}" if kind else label


def read_mark(name: str) -> tuple[str, str | None]:
    """Label and kind of a mark (see ``mark_name``)."""
    label, _, kind = name.partition(":")
    return label, kind or None


def interface_xml(scheme: LabelScheme, adjudicating: bool = False, former: bool = False) -> str:
    """Make the labelling configuration: spans with a label and, where it has kinds, its kind; topics, a note.

    Args:
        scheme: labels and topics.
        adjudicating: show what is in dispute above the text, and offer the choice that none of it is right.
        former: also show, and let change, marks whose kind was chosen in a control of its own, as it was once; Label Studio drops results of
            controls that an interface does not have.

    Returns:
        Label Studio's XML. Labels, kinds, topics, colours and hotkeys are those of the labels file.
    """
    view = ET.Element("View")
    if adjudicating:
        ET.SubElement(view, "Header", value="To decide: mark in the text below what is right", size="4")
        ET.SubElement(view, "HyperText", name=DISPUTED, value="$disputed", inline="true")
    ET.SubElement(view, "Header", value="$name", size="6")
    bar = ET.SubElement(view, "View", style=_BAR)
    labels = ET.SubElement(bar, "Labels", name=SPAN, toName=TEXT)
    for label in scheme.labels:
        for kind, hotkey in label.marks.items():
            mark = ET.SubElement(labels, "Label", value=mark_name(label.name, kind), background=label.color, hint=label.definition)
            if hotkey:
                mark.set("hotkey", hotkey)
    for label in scheme.labels if former else ():
        if label.kinds:
            ET.SubElement(labels, "Label", value=label.name, background=label.color, hint="As it was marked before: choose the kind beside the labels.")
            kinds = ET.SubElement(
                bar,
                "Choices",
                name=kind_control(label.name),
                toName=TEXT,
                perRegion="true",
                whenTagName=SPAN,
                whenLabelValue=label.name,
                showInline="true",
            )
            for kind in label.kinds:
                ET.SubElement(kinds, "Choice", value=kind)
    ET.SubElement(view, "Text", name=TEXT, value="$text", showLabels="true", granularity="word")
    ET.SubElement(view, "Header", value="Topics of the whole article", size="5")
    topics = ET.SubElement(view, "Choices", name=TOPICS, toName=TEXT, choice="multiple", showInline="true")
    for topic in scheme.topics:
        ET.SubElement(topics, "Choice", value=topic.name, hotkey=topic.hotkey, hint=topic.definition)
    if adjudicating:
        rejected = ET.SubElement(view, "Choices", name=REJECTED, toName=TEXT, choice="multiple")
        ET.SubElement(rejected, "Choice", value="Nothing of what is in dispute is right")
    ET.SubElement(view, "TextArea", name=NOTE, toName=TEXT, placeholder="Note (optional)", rows="2", maxSubmissions="1", editable="true")
    return ET.tostring(view, encoding="unicode")


def instructions_html(scheme: LabelScheme, adjudicating: bool = False) -> str:
    """Make the annotators' instructions from the definitions of the labels file, with how to adjudicate where that is the task."""
    labels = "".join(f"<li>• <b>{escape(label.name)}</b>: {escape(label.definition)}{_extra(label)}</li>" for label in scheme.labels)
    topics = "".join(f"<li>• <b>{escape(topic.name)}</b> (key {escape(topic.hotkey)}): {escape(topic.definition)}</li>" for topic in scheme.topics)
    how = (
        "<p>What is in dispute is listed above the text, with who marked it and who did not; what all annotators agree on is marked already. Mark what "
        "you think is right, and submit. A task that is submitted as it was shown decides nothing and is reported: if nothing of what is in dispute is "
        "right, tick that below the text.</p><p>Where labels are in doubt, the annotation is marked already, and the doubts are listed above the text with "
        "their reasons: correct what is wrong, and submit, also where nothing is.</p>"
    )
    return (how if adjudicating else "") + (
        "<p>Mark every stretch of text that carries a label, and choose the topics of the whole article. Labels combine freely, unless it "
        f"is said otherwise; no label is a normal outcome.</p>{_HOW}{_HEAD.format('Labels')}<ul>{labels}</ul>"
        f"{_HEAD.format('Topics')}<ul>{topics}</ul>"
        "<p><br>The codebook, annotation/CODEBOOK.md in newsmark's repository, has all rules and many examples.</p>"
    )


def dispute_html(dispute: Dispute) -> str:
    """List what is in dispute in one document, in reading order, with who marked it and who did not."""
    text = dispute.shared.document.text
    rows = [
        (
            " ".join(text[one.span.start : one.span.end].split()),
            f"{one.span.label} ({one.span.kind})" if one.span.kind else one.span.label,
            one.marked_by,
            one.not_by,
        )
        for one in sorted(dispute.spans, key=lambda one: (one.span.start, one.span.end))
    ]
    for topic in dict.fromkeys(topic for some in dispute.topics.values() for topic in some if topic not in dispute.agreed_topics):
        by = tuple(name for name, some in dispute.topics.items() if topic in some)
        rows.append(("(the whole article)", f"topic {topic}", by, tuple(name for name in dispute.topics if name not in by)))
    head = "".join(f"<th align='left'>{name}</th>" for name in ("words", "marked as", "by", "not by"))
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in (words, mark, ', '.join(by), ', '.join(others)))}</tr>" for words, mark, by, others in rows
    )
    return f"<table border='1' cellpadding='4'><tr>{head}</tr>{body}</table>"


def offered_in(xml: str) -> frozenset[tuple[str, str]]:
    """Read what a labelling configuration offers: pairs of a control's name and a value (label, kind or topic)."""
    controls = [control for control in ET.fromstring(xml).iter() if control.tag in {"Labels", "Choices"}]
    return frozenset((str(control.get("name")), str(one.get("value"))) for control in controls for one in control)


def needs_former(xml: str, scheme: LabelScheme) -> bool:
    """Whether annotators could mark, in this configuration, with a label that has kinds without naming one, as it was once or before it had kinds."""
    plain = {label.name for label in scheme.labels if label.kinds}
    return any(control.startswith(kind_control("")) or (control == SPAN and name in plain) for control, name in offered_in(xml))


def labels_in(xml: str) -> tuple[str, ...]:
    """Read the labels of spans that a labelling configuration offers, in its order."""
    marks = (str(one.get("value")) for control in ET.fromstring(xml).iter("Labels") if control.get("name") == SPAN for one in control)
    return tuple(dict.fromkeys(read_mark(mark)[0] for mark in marks))


def _extra(label: Label) -> str:
    keys = [(mark_name(label.name, kind), key) for kind, key in label.marks.items()]
    said = ["Mark it with " + " or ".join(f"{name} (key {key})" if key else name for name, key in keys) + "."]
    said += ["Excludes all other labels."] if label.exclusive else []
    examples = "".join(f"<li>– {escape(one)}</li>" for one in label.examples)
    return "".join(f" <i>{escape(one)}</i>" for one in said) + (f"<ul>{examples}</ul>" if examples else "")
