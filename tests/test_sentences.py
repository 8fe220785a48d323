"""Where sentences end, kind by kind: abbreviations, numbers, letters, quotations, lists; and how much work it is."""

import re
import sys
from pathlib import Path

import pytest
from newsmark.annotation.splitting import sentences
from newsmark.annotation.splitting.passages import split_passages
from newsmark.annotation.splitting.rules import EVERYWHERE, Rules, rules_of, word_lists
from wordfreq import top_n_list

NO_SPACES = {"ja", "zh"}


def check(language, expected):
    """Sentences, divided by "|", are found again when they are joined."""
    passages = [sentence.strip() for sentence in expected.split("|")]
    joined = ("" if language in NO_SPACES else " ").join(passages)
    assert [passage.text for passage in split_passages(joined, language)] == passages


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("no", "Han ville være med. | Politiet kom."),
        ("da", "Hun var ned. | Ingen så det."),
        ("it", "È un vertice della Nato. | Roma tace."),
        ("en", "She is ill. | Doctors came."),
        ("de", "Das ist seine Art. | Berlin schweigt."),
        ("es", "Llegaron por mar. | Madrid calla."),
        ("nl", "Hij wist dat. | Politie kwam."),
        ("ru", "Это стоит 5 млн руб. | Потом дешевле."),
        ("ru", "Он помог им. | Потом ушёл."),
        ("cs", "Pomohl nám. | Praha mlčí."),
        ("pl", "Zmarł w 2014 r. | Był posłem."),
        ("fr", "Il a raté son vol. | Paris se tait."),
        ("sv", "Lådan är tom. | Anna tittar."),
    ],
)
def test_a_sentence_ends_after_a_word_that_is_also_an_abbreviation(language, sentences):
    check(language, sentences)


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("pl", "W 2014 r. Rosja zajęła Krym."),
        ("pl", "Kościół św. Anny i ks. Jan Nowak."),
        ("pl", "Ma poparcie ok. 31 proc. | Tak wynika z badania."),
        ("pl", "Szkoła im. Kopernika stoi przy ul. Długiej 5, m.in. Wisła."),
        ("pt", "No século V a.C. Atenas venceu."),
        ("it", "Nel 44 a.C. Cesare morì."),
        ("es", "En el 44 a.C. César murió."),
        ("tr", "M.Ö. 700 yılında kuruldu."),
        ("tr", "Doç. Dr. Kaya ve Av. Demir geldi."),
        ("id", "Tn. Budi dan Ny. Sari datang."),
        ("hu", "2024. szept. 5-én kezdődik."),
        ("hu", "Dr. Kovács és id. Nagy jött. | A 3. kerületben laknak."),
        ("ro", "Potrivit dl. Popescu e bine."),
        ("nl", "Het kost 5 mln. Euro."),
        ("nl", "Mevr. Jansen en dhr. De Vries, d.w.z. Nederland, nr. 5."),
        ("cs", "Podle mjr. Nováka je klid."),
        ("cs", "Přišlo asi 5 tis. lidí apod. | Nikdo nechyběl."),
        ("sk", "Podľa kpt. Nováka, napr. Ján, je pokoj."),
        ("ar", "قال د. أحمد إن الأمر انتهى."),
        ("hi", "डॉ. सिंह ने कहा।"),
        ("th", "ดร. สมชาย กล่าว"),
        ("he", 'ד"ר כהן אמר: "כן." | הוא הלך.'),
        ("he", "גב' לוי ופרופ' כהן באו. | הם הלכו."),
        ("ru", "Он родился в г. Москва в 1990 г. | Он жил там."),
        ("ru", "См. рис. 5 и т. д. | Он прав."),
        ("ru", "Я живу на ул. Ленина, д. 5, кв. 3."),
        ("uk", "Ціна 5 тис. грн. | Потім дешевше."),
        ("uk", "Це вул. Шевченка, проф. Коваль і с. Моринці."),
        ("bg", "Това е ул. Раковски, проф. Иванов, напр. София."),
        ("el", "Ο κ. Παπαδόπουλος ήρθε. | Τι ώρα είναι; | Δεν ξέρω."),
        ("hr", "Npr. Zagreb i dr. Horvat, tzv. Ante. | On je tu."),
        ("sr", "Проф. др Петровић и инж. Јовић. | Он је ту."),
        ("sl", "Npr. Ljubljana in g. Novak, dr. Kos."),
        ("fi", "Esim. Helsinki ja prof. Virtanen, ks. s. 5."),
        ("da", "F.eks. København og hr. Hansen, bl.a. Anna, kl. 14.30."),
        ("no", "F.eks. Oslo og hr. Hansen, bl.a. Anna, kl. 14.30."),
        ("de", "Z. B. Berlin und i. d. R. Bonn, vgl. S. 5."),
        ("lt", "Pvz. Vilnius ir prof. Kazlauskas, g. Gedimino."),
        ("lv", "Piem. Rīga un prof. Ozols, plkst. 14.30."),
        ("et", "Näit. Tallinn ja prof. Tamm, kell 14.30."),
        ("vi", "Ông TS. Nguyễn ở TP. Hồ Chí Minh."),
        ("ca", "El Sr. Puig i la Dra. Vila, pàg. 5."),
        ("en", "Tesla Inc. CEO Elon Musk said so. | He left Apple Inc. | The firm fell."),
        ("en", "Martin Luther King Jr. Day is in Jan. 2025."),
        ("en", "At 5 a.m. Mr. Smith came. | He left at 6 p.m. | Mr. Jones stayed."),
    ],
)
def test_no_sentence_ends_after_an_abbreviation(language, sentences):
    check(language, sentences)


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", "“Why now?” Clara Lind asked. | She left."),
        ("en", "“We will not stop!” President Novak told reporters. | He left."),
        ("en", "“I’m playing!” | The band left town."),
        ("en", "“I’m playing!” | He said no."),
        ("en", "“Why?” Mr. Smith said. | He left."),
        ("tr", "“Yeter!” Erdem sordu. | Sonra gitti."),
        ("ja", "「もう十分だ！」森大臣は言った。 | 彼は去った。"),
        ("zh", "“够了！”他说。 | 他走了。"),
        ("zh", "部长说：“够了！” | 他走了。"),
        ("es", "—¿Quién es? —preguntó Ana. | Nadie contestó."),
        ("ru", "— Хватит! — сказал Иванов. | Все ушли."),
        ("de", "„Ja!“, rief er. | „Nein!“ | Der Saal schwieg."),
        ("hu", "„Elég!” Kovács mondta. | Elment."),
    ],
)
def test_a_quotation_stays_whole_with_the_sentence_that_only_names_its_speaker(language, sentences):
    check(language, sentences)


