"""Splitting: what always holds, on the seeds and on nasty texts, and how French and Swedish items are taken."""

import json
import unicodedata
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from newsmark.annotation.documents import read_documents
from newsmark.annotation.files import read_jsonl
from newsmark.annotation.splitting.passages import MAX_PASSAGE, split_passages

SEEDS = Path(__file__).parent.parent / "seeds"
GOLDEN = Path(__file__).parent / "data" / "seed_passages.jsonl"
DOCUMENTS = list(read_documents([SEEDS]))
FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
NASTY = {
    "emoji": "Bravo 👩‍👩‍👧 ! 🇸🇪 Sverige vann. 😀😀",
    "decomposed": unicodedata.normalize("NFD", "L’été a été chaud. À Malmö, då."),
    "crlf": "Un jour.\r\nDeux jours.\r\n\r\nTrois.",
    "carriage returns": "Un jour.\rDeux jours.",
    "tabs": "\tUn jour.\t\tDeux jours.\t\n\t\t\n",
    "no-break spaces": "\u00a0Un jour\u00a0! «\u00a0Oui\u00a0», dit-il.\u202fDeux jours.\u00a0",
    "line separator": "Un jour.\u2028Deux jours.\u2029Trois.\u0085Quatre.\x0bCinq.\x0cSix.",
    "byte order mark": "\ufeffUn jour. Deux jours.\ufeff",
    "zero width": "\u200bUn jour.\u200b \u2060Deux\u200djours.\u200e\n\u200b\n",
    "only white space": " \n\t\u00a0\u200b\ufeff\r\n",
    "empty": "",
    "marks": "... !!! ??? — « » “ ” ( ) [ ] .\n.\n»",
    "right to left": "قال الوزير. انتهى الاجتماع؟ نعم!",
    "no spaces": "部长说。会议结束了！真的？是。",
    "controls": "Un\x01jour.\x1fDeux \x1cjours.\x7f",
}


def assert_sound(text, passages):
    """Passages are slices in order, trimmed, within one line, and nothing but white space lies outside them."""
    position = 0
    for passage in passages:
        assert passage.text == text[passage.start : passage.end]
        assert passage.text == passage.text.strip() != ""
        assert passage.text.splitlines() == [passage.text]
        assert len(passage.text) <= MAX_PASSAGE
        assert position <= passage.start
        assert is_blank(text[position : passage.start])
        position = passage.end
    assert is_blank(text[position:])


def is_blank(text):
    return all(character.isspace() or unicodedata.category(character)[0] in "CZM" or character in FILLERS for character in text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name[:3])
def test_passages_of_a_seed_are_sound(document):
    passages = split_passages(document.text, document.language)
    assert len(passages) > 10
    assert_sound(document.text, passages)


@pytest.mark.parametrize("language", ["fr", "sv", "ja", "tlh"])
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_passages_of_a_nasty_text_are_sound(text, language):
    assert_sound(text, split_passages(text, language))


@given(
    st.text(st.sampled_from("AÉa1é.!?…。 \u00a0\u202f\u3000\t«»\"”“„'’()[]-–,;:😀\u0301\u200b中д") | st.characters(codec="utf-8"), max_size=80),
    st.sampled_from(["fr", "sv", "en", "de", "ru", "ar", "zh"]),
)
@example("de M.\u00a0A\u00a0. B", "fr")
def test_passages_of_any_text_are_sound(text, language):
    assert_sound(text, split_passages(text, language))


