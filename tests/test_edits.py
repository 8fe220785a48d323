"""What an annotator has to do with suggestions is counted in edits."""

import pytest
from newsmark.annotation.annotations import Span
from newsmark.annotation.edits import Edits, count_edits, count_topic_edits


def spans(*given):
    """Spans of (start, end, label) or (start, end, label, kind)."""
    return [Span(f"{number}", *one) for number, one in enumerate(given)]


@pytest.mark.parametrize(
    ("suggested", "right", "edits"),
    [
        ([(0, 9, "quote", "direct")], [(0, 9, "quote", "direct")], Edits(accepted=1)),
        ([(0, 9, "quote", "direct")], [(0, 9, "quote", "indirect")], Edits(relabelled=1)),
        ([(0, 9, "statistic")], [(0, 9, "commitment")], Edits(relabelled=1)),
        ([(0, 9, "statistic")], [(3, 9, "statistic")], Edits(moved=1)),
        ([(0, 9, "quote", "direct")], [(3, 9, "quote", "indirect")], Edits(moved=1, relabelled=1)),
        ([(0, 9, "statistic")], [(3, 9, "commitment")], Edits(deleted=1, added=1)),
        ([(0, 9, "statistic")], [(8, 12, "statistic")], Edits(moved=1)),
        ([(0, 9, "statistic")], [(9, 12, "statistic")], Edits(deleted=1, added=1)),
        ([(0, 9, "statistic"), (10, 19, "statistic")], [(0, 9, "statistic"), (10, 19, "statistic")], Edits(accepted=2)),
        ([(0, 9, "quote", "direct"), (10, 19, "quote", "direct")], [(0, 9, "quote", "indirect"), (11, 19, "quote", "direct")], Edits(moved=1, relabelled=1)),
        ([(0, 9, "quote", "direct"), (10, 19, "quote", "direct")], [(0, 8, "quote", "indirect"), (12, 19, "quote", "direct")], Edits(moved=2, relabelled=1)),
        ([(0, 9, "statistic")], [], Edits(deleted=1)),
        ([], [(0, 9, "statistic"), (0, 9, "commitment")], Edits(added=2)),
    ],
)
def test_each_difference_is_an_edit(suggested, right, edits):
    assert count_edits(spans(*suggested), spans(*right)) == edits


def test_a_span_is_matched_once_and_the_likest_first():
    suggested = spans((0, 9, "statistic"), (0, 9, "commitment"))
    assert count_edits(suggested, spans((0, 9, "commitment"), (0, 9, "quote", "direct"))) == Edits(accepted=1, relabelled=1)
    one_span = spans((0, 20, "quote", "direct"))
    assert count_edits(one_span, spans((0, 5, "quote", "indirect"), (6, 20, "quote", "direct"))) == Edits(moved=1, added=1)
    suggested = spans((0, 9, "quote", "direct"), (0, 12, "statistic"))
    assert count_edits(suggested, spans((0, 9, "statistic"), (0, 9, "quote", "indirect"))) == Edits(moved=1, relabelled=1)


def test_counts_add_up_and_what_is_accepted_is_no_edit():
    both = Edits(accepted=3, moved=1) + Edits(accepted=1, deleted=2, added=4)
    assert both == Edits(accepted=4, moved=1, deleted=2, added=4)
    assert both.total == 7


def test_topics_are_ticked_and_taken_away():
    assert count_topic_edits(["a", "b", "c"], ["c", "d"]) == Edits(accepted=1, deleted=2, added=1)
    assert count_topic_edits([], []) == Edits()
