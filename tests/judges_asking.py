"""Judges that ask, as tests build them."""

from tasks.variants import load_variant

ASPECTS = {"accuracy": {"question": "Is it true?", "weight": 3}, "clarity": {"question": "Clear?"}}
OWN = {"rubric": {"aspects": ASPECTS}, "reference_guided": {"without_reference": "ask"}}


def asking(kind, **settings):
    """A judge of `kind` behind a server that nobody calls."""
    own = OWN.get(kind, {})
    return load_variant(
        "tasks.judges", kind, model="org/judge", base_url="http://127.0.0.1:1/v1", **own | settings
    )