def test_the_passages_of_the_seeds_are_those_that_were_read_and_approved():
    rows = [{"document": one.name, "lang": one.language, **vars(passage)} for one in DOCUMENTS for passage in split_passages(one.text, one.language)]
    assert rows == [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize(
    "passages",
    [
        ["M. Giang espère un accord.", "Mme Waly l’a salué.", "MM. Minh et Giang aussi."],
        ["« Nous irons loin », a déclaré M. Minh.", "Il est parti."],
        ["« Nous irons. Nous vaincrons. »", "Il a souri."],
        ["Il a dit : « C’est fini. »", "Puis il est sorti."],
        ["« Est-ce vrai ? » a demandé Mme Waly.", "Oui !"],
        ["Les pertes atteignent plus de 3 % de leur PIB.", "Soit 3,5 milliards."],
        ["Voir https://www.example.org/a.b?c=d.html#e pour la suite.", "Merci."],
        ["Source : https://example.org/post917901.html"],
        ["La séance ouvre à 14 h. 30 dans la salle.", "Elle finit tard."],
        ["Il y a env. 30 cas.", "L’art. 5 de la loi le dit."],
        ["L’O.N.U. et l’U.E. sont là.", "Tant mieux."],
        ["Il est né en 1990.", "30 ans après, il règne."],
    ],
    ids=lambda passages: passages[0][:30],
)
def test_french_sentences_are_split_where_they_end(passages):
    assert [passage.text for passage in split_passages(" ".join(passages), "fr")] == passages


@pytest.mark.parametrize(
    "passages",
    [
        ["Vi såg t.ex. en hund.", "Den sprang bl.a. hit."],
        ["Mötet börjar kl. 14.30 i Lund.", "Det slutar sent."],
        ["Mötet börjar kl. 14.", "Sedan går vi hem."],
        ["”Vi kommer”, sade ministern.", "Sedan gick hon."],
        ["Han sade: ”Vi kommer. Vi går.”", "Han gick."],
        ["Priset är ca. 30 kr.", "Det är mycket."],
        ["Den 17 dec. 2025 öppnade mötet.", "Det kostar 3,5 procent av BNP."],
        ["Läs https://www.example.se/a.b.html för mer.", "Tack."],
        ["”Vi kommer”, sade hon.", "Anna gick hem."],
        ["Så blev det.", "Anna gick hem."],
        ["Valet hålls i maj.", "Anna ställer upp."],
        ["Boken är min.", "Anna läser den."],
    ],
    ids=lambda passages: passages[0][:30],
)
def test_swedish_sentences_are_split_where_they_end(passages):
    assert [passage.text for passage in split_passages(" ".join(passages), "sv")] == passages


@pytest.mark.parametrize(
    ("language", "passages"),
    [
        ("de", ["Es stauten sich 2.000 Lastwagen.", "»Wir sind hier. Wir bleiben«, sagte er.", "Er ging am 6. Mai."]),
        ("de", ["Er sagte: „Wir kommen. Wir bleiben.“", "Der 1. Vorsitzende und Bücher aus dem 19. Jahrhundert usw.", "Er ging."]),
        ("en", ["Dr. J. R. R. Smith of the U.S. Army told me.", "Then he said no.", "“We go. We stay,” she said."]),
        ("es", ["Dijo que ya no.", "El Sr. Pérez paga 2.000 euros.", "¿Cuándo?", "Hoy."]),
        ("fr", ["Il a parlé à M.\u00a0Dupont.", "«\u00a0Oui\u00a0», dit-il.", '"Non. Jamais", dit-elle.']),
        ("fr", ["Selon l’O.M.S., 1.200 cas, etc.", "Mme. Ba et le Dr. Léon sont là.", "M. Bâ aussi."]),
        ("it", ["Disse di no.", "“Resto qui”, ha detto.", "L'art. 5 della legge n. 241.", "Il dott. Rossi tace."]),
        ("ja", ["彼は「行こう。今だ。」と言った。", "ところが去った。", "3月だ。"]),
        ("nl", ["‘Wij gaan. Nu’, zei hij.", "Dat is zo."]),
        ("pl", ["Przyszli o godz. 10.30.", "„Idziemy. Teraz” – powiedział.", "Koniec."]),
        ("ru", ["А. С. Пушкин ушёл.", "«Да», сказал он."]),
        ("sv", ["1. Fri entré på museer.", "2. Fler lärare.", "Det går inte att komma ut.", "”Vi går”, sade hon."]),
        ("sv", ["Det blev så.", "»Vi kommer. Vi går», sade hon.", "Han gick."]),
        ("sv", ["Vi går.”", "Han gick.", "Hon kom."]),
        ("fr", ["Nous verrons…", "La ministre a quitté la salle."]),
        ("sv", ["Vi får se…", "Hon gick."]),
        ("fr", ["Publié le 5 sept. 2020 à 14:30.", "Fin."]),
        ("sv", ["Publicerad 5 okt. 2020.", "Slut."]),
        ("es", ["En ene. 2020 llegó.", "Fin."]),
        ("en", ["It opens from 10 a.m. Monday to 5 p.m. Friday.", "It closes at 7 p.m. ET on Friday."]),
        ("en", ["He left at 5 p.m.", "She stayed."]),
        ("sv", ["– Vi är glada, säger hon.", "– Vi också, säger han."]),
        ("sv", ["Han såg det.", "30 personer kom."]),
        ("sv", ["Han gick ut.", "’Jag går’, sa han."]),
        ("sv", ["Det blev så i maj.", "2020 vann de."]),
        ("sv", ["Så säger hon.", "(Läs mer här.)", "Sedan gick hon."]),
        ("fr", ["Des pommes, etc.", "20 pays en veulent."]),
        ("de", ["Preis inkl. Mehrwertsteuer und Frau geb. Schmidt, ca. 3 Tsd. Euro.", "Ende."]),
        ("de", ["Der Dipl.-Ing. Maier kam.", "Ende."]),
        ("en", ["Ms. Lee lives in Ft. Worth.", "End."]),
        ("fr", ["Il habite à St. Jean, bd. Raspail.", "Le col. Dupont y est."]),
        ("sv", ["Bolag, t.ex. Saab, dvs. Anna.", "Ordf. Bo Ek kom."]),
        ("de", ["Grundlage ist der Artikel 5.", "Die Nato beruft sich darauf."]),
        ("de", ["Er trägt die Nummer 10.", "Sein Trainer lobt ihn."]),
        ("de", ["Es waren am Ende 12.", "Alle gingen."]),
        ("de", ["Am Montag, 3. Juli, beginnt es.", "Sein 3. Tor und ihre 5. Sitzung.", "Ende."]),
        ("en", ["She holds a BS.", "He has an MS."]),
        ("fr", ["Plus d’infos sur www.lemonde.fr.", "Merci de votre lecture."]),
        ("es", ["Ver elpais.com.", "Gracias."]),
        ("fr", ["(Photo AFP.)", "Il pleut."]),
        ("en", ["The minister resigned.", "(See page 5.)", "He left."]),
        ("de", ["‚Ja‘, sagte er.", "‚Nein‘, sagte sie."]),
        ("fr", ["Bravo à l’O.M. !", "Fin."]),
        ("fr", ["II. Le contexte"]),
        ("fr", ["3.1. Le contexte"]),
        ("en", ["a. The point"]),
        ("en", ["He spent max. 10 hours, approx. 5 days.", "End."]),
        ("fr", ["Il a dit (sans rire.) puis rien.", "Fin."]),
        ("fr", ["« Nous verrons… La suite viendra. »", "Fin."]),
        ("it", ["L’on. Meloni parla.", "Fine."]),
        ("vi", ["Ông TS. Nguyễn đến TP. Hồ Chí Minh.", "Họ đi."]),
        ("zh", ["部长说：「会议结束了。我们走。」", "他走了。", "2020年有3.5万人。"]),
    ],
)
def test_sentences_of_other_languages_quotations_and_lists_are_split_where_they_end(language, passages):
    assert [passage.text for passage in split_passages(("" if language in {"ja", "zh"} else " ").join(passages), language)] == passages


def test_sentences_of_the_cold_start_corpus_are_found_again_when_they_are_joined_to_paragraphs():
    found = {"both": 0, "either": 0}
    for path in sorted((SEEDS / "bootstrap").glob("*.jsonl")):
        between = "" if path.stem in {"ja", "zh"} else " "
        rows = [row for _, row in read_jsonl(path)]
        for (_, running), group in groupby(rows, lambda row: (row["document"], len(row["text"]) >= 40 and row["text"][-1] in '.!?。！？…”»"')):
            texts = [row["text"] for row in group] if running else []
            expected = {len(between.join(texts[:count])) for count in range(1, len(texts) + 1)}
            ends = {passage.end for passage in split_passages(between.join(texts), path.stem)}
            found["both"] += len(ends & expected)
            found["either"] += len(ends | expected)
    assert found["either"] > 4000
    assert found["both"] > 0.95 * found["either"]


def test_a_line_break_always_ends_a_passage():
    assert [passage.text for passage in split_passages("Même sujet\nMême catégorie\r\n  Comment (0)", "fr")] == ["Même sujet", "Même catégorie", "Comment (0)"]


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        ("\u200b\u200e \u2060", "Un jour", "\u2060 \u200e\u200b"),
        ("\u3164", "\u0600 12", "\u2800"),  # the Arabic sign for a number is a format character, and is drawn
        ("", "\u0600", ""),
        ("\ufeff", "Vive l’Écosse \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "\u200b"),  # so are those that end a flag
    ],
)
def test_a_passage_is_all_of_its_line_that_shows(before, seen, after):
    assert [(passage.start, passage.text) for passage in split_passages(f"Oui.\n{before}{seen}{after}\nNon.", "fr")][1] == (5 + len(before), seen)


