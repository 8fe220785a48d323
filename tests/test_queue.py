"""Which articles to annotate next."""

from newsmark.annotation.documents import Document
from newsmark.annotation.label_studio.ranks import Waiting, stale_ranks
from newsmark.annotation.queue import in_shares, queue_articles

MORE = "Det sade hon på måndagen efter ett möte med regeringen, där frågan om skolornas framtid hade varit uppe. Kommunerna får vänta till våren. "
TEXTS = {
    "short": "Solen sken.\nDet var fint väder.",
    "long": MORE + "Ministern hoppas att fler länder ansluter sig, och vi ska bygga 100 skolor till nästa år.",
    "copy": MORE + "Ministern hoppas att fler länder ansluter sig, och vi ska bygga 101 skolor till nästa år.",
    "other": "Kommunen öppnar ett nytt bibliotek i den gamla stationen vid torget.",
}
DOCUMENTS = [Document(text, f"{name}.txt", "sv") for name, text in TEXTS.items()]


def test_each_language_has_its_share_of_every_start_of_the_queue():
    order = in_shares([*((f"sv{number}", "sv") for number in range(6)), ("fr1", "fr"), ("fr0", "fr")])
    assert [key for key in order if key[:2] == "sv"] == [f"sv{number}" for number in range(6)]
    assert [key for key in order if key[:2] == "fr"] == ["fr1", "fr0"]
    assert [sum(key[:2] == "fr" for key in order[:size]) for size in (4, 8)] == [1, 2]


def test_near_copies_come_last_and_say_of_what():
    queue = queue_articles(DOCUMENTS)
    assert sorted(one.document.name for one in queue) == sorted(one.name for one in DOCUMENTS)
    *first, last = queue
    assert {last.document.name, last.copy_of} == {"long.txt", "copy.txt"}
    assert last.reason == f"near copy of {last.copy_of}"
    assert [one.reason for one in first] == ["by chance; language sv"] * 3
    assert [one.copy_of for one in queue_articles(DOCUMENTS[1:2], [DOCUMENTS[2]])] == ["copy.txt"]
    assert queue_articles([]) == []


def test_the_order_is_by_chance_and_still_the_same_whatever_else_is_there_and_in_which_order():
    many = [Document(f"Mening nummer {number}.", f"{number:03}.txt", "sv") for number in range(200)]
    names = [one.document.name for one in queue_articles(many)]
    assert names == [one.document.name for one in queue_articles(many[::-1])]
    assert [name for name in names if name < "100"] == [one.document.name for one in queue_articles(many[:100])]
    early = sum(name < "100" for name in names[:100])
    assert 35 < early < 65  # of 100, as chance has it
    assert names != sorted(names)


def test_only_ranks_that_are_not_right_are_written_and_what_left_the_queue_loses_its_rank():
    queue = queue_articles(DOCUMENTS)[:2]
    tasks = [Waiting(number, one.id, {"sha256": one.id, "name": one.name}) for number, one in enumerate(DOCUMENTS)]
    written = dict(stale_ranks(tasks, queue))
    assert len(written) == 2
    assert sorted(one["rank"] for one in written.values()) == ["0001", "0002"]
    after = [Waiting(one.id, one.sha256, written.get(one.id, one.data)) for one in tasks]
    assert stale_ranks(after, queue) == []
    left = dict(stale_ranks(after, queue[:1]))
    assert list(left.values()) == [{"sha256": queue[1].document.id, "name": queue[1].document.name}]
