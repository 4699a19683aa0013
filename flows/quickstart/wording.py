"""How a task is asked for in plain English."""

from random import Random

from flows.quickstart.world import Task

OPENINGS = (
    "Give me {count} {category}",
    "List {count} {category}",
    "Name {count} {category}",
    "Write down {count} {category}",
    "I need {count} {category}",
    "Please list {count} {category}",
    "Could you name {count} {category}",
    "Think of {count} {category}",
)
COUNTS = ("{word}", "{digit}", "exactly {word}", "exactly {digit}")
NUMBER_WORDS = {3: "three", 4: "four", 5: "five", 6: "six"}
ORDERS = {
    "any": ("in any order", "the order does not matter", "", ""),
    "ascending": ("in alphabetical order", "sorted from a to z", "ordered alphabetically"),
    "descending": (
        "in reverse alphabetical order",
        "sorted from z to a",
        "ordered backwards from z to a",
    ),
}
CASES = {
    "lower": ("in lower case", "with small letters only", "all in lowercase"),
    "upper": ("in upper case", "with capital letters only", "all in uppercase"),
    "title": ("each with a capital first letter", "in title case", "with every word capitalised"),
}
SEPARATORS = {
    ", ": ("separated by commas", "with commas between them", "split by commas"),
    "; ": ("separated by semicolons", "with semicolons between them", "split by semicolons"),
    "\n": ("one per line", "each on a new line", "on separate lines"),
}
ENDING_VERBS = ("end with {mark}", "finish with {mark}", "put {mark} at the end")
MARKS = {
    ".": ("a full stop", "a period"),
    "!": ("an exclamation mark",),
    "?": ("a question mark",),
}


def request(task: Task, rng: Random) -> str:
    """One of the many ways to ask for `task`."""
    clauses = [
        rng.choice(ORDERS[task.order]),
        rng.choice(CASES[task.case]),
        rng.choice(SEPARATORS[task.separator]),
    ]
    rng.shuffle(clauses)
    list_of = ", ".join([_opening(task, rng), *filter(None, clauses)])
    ending = rng.choice(ENDING_VERBS).format(mark=rng.choice(MARKS[task.ending]))
    forms = (
        f"{list_of}, and {ending}.",
        f"{list_of}. {_sentence(ending)}.",
        f"{_sentence(ending)}. {list_of}.",
    )
    return rng.choice(forms)


def _opening(task: Task, rng: Random) -> str:
    count = rng.choice(COUNTS).format(word=NUMBER_WORDS[task.count], digit=task.count)
    return rng.choice(OPENINGS).format(count=count, category=task.category)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
