# Text: made up prose is split, counted, searched with regular expressions, rewritten and compared.
import collections
import difflib
import hashlib
import random
import re
import textwrap

ROUNDS = 10
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za stra ment ung".split()

dice = random.Random(23)


def pick(choices):
    return choices[int(dice.random() * len(choices))]


words = ["".join(pick(SYLLABLES) for _ in range(1 + int(dice.random() * 4))) for _ in range(6000)]
digest = hashlib.sha256()
library = []
for round_ in range(ROUNDS):
    paragraphs = []
    for number in range(400):
        chosen = [pick(words) for _ in range(40 + int(dice.random() * 60))]
        chosen[3] = f"{pick(words)}@{pick(words)}.example"
        chosen[7] = f"{1900 + number % 120}-{number % 12 + 1:02}-{number % 28 + 1:02}"
        paragraphs.append(" ".join(chosen).capitalize() + ".")
    text = "\n\n".join(paragraphs)
    counts = collections.Counter(re.findall(r"[a-z]+", text.lower()))
    addresses = re.findall(r"\b(\w+)@(\w+)\.example\b", text)
    dated = re.sub(r"(\d{4})-(\d\d)-(\d\d)", lambda found: "/".join(reversed(found.groups())), text)
    longer = re.compile(r"(?:ba|ce|di)\w*(ung|ment)\b").sub(r"<\1>", dated)
    wrapped = [textwrap.fill(paragraph, 72) for paragraph in longer.split("\n\n")]
    lines = "\n".join(wrapped).splitlines()
    swapped = [line.replace("a", "aa").translate({ord("e"): "i", ord("i"): None}) for line in lines]
    marked = [line for line in difflib.ndiff(lines[:120], swapped[:40] + lines[60:120]) if line[0] in "+-"]
    index = collections.defaultdict(list)
    for number, line in enumerate(lines):
        for word in line.split():
            index[word].append(number)
    library.append((counts.most_common(50), index))
    for part in (counts.most_common(20), addresses, swapped, marked, sorted(index)[:500]):
        digest.update(repr(part).encode())

print(len(library), sum(len(index) for _, index in library), digest.hexdigest())
