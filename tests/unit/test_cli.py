import pytest

from rsconn import cli
from rsconn.cli import main
from rsconn.errors import ProblemsError, TableError


def _run(monkeypatch, problem: Exception | None) -> int:
    def command(options):
        if problem is not None:
            raise problem
        return 0

    monkeypatch.setattr(cli, "_check", command)
    return cli.main(["check", "config.yaml"])


def test_all_well_is_0(monkeypatch):
    assert _run(monkeypatch, None) == 0


def test_a_users_mistake_is_2_and_one_line(monkeypatch, capsys):
    assert _run(monkeypatch, TableError("participants.tsv: nobody in it")) == 2
    assert capsys.readouterr().err == "rsconn: participants.tsv: nobody in it\n"


def test_several_mistakes_are_a_line_each(monkeypatch, capsys):
    assert _run(monkeypatch, ProblemsError(["a: one", "b: two"])) == 2
    assert capsys.readouterr().err == "rsconn: a: one\nrsconn: b: two\n"


def test_a_bug_is_1_with_its_traceback_and_where_to_report(monkeypatch, capsys):
    assert _run(monkeypatch, ZeroDivisionError("inside")) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "ZeroDivisionError: inside" in shown
    assert "please report it" in shown


def test_help_lists_only_what_works(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for name in ("demo", "simulate", "init", "check", "run", "score", "verify", "diff"):
        assert f"\n    {name}" in shown
    for later in ("fetch", "synthesise"):
        assert f"\n    {later} " not in shown


def test_an_unknown_command_is_2():
    with pytest.raises(SystemExit) as stop:
        cli.main(["walk", "config.yaml"])
    assert stop.value.code == 2


def test_words_after_two_dashes_go_to_snakemake(monkeypatch):
    seen = {}
    monkeypatch.setattr(cli, "_run", lambda options: seen.update(vars(options)) or 0)
    assert cli.main(["run", "config.yaml", "--cores", "2", "--", "--dry-run", "--", "x"]) == 0
    assert seen["snakemake"] == ["--dry-run", "--", "x"]
    assert seen["cores"] == 2


def test_simulate_refuses_a_folder_that_is_not_empty(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert cli.main(["simulate", str(tmp_path)]) == 2
    assert "the folder is not empty; a new one was needed" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_simulate_refuses_a_full_disk(tmp_path, monkeypatch, capsys):
    from rsconn.commands import demo

    monkeypatch.setattr(demo.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 1.5e9})())
    assert cli.main(["simulate", str(tmp_path / "new")]) == 2
    assert "1.5 GB free on this disk; 2 GB needed" in capsys.readouterr().err


def test_a_missing_config_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "absent.yaml"]) == 2
    assert "absent.yaml" in capsys.readouterr().err


def test_score_gives_the_alphas_of_real_items(shared_data, capsys):
    table = str(shared_data / "questionnaires" / "iri_items.tsv")
    assert cli.main(["score", table, "--instrument", "IRI", "--items", "iri_{:02d}", "--reversed"]) == 0
    alphas = [line.split()[5] for line in capsys.readouterr().out.splitlines()[1:]]
    assert alphas == ["0.74", "0.65", "0.75", "0.72"]  # STUDY.md section 3


def test_score_notices_items_that_are_reversed_already(shared_data, capsys):
    table = str(shared_data / "questionnaires" / "iri_items.tsv")
    assert cli.main(["score", table, "--instrument", "IRI", "--items", "iri_{:02d}"]) == 2
    assert "items_reversed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "new", "--effect", "nan"],
        ["simulate", "new", "--effect", "1e400"],
        ["simulate", "new", "--seed", "-1"],
        ["simulate", "new", "--cores", "0"],
        ["run", "config.yaml", "--cores", "-2"],
        ["power", "config.yaml", "--n", "1"],
        ["power", "config.yaml", "--simulations", "99999999999"],
        ["score", "t.tsv", "--instrument", "IRI", "--items", "i{}", "--range", "4", "0"],
        ["score", "t.tsv", "--instrument", "IRI", "--items", "i{}", "--range", "nan", "4"],
    ],
)
def test_numbers_that_make_no_sense_are_one_line(words, capsys):
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    told = capsys.readouterr().err
    assert told.startswith("rsconn: ")
    assert told.count("\n") == 1


def test_score_does_not_overwrite_its_table(tmp_path, capsys):
    table = tmp_path / "t.tsv"
    table.write_text("participant_id\ti1\n01\t1\n")
    words = ["score", str(table), "--instrument", "IRI", "--items", "i{}", "--output", str(table)]
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert table.read_text() == "participant_id\ti1\n01\t1\n"
