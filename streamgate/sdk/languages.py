"""Languages as the web names them (BCP-47), what containers write instead (ISO 639-2), and what people call them.

Names are in the language itself, as those read them who look for it in a list.
"""

from __future__ import annotations

import re

MAX_TAG_CHARS = 35

_TAG = re.compile(
    r"[A-Za-z]{2,3}(?:-[A-Za-z]{3})?(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3})){0,3}(?:-[xX](?:-[A-Za-z0-9]{1,8}){1,3})?"
)

# fmt: off
_KNOWN = (
    ("ar", "ara", "العربية"), ("bg", "bul", "Български"), ("bn", "ben", "বাংলা"), ("ca", "cat", "Català"),
    ("cs", "ces cze", "Čeština"), ("cy", "cym wel", "Cymraeg"), ("da", "dan", "Dansk"), ("de", "deu ger", "Deutsch"),
    ("el", "ell gre", "Ελληνικά"), ("en", "eng", "English"), ("es", "spa", "Español"), ("et", "est", "Eesti"),
    ("eu", "eus baq", "Euskara"), ("fa", "fas per", "فارسی"), ("fi", "fin", "Suomi"), ("fil", "fil", "Filipino"),
    ("fr", "fra fre", "Français"), ("ga", "gle", "Gaeilge"), ("gl", "glg", "Galego"), ("gu", "guj", "ગુજરાતી"),
    ("he", "heb", "עברית"), ("hi", "hin", "हिन्दी"), ("hr", "hrv", "Hrvatski"), ("hu", "hun", "Magyar"),
    ("hy", "hye arm", "Հայերեն"), ("id", "ind", "Bahasa Indonesia"), ("is", "isl ice", "Íslenska"),
    ("it", "ita", "Italiano"), ("ja", "jpn", "日本語"), ("ka", "kat geo", "ქართული"), ("kk", "kaz", "Қазақша"),
    ("kn", "kan", "ಕನ್ನಡ"), ("ko", "kor", "한국어"), ("lt", "lit", "Lietuvių"), ("lv", "lav", "Latviešu"),
    ("mk", "mkd mac", "Македонски"), ("ml", "mal", "മലയാളം"), ("mr", "mar", "मराठी"), ("ms", "msa may", "Bahasa Melayu"),
    ("nb", "nob", "Norsk bokmål"), ("nl", "nld dut", "Nederlands"), ("nn", "nno", "Norsk nynorsk"),
    ("no", "nor", "Norsk"), ("pa", "pan", "ਪੰਜਾਬੀ"), ("pl", "pol", "Polski"), ("pt", "por", "Português"),
    ("ro", "ron rum", "Română"), ("ru", "rus", "Русский"), ("sk", "slk slo", "Slovenčina"),
    ("sl", "slv", "Slovenščina"), ("sq", "sqi alb", "Shqip"), ("sr", "srp", "Српски"), ("sv", "swe", "Svenska"),
    ("sw", "swa", "Kiswahili"), ("ta", "tam", "தமிழ்"), ("te", "tel", "తెలుగు"), ("th", "tha", "ไทย"),
    ("tr", "tur", "Türkçe"), ("uk", "ukr", "Українська"), ("ur", "urd", "اردو"), ("vi", "vie", "Tiếng Việt"),
    ("zh", "zho chi", "中文"),
)
# fmt: on
_NAMES = {tag: name for tag, _, name in _KNOWN}
_SHORT = {code: tag for tag, codes, _ in _KNOWN for code in codes.split()}


def language_tag(text: str) -> str:
    """The tag as it is written (`pt-BR`, `zh-Hant`), of any writing of it.

    Raises:
        ValueError: not the form of a tag.
    """
    if len(text) > MAX_TAG_CHARS or _TAG.fullmatch(text) is None:
        raise ValueError("must be a language as BCP-47 has it: en, pt-BR, zh-Hant")
    first, *rest = text.split("-")
    parts, is_private = [first.lower()], False
    for part in rest:
        is_private = is_private or part in "xX"
        if is_private or len(part) not in (2, 4) or not part.isalpha():
            parts.append(part.lower())
        else:
            parts.append(part.upper() if len(part) == 2 else part.title())
    return "-".join(parts)


def tag_of_container(code: str) -> str:
    """Of what a container says: three letters, or a tag already. Empty where it says nothing that can be told."""
    said = code.strip().lower().replace("_", "-")
    if said in ("", "und", "mul", "zxx", "mis"):
        return ""
    try:
        return _SHORT.get(said) or language_tag(said)
    except ValueError:
        return ""


def name_of(tag: str) -> str:
    """What people call it; with its region or script where it has one. The tag itself where it is not known."""
    first, _, rest = tag.partition("-")
    name = _NAMES.get(first.lower())
    if name is None:
        return tag
    return f"{name} ({rest})" if rest else name
