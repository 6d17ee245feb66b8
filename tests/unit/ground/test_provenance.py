import ast

from rsconn import provenance


def _dump(text: str) -> str:
    return provenance._dump_without_docstrings(ast.parse(text))


def test_comments_and_docstrings_do_not_change_the_digest():
    bare = "def f(x):\n    return x + 1\n"
    documented = '"""Module."""\n\n\ndef f(x):\n    """Add one."""\n    # why\n    return x + 1\n'
    assert _dump(bare) == _dump(documented)


def test_code_changes_the_digest():
    assert _dump("x = 1") != _dump("x = 2")


def test_digest_follows_imports(tmp_path, monkeypatch):
    package = tmp_path / "rsconn"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "low.py").write_text("A = 1\n")
    (package / "high.py").write_text("from rsconn import low\nB = low.A\n")
    (package / "other.py").write_text("C = 1\n")
    monkeypatch.setattr(provenance, "_PACKAGE_ROOT", package)

    def digest() -> str:
        provenance.compute_code_digest.cache_clear()
        return provenance.compute_code_digest("rsconn.high")

    first = digest()
    (package / "other.py").write_text("C = 2\n")
    assert digest() == first
    (package / "low.py").write_text("A = 2\n")
    assert digest() != first
    provenance.compute_code_digest.cache_clear()


def test_hash_json_ignores_key_order_and_sees_values():
    assert provenance.hash_json({"a": 1, "b": [1, 2]}) == provenance.hash_json({"b": [1, 2], "a": 1})
    assert provenance.hash_json({"a": 1}) != provenance.hash_json({"a": 2})


def test_hash_file_is_sha256(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert provenance.hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_versions_name_what_can_change_a_number():
    assert {"python", "numpy", "scipy", "statsmodels", "nilearn", "rsconn"} <= set(provenance.list_versions())


def test_a_template_beside_a_module_counts(tmp_path, monkeypatch):
    package = tmp_path / "rsconn"
    (package / "report" / "templates").mkdir(parents=True)
    (package / "report" / "page").mkdir()
    for room in ("report", "report/page"):
        (package / room / "__init__.py").write_text("")
    (package / "report" / "page" / "html_page.py").write_text("A = 1\n")
    template = package / "report" / "templates" / "page.html.j2"
    template.write_text("old")
    monkeypatch.setattr(provenance, "_PACKAGE_ROOT", package)
    provenance.compute_code_digest.cache_clear()
    first = provenance.compute_code_digest("rsconn.report.page.html_page")
    template.write_text("new")
    provenance.compute_code_digest.cache_clear()
    assert provenance.compute_code_digest("rsconn.report.page.html_page") != first
    provenance.compute_code_digest.cache_clear()
