"""The Chinese pages of docs/zh beside the pages that they translate: do they still say the same?

Code, what it prints, formulas, pictures, headings and links have to be the same. Of prose no program can tell: a
translation ends with a comment that holds a hash of its source's prose, from when the two were last read side by side.

    python docs/translations.py                says what differs
    python docs/translations.py --accept 06    the translations of these pages were read again, and brought up to date
"""

import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from os.path import normpath
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = "docs/zh/"
BLOCK = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"^\$\$.+\$\$$", re.MULTILINE)
WORDS = re.compile(r"\\text\{[^}]*\}")  # of a formula
HEADING = re.compile(r"^#+ ", re.MULTILINE)
TARGET = re.compile(r"\]\(([^)#]*)[^)]*\)")
READ = re.compile(r"^<!-- (\S+) as of ([0-9a-f]{12}) -->$", re.MULTILINE)


def source_of(place: str) -> str:
    """Return which page a page of docs/zh translates; any other page is its own source."""
    page = place.removeprefix(HOME)
    if page == place or page == "terms.md":
        return place
    return page if page == "README.md" else f"docs/{page}"


def translations() -> Iterator[Path]:
    """Yield the pages that are translations."""
    for page in sorted((ROOT / HOME).rglob("*.md")):
        if page.name != "terms.md":
            yield page


def source(page: Path) -> Path:
    """Return the page that a translation translates."""
    return ROOT / source_of(page.relative_to(ROOT).as_posix())


def targets(page: Path, text: str) -> set[str]:
    """Return the files that a page shows or links to; of a translated page, its source."""
    here = page.parent.relative_to(ROOT).as_posix()
    found = {target for target in TARGET.findall(text) if target and "://" not in target}
    return {source_of(normpath(f"{here}/{target}")) for target in found}


def formulas(text: str) -> list[str]:
    """Return the formulas that stand alone, without the words in them."""
    return [WORDS.sub("", formula) for formula in FORMULA.findall(text)]


def headings(text: str) -> list[str]:
    """Return of each heading its level, as a row of #."""
    return HEADING.findall(BLOCK.sub("", text))


def digest(page: Path) -> str:
    """Return a hash of the prose of a page."""
    prose = " ".join(BLOCK.sub("", page.read_text(encoding="utf-8")).split())
    return sha256(prose.encode()).hexdigest()[:12]


def mark(page: Path) -> str:
    """Return the comment that ends a translation of the page as it is now."""
    return f"<!-- {page.relative_to(ROOT).as_posix()} as of {digest(page)} -->"


def differences(page: Path) -> list[str]:
    """Return in what a translation differs from its source, as sentences."""
    original = source(page)
    name = original.relative_to(ROOT).as_posix()
    theirs, ours = (each.read_text(encoding="utf-8") for each in (original, page))
    found = []
    for what, parts in (("blocks of code", BLOCK.findall), ("formulas", formulas), ("headings", headings)):
        wanted, got = parts(theirs), parts(ours)
        if wanted != got:
            first = next((each for each in wanted if each not in got), "their order or number")
            found.append(f"the {what} are not those of {name}: {first[:200]}")
    if missing := targets(original, theirs) - targets(page, ours):
        found.append(f"{name} links to {', '.join(sorted(missing))}")
    if READ.findall(ours) != [(name, digest(original))]:
        found.append(
            f"{name} has changed since this translation was read beside it: bring it up to date, then run "
            f"python docs/translations.py --accept {original.stem}"
        )
    return found


def accept(page: Path) -> None:
    """Write into a translation that it says what its source says now."""
    text = READ.sub("", page.read_text(encoding="utf-8")).rstrip()
    page.write_text(f"{text}\n\n{mark(source(page))}\n", encoding="utf-8")


if __name__ == "__main__":
    wrong = False
    for page in translations():
        if sys.argv[1:2] == ["--accept"] and page.stem.startswith(tuple(sys.argv[2:])):
            accept(page)
        for difference in differences(page):
            wrong = True
            print(f"{page.relative_to(ROOT)}: {difference}")
    sys.exit(wrong)
