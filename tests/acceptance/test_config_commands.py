"""`mailvane config`: exported, compared, applied with and without a dry run, as a person does it."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.installation import Installation

FILE = """
[domains."shop.example"]
daily_limit = 500

[watched]
ip = ["192.0.2.7"]
"""


def test_a_file_goes_in_and_comes_out(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("shop")
    file, exported = tmp_path / "shop.toml", tmp_path / "exported.toml"
    file.write_text(FILE)
    differs, dry, applied, again = installation.run_several(
        ("config", "diff", str(file)), ("config", "apply", str(file), "--dry-run"),
        ("config", "apply", str(file)), ("config", "diff", str(file)),
    )  # fmt: skip
    assert (differs.returncode, again.returncode) == (3, 0)
    assert differs.stdout == dry.stdout == applied.stdout
    assert applied.stdout.splitlines()[0] == "add domain shop.example: daily_limit null -> 500"
    assert again.stdout == "nothing differs\n"
    exported.write_text(installation.run("config", "export").stdout)
    file.write_text("[domains]\n")
    same, kept, gone, bad = installation.run_several(
        ("config", "apply", str(exported), "--delete"), ("config", "apply", str(file)),
        ("config", "apply", str(file), "--delete"), ("config", "apply", "/nowhere/x.toml"),
    )  # fmt: skip
    assert same.stdout == "nothing to do\n"
    assert "not in the file: domain shop.example (--delete removes it)" in kept.stdout
    assert gone.stdout == "remove domain shop.example\n"
    assert (bad.returncode, "/nowhere/x.toml: No such file" in bad.stderr) == (1, True)
