"""Files around the project: hooks are the checks of make, the citation is whole, forms can be read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_hooks_are_the_checks_of_make() -> None:
    """Each of them, and no other; from the environment, so that nothing is fetched."""
    part = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ncheck: $(STAMP)\n")[1].split("\n\n")[0]
    checks = {line.strip().removeprefix("@$(BIN)/") for line in part.splitlines()}
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    hooks = {re.sub(r" --force-exclude$", "", hook["entry"]) for hook in repo["hooks"]}
    assert hooks == {re.sub(r" \.$", "", check) for check in checks}
    assert repo["repo"] == "local" and {hook["language"] for hook in repo["hooks"]} == {"system"}


def test_the_citation() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= set(citation)
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Chen", "Wang", "Lagadec", "Dantcheva", "Bremond",
    ]  # fmt: skip
    assert re.fullmatch(r"10\.\d{4,9}/\S+", paper["doi"]) and paper["year"] == 2023
    assert paper["end"] - paper["start"] + 1 == 15


def test_forms_for_issues_have_what_they_need() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert [form.stem for form in forms] == ["bug", "config", "idea"]
    for form in forms[::2]:
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert content["name"] and content["description"]
        fields = [part["id"] for part in content["body"]]
        assert len(set(fields)) == len(fields) >= 3
        assert all(part["attributes"]["label"] for part in content["body"])
        assert any(part.get("validations", {}).get("required") for part in content["body"])
