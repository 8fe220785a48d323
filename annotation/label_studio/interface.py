"""The annotation interface of Label Studio, made from the labels file."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from xml.etree import ElementTree as ET

from ..labels import LabelScheme

SPAN, TOPICS, NOTE, TEXT = "span", "topics", "note", "text"
"""Names of the interface's controls; results refer to them."""


def kind_control(label: str) -> str:
    """Name of the control that holds a label's kinds; each label needs its own, because Label Studio refuses a name given twice."""
    return f"kind-{label}"


def interface_xml(scheme: LabelScheme) -> str:
    """Make the labelling configuration: spans, the kind of a quote, topics, a note.

    Returns:
        Label Studio's XML. Labels, kinds, topics, colours and hotkeys are those of the labels file.
    """
    view = ET.Element("View")
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
    ET.SubElement(view, "TextArea", name=NOTE, toName=TEXT, placeholder="Note (optional)", rows="2", maxSubmissions="1", editable="true")
    return ET.tostring(view, encoding="unicode")


def instructions_html(scheme: LabelScheme) -> str:
    """Make the annotators' instructions from the definitions of the labels file."""
    labels = "".join(f"<li><b>{escape(label.name)}</b>: {escape(label.definition)}{_extra(label.kinds, label.exclusive)}</li>" for label in scheme.labels)
    topics = "".join(f"<li><b>{escape(topic.name)}</b>: {escape(topic.definition)}</li>" for topic in scheme.topics)
    return (
        "<p>Mark every stretch of text that carries a label, and choose the topics of the whole article. Labels combine freely, unless it "
        f"is said otherwise; no label is a normal outcome.</p><p>Labels:</p><ul>{labels}</ul><p>Topics:</p><ul>{topics}</ul>"
    )


def offered_in(xml: str) -> frozenset[tuple[str, str]]:
    """Read what a labelling configuration offers: pairs of a control's name and a value (label, kind or topic)."""
    controls = [control for control in ET.fromstring(xml).iter() if control.tag in {"Labels", "Choices"}]
    return frozenset((str(control.get("name")), str(one.get("value"))) for control in controls for one in control)


def _extra(kinds: Iterable[str], exclusive: bool) -> str:
    said = [f"Choose its kind: {' or '.join(kinds)}."] if kinds else []
    said += ["Excludes all other labels."] if exclusive else []
    return "".join(f" <i>{escape(one)}</i>" for one in said)
