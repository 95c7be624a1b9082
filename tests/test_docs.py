"""What the documentation says is compared with the code, so that it cannot drift."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from groundbreak.types import FLAGS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "groundbreak"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def tables(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables of a page."""
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(text: str, title: str) -> str:
    """A page from a heading to the next of its level."""
    return re.split(r"^## ", text.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


# Messages --------------------------------------------------------------------------------------


@cache
def templates() -> tuple[str, ...]:
    """Every text in the code; what is filled in is ``…``."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return tuple(sorted(found))


@cache
def patterns() -> tuple[re.Pattern[str], ...]:
    """What the texts with something to fill in can become, but for those that can be anything."""
    filled = (t for t in templates() if "…" in t and len(t.replace("…", "").strip()) >= 6)
    return tuple(pattern(template) for template in filled)


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("…")), re.DOTALL)


def is_said(message: str) -> bool:
    """Whether the code says a message, both with ``…`` for what varies."""
    wanted = pattern(message)
    return any(wanted.search(text) for text in templates()) or any(
        each.fullmatch(message) for each in patterns()
    )


def messages() -> list[str]:
    return [
        message
        for cells in tables(text_of("troubleshooting.md"))
        for message in re.findall(r"\*([^*(][^*]*)\*", cells[0])
    ]


@pytest.mark.parametrize("message", messages())
def test_messages_are_those_of_the_code(message: str) -> None:
    assert is_said(message), f"the code never says {message!r}"


def test_a_made_up_message_is_noticed() -> None:
    assert not is_said("has a purple … in it")


# Fields ----------------------------------------------------------------------------------------


def test_the_fields_of_events_are_those_of_the_schema() -> None:
    schema = json.loads((PACKAGE / "events" / "schema.json").read_text(encoding="utf-8"))
    fields = set(schema["$defs"]["properties"]["properties"])
    part = section(text_of("formats.md"), "Events")
    rows = [re.findall(r"`(\w+)`", cells[0]) for cells in tables(part)]
    documented = {name for row in rows for name in row}
    assert documented - set(FLAGS) == fields
    assert set(FLAGS) <= documented


def constant_of(file: str, name: str) -> Any:
    """A constant of a file that is not imported, since it would bring torch along."""
    for node in ast.parse((PACKAGE / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{file} has no {name}")


@pytest.mark.parametrize(
    ("title", "constant"), [("ledger.parquet", "LEDGER"), ("observed.parquet", "OBSERVED")]
)
def test_the_columns_of_tables_are_those_that_are_written(title: str, constant: str) -> None:
    written = {name for name, _ in constant_of("pipeline/records.py", constant)}
    rows = tables(section(text_of("formats.md"), title))
    assert {name for cells in rows for name in re.findall(r"`(\w+)`", cells[0])} == written


def test_the_columns_of_dates_csv_are_those_that_are_read() -> None:
    listing = importlib.import_module("groundbreak.catalog.listing")
    source = inspect.getsource(listing)
    rows = list(tables(section(text_of("formats.md"), "dates.csv")))
    documented = {name for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}
    assert documented == {"file", "date", "bands", "crs", *listing.CORNERS, "id", "sensor", "note"}
    for name in documented - set(listing.CORNERS):
        assert f'"{name}"' in source


# Figures ---------------------------------------------------------------------------------------


def test_the_confidences_that_are_asked_are_those_of_the_code() -> None:
    config = importlib.import_module("groundbreak.events.build").EventsConfig()
    told = section(text_of("concepts.md"), "Confidence").split("Sentences use words")[0]
    figures = [float(number) for number in re.findall(r"0\.\d+", told.partition("Events below")[2])]
    assert figures == [
        config.min_confidence,
        config.min_confidence_first,
        config.min_confidence_eased,
    ]


# Commands and links ----------------------------------------------------------------------------


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for block in blocks:
            lines = block.replace("\\\n", " ").splitlines()
            ours = [line for line in lines if re.match(r"\$? ?groundbreak ", line)]
            found += [(page.name, line.split("#")[0].strip("$ ")) for line in ours]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_and_options_exist(page: str, command: str) -> None:
    from groundbreak.cli.main import app

    known = typer.main.get_command(app)
    words = [w for w in shlex.split(command)[1:] if w not in ("-v", "--verbose", "[", "]")]
    while words and hasattr(known, "commands"):
        word = words.pop(0)
        assert word in known.commands, f"{page}: no command {word}"
        known = known.commands[word]
    options = {name for parameter in known.params for name in (*parameter.opts, "--help")}
    for word in words:
        if word.startswith("-"):
            assert word.split("=")[0] in options, f"{page}: no option {word}"


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below one, with the words that call it."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, below in command.commands.items():
        yield from leaves(below, f"{name} {word}".strip())


def test_every_option_of_every_command_is_told() -> None:
    """In the tables of commands.md, with what must be given in bold, and no others."""
    from groundbreak.cli.main import app

    page = text_of("commands.md")
    for name, command in leaves(typer.main.get_command(app)):
        options = [p for p in command.params if p.opts[0].startswith("-") and p.name != "json"]
        known = {option: p.required for p in options for option in p.opts}
        told = {}
        for first, *_ in tables(section(page, name)):
            for bold, names in re.findall(r"(\*\*)?((?:`-\w`, )?`--[\w-]+`)", first):
                told |= dict.fromkeys(re.findall(r"`(.+?)`", names), bool(bold))
        assert told == known, f"commands.md: {name}"


def test_what_an_export_of_weights_is_for_is_told() -> None:
    """Its options, and the sizes that it takes for those of the shipped weights."""
    from groundbreak.cli.main import app
    from groundbreak.model.export import sizes_for
    from groundbreak.model.weights import read_card

    told = section(text_of("training.md"), "Use in other programs")
    command = typer.main.get_command(app).commands["weights"].commands["export"]
    options = {max(p.opts, key=len) for p in command.params if p.opts[0].startswith("-")}
    assert {name for name in options if name not in told} == {"--output"}  # shown as -o
    card = read_card("site-2m")
    for size in (None, 0.5):
        low, high = sizes_for(card, size).range_m
        (line,) = [
            line
            for line in told.splitlines()
            if "weights export" in line and ("--gsd" in line) == (size is not None)
        ]
        assert line.endswith(f"# pixels of {low:g} to {high:g} m")
        assert size is None or f"--gsd {size}" in line


def test_the_allowed_hosts_are_named_where_the_page_says() -> None:
    assert "`readable_hosts` in `catalog/presets.py`" in text_of("imagery.md")
    assert hasattr(importlib.import_module("groundbreak.catalog.presets"), "readable_hosts")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name) if name else page
        assert path.exists(), f"{page.name} links to {target}"
        if anchor and path.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{page.name} links to {target}"
