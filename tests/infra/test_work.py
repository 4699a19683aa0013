from pathlib import Path

from infra.work import stage_dir, temporary_dir, work_root


def test_local_work_lies_where_tso_work_says(work_dir):
    assert work_root() == work_dir
    assert temporary_dir().is_dir() and temporary_dir().parent == work_dir


def test_local_work_lies_in_the_cache_of_the_user_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("TSO_WORK", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert work_root() == tmp_path / ".cache" / "tso"


def test_equal_stages_share_a_folder(work_dir):
    folder = stage_dir("train", "ab12")
    assert folder == stage_dir("train", "ab12") == work_dir / "stages" / "train" / "ab" / "ab12"
    assert folder.is_dir()
