"""The annotation interface of Label Studio, made from the labels file."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from xml.etree import ElementTree as ET

from ..disputes import Dispute
from ..labels import LabelScheme

SPAN, TOPICS, NOTE, TEXT = "span", "topics", "note", "text"
"""Names of the interface's controls; results refer to them."""

DISPUTED, REJECTED = "disputed", "rejected"
"""Names of what only the interface for adjudicating has: the list of what is in dispute, and the choice that none of it is right."""


def kind_control(label: str) -> str:
    """Name of the control that holds a label's kinds; each label needs its own, because Label Studio refuses a name given twice."""
    return f"kind-{label}"


def interface_xml(scheme: LabelScheme, adjudicating: bool = False) -> str:
    """Make the labelling configuration: spans, the kind of a quote, topics, a note.

    Args:
        scheme: labels and topics.
        adjudicating: show what is in dispute above the text, and offer the choice that none of it is right.

    Returns:
        Label Studio's XML. Labels, kinds, topics, colours and hotkeys are those of the labels file.
    """
    view = ET.Element("View")
    if adjudicating:
        ET.SubElement(view, "Header", value="In dispute: mark in the text below what is right", size="4")
        ET.SubElement(view, "HyperText", name=DISPUTED, value="$disputed", inline="true")
    labels = ET.SubElement(view, "Labels", name=SPAN, toName=TEXT)
    for label in scheme.labels:
        ET.SubElement(labels, "Label", value=label.name, background=label.color, hotkey=label.hotkey, hint=label.definition)
    ET.SubElement(view, "Text", name=TEXT, value="$text")
    for label in scheme.labels:
        if label.kinds:
            kinds = ET.SubElement(
                view,
                "Choices",
                name=kind_control(label.name),
                toName=TEXT,
                perRegion="true",
                whenTagName=SPAN,
                whenLabelValue=label.name,
                required="true",
                showInline="true",
            )
            for kind in label.kinds:
                ET.SubElement(kinds, "Choice", value=kind)
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
    labels = "".join(f"<li><b>{escape(label.name)}</b>: {escape(label.definition)}{_extra(label.kinds, label.exclusive)}</li>" for label in scheme.labels)
    topics = "".join(f"<li><b>{escape(topic.name)}</b>: {escape(topic.definition)}</li>" for topic in scheme.topics)
    how = (
        "<p>What is in dispute is listed above the text, with who marked it and who did not; what all annotators agree on is marked already. Mark what "
        "you think is right, and submit. A task that is submitted as it was shown decides nothing and is reported: if nothing of what is in dispute is "
        "right, tick that below the text.</p>"
    )
    return (how if adjudicating else "") + (
        "<p>Mark every stretch of text that carries a label, and choose the topics of the whole article. Labels combine freely, unless it "
        f"is said otherwise; no label is a normal outcome.</p><p>Labels:</p><ul>{labels}</ul><p>Topics:</p><ul>{topics}</ul>"
        "<p>The codebook, annotation/CODEBOOK.md in newsmark's repository, has all rules and many examples.</p>"
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


def labels_in(xml: str) -> tuple[str, ...]:
    """Read the labels of spans that a labelling configuration offers, in its order."""
    return tuple(str(one.get("value")) for control in ET.fromstring(xml).iter("Labels") if control.get("name") == SPAN for one in control)


def _extra(kinds: Iterable[str], exclusive: bool) -> str:
    said = [f"Choose its kind: {' or '.join(kinds)}."] if kinds else []
    said += ["Excludes all other labels."] if exclusive else []
    return "".join(f" <i>{escape(one)}</i>" for one in said)
