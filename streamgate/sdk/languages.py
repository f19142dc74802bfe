"""Languages as somebody names them who gives captions, and what people call them: in the language itself, as those
read it who look for it in a list."""

from __future__ import annotations

from streamgate.contracts.languages import bcp47

MAX_TAG_CHARS = 35

# fmt: off
_NAMES = {
    "ar": "العربية", "bg": "Български", "bn": "বাংলা", "ca": "Català", "cs": "Čeština", "cy": "Cymraeg",
    "da": "Dansk", "de": "Deutsch", "el": "Ελληνικά", "en": "English", "es": "Español", "et": "Eesti",
    "eu": "Euskara", "fa": "فارسی", "fi": "Suomi", "fil": "Filipino", "fr": "Français", "ga": "Gaeilge",
    "gl": "Galego", "gu": "ગુજરાતી", "he": "עברית", "hi": "हिन्दी", "hr": "Hrvatski", "hu": "Magyar",
    "hy": "Հայերեն", "id": "Bahasa Indonesia", "is": "Íslenska", "it": "Italiano", "ja": "日本語", "ka": "ქართული",
    "kk": "Қазақша", "kn": "ಕನ್ನಡ", "ko": "한국어", "lt": "Lietuvių", "lv": "Latviešu", "mk": "Македонски",
    "ml": "മലയാളം", "mr": "मराठी", "ms": "Bahasa Melayu", "nb": "Norsk bokmål", "nl": "Nederlands",
    "nn": "Norsk nynorsk", "no": "Norsk", "pa": "ਪੰਜਾਬੀ", "pl": "Polski", "pt": "Português", "ro": "Română",
    "ru": "Русский", "sk": "Slovenčina", "sl": "Slovenščina", "sq": "Shqip", "sr": "Српски", "sv": "Svenska",
    "sw": "Kiswahili", "ta": "தமிழ்", "te": "తెలుగు", "th": "ไทย", "tr": "Türkçe", "uk": "Українська",
    "ur": "اردو", "vi": "Tiếng Việt", "zh": "中文",
}
# fmt: on


def language_tag(text: str) -> str:
    """The tag as it is written (`pt-BR`, `zh-Hant`), of any writing of it.

    Raises:
        ValueError: no language.
    """
    tag = bcp47(text) if len(text) <= MAX_TAG_CHARS else ""
    if not tag:
        raise ValueError("must be a language as BCP-47 has it: en, pt-BR, zh-Hant")
    return tag


def name_of(tag: str) -> str:
    """What people call it; with its region or script where it has one. The tag itself where it is not known."""
    first, _, rest = tag.partition("-")
    name = _NAMES.get(first)
    if name is None:
        return tag
    return f"{name} ({rest})" if rest else name