@pytest.mark.parametrize("language", ["tlh", "fr-FR", "", "../en", "EN"])
def test_an_unknown_language_is_split_with_the_english_rules(language):
    assert [passage.text for passage in split_passages("Mr. Bond came. He left.", language)] == ["Mr. Bond came.", "He left."]


@pytest.mark.parametrize("text", ["mot " * 1_250_000, "a" * 5_000_000], ids=["words", "one run of letters"])
def test_a_5_mb_line_without_a_full_stop_is_cut_into_passages_of_10_000_characters_at_most(text):
    passages = split_passages(text, "fr")
    assert_sound(text, passages)
    assert len(passages) == 500


def test_an_overlong_line_of_words_is_cut_between_words():
    assert {word for passage in split_passages("parole " * 6000, "fr") for word in passage.text.split()} == {"parole"}


def test_an_overlong_line_is_cut_after_its_last_full_stop_that_still_fits():
    parts = ["parole " * 500 + "ici. " + "parole " * 500 + "à 3.14 fin.", "parole " * 999 + "ici."]
    assert [passage.text for passage in split_passages(" ".join(parts), "fr")] == parts


def test_a_line_of_just_the_longest_length_is_not_cut():
    line = "parole " * 1428 + "fin."
    assert [passage.text for passage in split_passages(line, "fr")] == [line]
    assert len(line) == MAX_PASSAGE


def test_an_overlong_line_is_not_cut_inside_a_number():
    assert {word for passage in split_passages("taux 3.142 " * 2000, "fr") for word in passage.text.split()} == {"taux", "3.142"}


@pytest.mark.parametrize("text", ["... " * 2400, "e\u0301" * 5000, ".  " * 900 + "x", "? " * 4000 + "Slut."])
def test_what_holds_no_sentences_is_cut_and_nothing_is_lost(text):
    passages = split_passages(text, "sv")
    assert "".join(passage.text for passage in passages).replace(" ", "") == text.replace(" ", "")