def test_a_long_quotation_is_read_sentence_by_sentence():
    said = ["“We came here in the month of May.", *[f"In year {year} the river rose and the town gave us nothing." for year in range(7)], "We left,” she said."]
    check("en", " | ".join([*said, "Nobody asked."]))
    check("en", "“We came in May. We left,” she said. | Nobody asked.")


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("fr", "Il fait moins de 2 °C. | De nombreux savants le disent."),
        ("fr", "C’était avant J.-C. | La ville brûla."),
        ("fr", "M. Le Pen est venu. | Jean-C. Dupont aussi."),
        ("en", "Take vitamin D. | Prices fell."),
        ("en", "He led the F.B.I. | James Lind was fired."),
        ("en", "The F.B.I. Director spoke. | The U.N. Security Council met."),
        ("en", "The U.S. Senate voted. | He is in the U.S. | The law is old."),
        ("en", "J. R. R. Tolkien wrote it. | J.K. Rowling did not."),
        ("en", "Visit Booking.com or Node.js today. | Mail a.b@c.com."),
        ("de", "Er kam nach Hause. | 300 Menschen warteten."),
        ("de", "Am 3. Oktober 1990 kam er. | Der 1. FC Köln gewann."),
        ("de", "Es war Papst Johannes Paul II. | Er kam aus Polen."),
        ("cs", "Přišel domů. | 300 lidí čekalo."),
        ("cs", "Bylo to 5. 12. 2024 v Praze. | Pak odešel."),
        ("sk", "Prišiel domov. | 300 ľudí čakalo."),
        ("da", "Han kom hjem. | 300 mennesker ventede."),
        ("fi", "Hän tuli kotiin. | 300 ihmistä odotti."),
        ("nl", "Meer op nu.nl. | Daarna sport."),
        ("sv", "Det är det bra i. | Sedan gick hon."),
    ],
)
def test_a_sentence_ends_after_a_letter_a_unit_or_a_site_and_before_a_number(language, sentences):
    check(language, sentences)


@pytest.mark.parametrize(
    "items",
    [
        "1. Apples. | 2. Pears. | 3. Plums.",
        "1) The first item | 2) The second item",
        "1.) The first item | 2.) The second item",
        "• 9. The first item | • 10. The second item",
        "⁃9. The first item | ⁃10. The second item",
        "a. The first item | b. The second item | c. The third item",
    ],
)
def test_each_item_of_a_list_on_one_line_is_a_passage(items):
    check("en", items)


@pytest.mark.parametrize("line", (Path(__file__).parent / "data" / "sentences.txt").read_text(encoding="utf-8").splitlines())
def test_what_news_writes_in_each_language_is_split_where_its_sentences_end(line):
    language, _, expected = line.partition(" ")
    check(language, expected)


@pytest.mark.parametrize("mark", ["\u202c", "\u2069", "\u00ad", "\ufe0f", "\u061c", "\u0301", "\u200d", "\u3164"])
def test_a_line_of_invisible_marks_is_no_passage(mark):
    assert [passage.text for passage in split_passages(f"Ja.\n{mark}\n {mark} {mark}\nNej.", "sv")] == ["Ja.", "Nej."]


