"""What the package imports is what the project says it needs."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent


def declared() -> set[str]:
    """Names of all packages that are asked for; extras such as dask[distributed] name two."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for group in project["optional-dependencies"].values() for line in group]
    lines = (re.match(r"[\w.\-\[\],]+", line) for line in (*project["dependencies"], *extras))
    return {plain(name) for line in lines if line for name in re.split(r"[\[\],]", line[0]) if name}


def plain(name: str) -> str:
    return name.lower().replace("_", "-")


def imported() -> set[str]:
    """Top-level names of all modules that are imported, anywhere in the package."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def test_everything_imported_is_listed():
    installed = packages_distributions()
    known = declared()
    for module in sorted(imported() - {"groundbreak", "__future__", *sys.stdlib_module_names}):
        names = {plain(name) for name in installed.get(module, [module])}
        assert names & known, f"{module} is imported, but none of {sorted(names)} is listed"
