"""Codes of languages: whatever a file says (de, DE, de-AT, deu, ger, German) becomes the code by which newsmark knows a language."""

from __future__ import annotations

import re
from functools import cache

from .reading.messages import note

_KNOWN = """
aa aar: afar; ab abk: abkhazian; ae ave: avestan; af afr: afrikaans; ak aka: akan; am amh: amharic; an arg: aragonese; ar ara arb: arabic; as asm:
assamese; av ava: avaric; ay aym: aymara; az aze azj: azerbaijani; ba bak: bashkir; be bel: belarusian; bg bul: bulgarian; bi bis: bislama; bm bam:
bambara; bn ben: bangla, bengali; bo bod tib: tibetan; br bre: breton; bs bos: bosnian; ca cat: catalan, valencian; ce che: chechen; ch cha: chamorro; co cos:
corsican; cr cre: cree; cs ces cze: czech; cu chu: church slavic; cv chv: chuvash; cy cym wel: welsh; da dan: danish; de deu ger: german; dv div:
divehi; dz adp dzo: dzongkha; ee ewe: ewe; el ell gre: greek, modern greek; en eng: english; eo epo: esperanto; es spa: spanish, castilian; et ekk
est: estonian; eu baq eus: basque; fa fas per pes prs: persian, farsi; ff ful: fula; fi fin: finnish; fj fij: fijian; fo fao: faroese; fr fra fre:
french; fy fry: western frisian; ga gle: irish; gd gla: scottish gaelic, gaelic; gl glg: galician; gn grn gug: guarani; gu guj: gujarati; gv glv:
manx; ha hau: hausa; he heb iw: hebrew; hi hin: hindi; ho hmo: hiri motu; hr hrv scr: croatian; ht hat: haitian creole; hu hun: hungarian; hy arm hye:
armenian; hz her: herero; ia ina: interlingua; id in ind: indonesian; ie ile: interlingue; ig ibo: igbo; ii iii: sichuan yi; ik ipk: inupiaq; io ido:
ido; is ice isl: icelandic; it ita: italian; iu iku: inuktitut; ja jpn: japanese; jv jav jw: javanese; ka geo kat: georgian; kg kon: kongo; ki kik:
kikuyu; kj kua: kuanyama; kk kaz: kazakh; kl kal: kalaallisut; km khm: khmer; kn kan: kannada; ko kor: korean; kr kau: kanuri; ks kas: kashmiri; ku
kmr kur: kurdish; kv kom: komi; kw cor: cornish; ky kir: kyrgyz, kirghiz; la lat: latin; lb ltz: luxembourgish; lg lug: ganda; li lim: limburgish; ln
lin: lingala; lo lao: lao; lt lit: lithuanian; lu lub: luba-katanga; lv lav lvs: latvian; mg mlg plt: malagasy; mh mah: marshallese; mi mao mri:
māori, maori; mk mac mkd: macedonian; ml mal: malayalam; mn drh khk mon: mongolian; mr mar: marathi; ms may msa zsm: malay; mt mlt: maltese; my bur mya:
burmese, myanmar; na nau: nauru; nb nob: norwegian bokmål, bokmål, bokmal; nd nde: north ndebele; ne nep npi: nepali; ng ndo: ndonga; nl dut nld: dutch,
flemish; nn nno: norwegian nynorsk, nynorsk; no nor: norwegian; nr nbl: south ndebele; nv nav: navajo; ny nya: nyanja; oc oci: occitan; oj oji:
ojibwa; om orm: oromo; or ori ory: odia, oriya; os oss: ossetic; pa pan pnb: punjabi, panjabi; pi pli: pali; pl pol: polish; ps pus: pashto, pushto;
pt por: portuguese; qu que quz: quechua; rm roh: romansh; rn run: rundi; ro mo ron rum: romanian, moldovan; ru rus: russian; rw kin: kinyarwanda; sa
san: sanskrit; sc srd: sardinian; sd snd: sindhi; se sme: northern sami; sg sag: sango; sh hbs: serbo-croatian; si sin: sinhala, sinhalese; sk slk
slo: slovak; sl slv: slovenian, slovene; sm smo: samoan; sn sna: shona; so som: somali; sq alb als sqi: albanian; sr scc srp: serbian; ss ssw: swati; st sot:
southern sotho; su sun: sundanese; sv swe: swedish; sw swa swh: swahili; ta tam: tamil; te tel: telugu; tg tgk: tajik; th tha: thai; ti tir: tigrinya;
tk tuk: turkmen; tl tgl: tagalog; tn tsn: tswana; to ton: tongan; tr tur: turkish; ts tso: tsonga; tt tat: tatar; tw twi: twi; ty tah: tahitian; ug
uig: uyghur, uighur; uk ukr: ukrainian; ur urd: urdu; uz uzb uzn: uzbek; ve ven: venda; vi vie: vietnamese; vo vol: volapük; wa wln: walloon; wo wol:
wolof; xh xho: xhosa; yi ji ydd yid: yiddish; yo yor: yoruba; za zha: zhuang; zh chi cmn zho: chinese, mandarin; zu zul: zulu
"""
"""ISO 639-1 codes with those of ISO 639-2 (both) and 639-3 that mean the language, former codes, and the English names."""

_UNSAID = frozenset(("und", "mul", "mis", "zxx"))
"""Codes of ISO 639-2 that name no language."""


def language_code(said: str | None) -> str | None:
    """The code of a language.

    Args:
        said: what a file or a user says: a code of ISO 639, a tag of BCP 47 (``pt-BR``, also with ``_``), or an English name.

    Returns:
        The ISO 639-1 code where the language has one, else its code of three letters; None where it is neither, or says that the language is not known.
    """
    words = " ".join((said or "").lower().split())
    code = re.split("[-_.]", words)[0]
    known = _codes().get(words) or _codes().get(code)
    return known or (code if re.fullmatch("[a-z]{3}", code) and code not in _UNSAID else None)


def read_language(said: str | None) -> str | None:
    """The code of the language that a file names (see ``language_code``); what is no language is named on standard error, once."""
    code = language_code(said)
    if said and said.strip() and code is None and said.strip().lower() not in _UNSAID:
        note(f"lang {said!r} is no code of a language, such as de, deu or de-AT, and is passed over")
    return code


@cache
def _codes() -> dict[str, str]:
    """ISO 639-1 code by each other code and name."""
    codes: dict[str, str] = {}
    for entry in _KNOWN.split(";"):
        given, names = entry.split(":")
        first, *others = given.split()
        codes |= dict.fromkeys((first, *others, *(" ".join(name.split()) for name in names.split(","))), first)
    return codes
