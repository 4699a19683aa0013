"""Links and sessions: what they say, and what is no good."""

import stat

import pytest

from infra.annotation.page.access import (
    KEY_VARIABLE,
    LINK,
    LINK_SECONDS,
    SESSION,
    Keys,
    link,
    load_keys,
)
from tasks.errors import ConfigError

KEYS = Keys(b"k" * 32)
NOW = 1_000_000.0


def signed(run="weekly", annotator="ann"):
    return KEYS.link_token(run, annotator, NOW)


def test_a_link_says_whose_it_is():
    found = KEYS.read(LINK, signed(), "weekly", NOW)
    assert (found.run, found.annotator, found.session) == ("weekly", "ann", "")


def test_a_session_has_an_id_of_its_own_each_time():
    known = KEYS.read(LINK, signed(), "weekly", NOW)
    first, second = (KEYS.read(SESSION, KEYS.session(known, NOW), "weekly", NOW) for _ in range(2))
    assert first.annotator == second.annotator == "ann"
    assert first.session != second.session and len(first.session) == 16


def test_a_link_is_no_session_and_a_session_is_no_link():
    session = KEYS.session(KEYS.read(LINK, signed(), "weekly", NOW), NOW)
    assert KEYS.read(SESSION, signed(), "weekly", NOW) is None
    assert KEYS.read(LINK, session, "weekly", NOW) is None


def test_a_link_of_another_run_of_another_key_or_too_old_is_no_good():
    assert KEYS.read(LINK, signed("other"), "weekly", NOW) is None
    assert Keys(b"x" * 32).read(LINK, signed(), "weekly", NOW) is None
    assert KEYS.read(LINK, signed(), "weekly", NOW + LINK_SECONDS + 1) is None


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.ü", "bm8=.x", "a" * 500])
def test_nonsense_is_no_good(text):
    assert KEYS.read(LINK, text, "weekly", NOW) is None


def test_one_changed_letter_is_no_good():
    token = signed()
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        assert KEYS.read(LINK, token[:place] + other + token[place + 1 :], "weekly", NOW) is None


@pytest.mark.parametrize("name", ["", "Ann", "../x", "a b", "x" * 64, "-a"])
def test_annotators_have_names_that_can_stand_anywhere(name):
    with pytest.raises(ConfigError, match="annotator"):
        KEYS.link_token("weekly", name, NOW)


def test_the_key_is_made_once_for_its_owner_alone(tmp_path, monkeypatch):
    file = tmp_path / "keys" / "annotation.key"
    monkeypatch.setenv(KEY_VARIABLE, str(file))
    token = load_keys().link_token("weekly", "ann", NOW)
    assert load_keys().read(LINK, token, "weekly", NOW) is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["annotation.key"]


def test_a_damaged_key_is_refused_with_the_next_step(tmp_path):
    file = tmp_path / "annotation.key"
    file.write_bytes(b"short")
    with pytest.raises(ConfigError, match="holds 5 bytes, a key has 32; delete it"):
        load_keys(file)


def test_the_secret_of_a_link_follows_the_hash_which_no_browser_sends():
    address, _, token = link("http://127.0.0.1:4204/", KEYS, "weekly", "ann").partition("#")
    assert address == "http://127.0.0.1:4204/weekly" and "." in token