# Words among the commonest 3,000 of a language that are abbreviations and nothing else; all others end a sentence.
ABBREVIATIONS = {
    "bg": "ал бул гр доц др зам кв лв мин млн млрд ок проф св ст тел ул хил",
    "ca": "art ex max min núm pp vol",
    "cs": "art cca dr ing max mil min např resp sb sv tel tj tzv viz",
    "da": "art ca dr dvs eks evt hr jan kl kr max mia min mio nr pga pr st stk tab tlf",
    "de": "art bzw ca dr geb hrsg km max min nr prof tel vol",
    "el": "αγ αρ δηλ δισ δρ εκατ κα καθ παρ σελ τηλ υπ χλμ",
    "en": "ca dr ed ft max min mr mrs par prof tel vol vs",
    "es": "art ed max min núm pp sr vol vs",
    "fi": "art esim klo kpl max min ns vs",
    "fr": "al art ex max min pp sept tel vol",
    "he": "גב טל מס עמ פרופ",
    "hu": "art dr ford ill kap kb max min pl pp sz tel ún",
    "id": "dgn dr jl km max min no pp prof vs yg",
    "is": "bls des dr gr hr kl kr max min nr próf sbr sr tel",
    "it": "art cit es mar max min on pp prof vol",
    "lt": "al angl art dr ha km kun max min mln mlrd nr pr proc prof pvz tūkst val vyr šv žr",
    "lv": "ap aug dr gs lpp max min nr pag plkst sv tel",
    "nb": "bla ca dr dvs eks evt feks jan kl kr max mill min nr pga st vs",
    "nl": "art bv ca dr jan km max min mr nr red st tel vol vs",
    "pl": "al ang art ds dr godz im ks max min mln nr np ok pl proc prof pt red st tj tys tzn tzw ul ust vs wg zł św",
    "pt": "art ed ex max min nº",
    "ro": "art dl dr dvs ed ex max min mr nr pr prof sec sf str",
    "ru": "англ гг им изд мин млн млрд ок ред руб см ст стр тел тыс ул",
    "sh": "br ca dr god max min mr nov npr prof red st str sv tj tzv",
    "sk": "cca dr ing max mgr mil min napr nr resp sv tzv",
    "sl": "dr max min nov npr ok oz prof str sv ur št",
    "sv": "ca dr dvs jan kl kr max mkt nr pga st tex vs",
    "tr": "dr max min no prof tel vs",
    "uk": "вул год грн див млн млрд обл ок пп ред рос рр св ст тис тов укр хв ім",
    "vi": "max pp tr vs",
    "ar": "",
}
NAMES = {"bg": "София", "el": "Αθήνα", "he": "ירושלים", "ru": "Москва", "uk": "Київ", "ar": "القاهرة"}


@pytest.mark.parametrize("language", ABBREVIATIONS)
def test_a_sentence_ends_after_each_of_the_commonest_words_before_a_name_and_before_a_number(language):
    words = [word for word in top_n_list(language, 3000) if word.isalpha() and len(word) > 1]
    following = (NAMES.get(language, "Berlin"), "300")
    missed = {word for word in words for begin in following if len(split_passages(f"Anna {word}. {begin} xyz.", language)) != 2}
    assert missed <= set(ABBREVIATIONS[language].split())


@pytest.mark.parametrize(("name", "lists"), word_lists().items())
def test_the_lists_of_a_language_hold_words_without_full_stops(name, lists):
    assert set(lists) <= {*Rules.__dataclass_fields__, *(["same_as"] if name == EVERYWHERE else [])}
    for key, text in lists.items():
        words = text.split()
        assert len(words) == len(set(words)), key
        assert not any(word.endswith(".") for word in words) or key == "introducing", key


def test_a_language_can_use_the_lists_of_another_and_one_without_lists_those_of_english():
    assert rules_of("nb") is rules_of("no")
    assert rules_of("tlh") is rules_of("en")
    assert rules_of("../en") is rules_of("en")


def work(text, language):
    """Lines of code that splitting a text runs; each looks at a bounded piece of the text."""
    folder = str(Path(sentences.__file__).parent)
    count = 0

    def trace(frame, event, _):
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename.startswith(folder) else None

    sys.settrace(trace)
    try:
        split_passages(text, language)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("language", ["it", "en", "de", "ja", "hy", "tlh"])
@pytest.mark.parametrize(
    "piece",
    [
        "A. ",
        "« ",
        '"',
        "“ ",
        '." ',
        "' ",
        "1. ",
        "1) ",
        "a. b. ",
        "• ",
        "(",
        "()",
        "[1]",
        ". . ",
        "... ",
        "！",
        "「",
        "z. B. ",
        "A.",
        "word. 3. ",
        "? —a ",
        "'' . ",
    ],
)
def test_work_grows_with_the_length_of_a_line_whatever_it_holds(piece, language):
    rules_of(language)
    short, long = (work(piece * (length // len(piece)), language) for length in (800, 3_200))
    assert long < 4.5 * short + 200


def test_every_pattern_looks_at_a_piece_of_bounded_length_or_reads_a_line_once():
    for source in ("sentences", "quotations", "stops"):
        code = (Path(sentences.__file__).parent / f"{source}.py").read_text(encoding="utf-8")
        patterns = re.findall(r"re\.compile\(r?f?\"(.*)\"", code)
        assert not [pattern for pattern in patterns if re.search(r"\.\*|\.\+|\[\^[^\]]*\][*+]", pattern)]
