"""Inputs that never change, on which every variant is measured."""

TEXTS = [
    *("", " ", "fox", "Fox", "FOX!", "a fox.", "the fox and the fox", "apple, pear, plum"),
    *("Apple, Pear, Plum", "APPLE; PEAR; PLUM", "1. apple\n2. pear\n3. plum", "- apple\n- pear"),
    *(
        "plum, pear, apple",
        "pear",
        "pear, pear",
        "apple | pear",
        "42",
        "The answer is 42.",
        "\\boxed{18}",
        "so it is 18.0",
    ),
    *("so 3 + 4 = 7\n#### 7", "-1.5", "1,000", "word " * 60, "x" * 400, "no. yes!", "Ende ÄÖÜ?"),
    *("cat, dog, hen", "one two three", "```\ncode\n```", "a,b;c", "Name: fox", "fox?\n"),
]
REPLIES = [
    *("Verdict: A", "Verdict: B", "Verdict: tie", "verdict: a", "**Verdict: B**", "", "A"),
    *("Both fine.\nVerdict: A", "Verdict: A\nVerdict: B", "Verdict: A\nthank you", "Verdict: C"),
]
CHECKS = [
    {"kind": "contains", "text": "fox"},
    {"kind": "length", "at_most": 3},
    {"kind": "number_of_items", "count": 3},
]
