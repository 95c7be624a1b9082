"""The rooms are one-way: a file imports only from lower levels, or from its own folder."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "groundbreak"

# The first matching prefix counts.
LEVELS = {
    "errors.py": 0,
    "types.py": 0,
    "scaling.py": 1,
    "labels.py": 1,
    "atomic.py": 1,
    "kept.py": 1,
    "times.py": 1,
    "lonlat.py": 1,
    "tables.py": 1,
    "plural.py": 0,
    "sites.py": 2,
    "catalog": 3,
    "raster": 2,
    "usable.py": 2,
    "align": 2,
    "radiometry.py": 1,
    "simulate": 3,
    "prepare": 3,
    "pairs": 3,
    "slipmaking": 4,
    "model/data.py": 4,
    "model/train": 5,
    "model": 2,
    "inference/run.py": 4,
    "inference": 3,
    "events": 2,
    "writers": 3,
    "importers": 4,
    "evaluate/run.py": 5,
    "evaluate/predict.py": 5,
    "evaluate": 4,
    "pipeline": 5,
    "report": 6,
    "config.py": 7,
    "demo.py": 8,
    "cli": 9,
    "__main__.py": 10,
    "__init__.py": 10,
}

TORCH_ROOMS = ("model", "inference", "evaluate/predict.py")


def level(path: str) -> int:
    for prefix in sorted(LEVELS, key=len, reverse=True):
        if (
            path == prefix
            or path.startswith(prefix.removesuffix(".py") + "/")
            or ("/" in prefix and path.startswith(prefix))
        ):
            return LEVELS[prefix]
    raise AssertionError(f"{path} has no level: give it a room")


def module_file(module: str) -> str | None:
    relative = module.removeprefix("groundbreak").lstrip(".").replace(".", "/")
    if (PACKAGE / f"{relative}.py").is_file():
        return f"{relative}.py"
    if relative and (PACKAGE / relative / "__init__.py").is_file():
        return f"{relative}/__init__.py"
    return None


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            submodules = [f"{module}.{alias.name}" for alias in node.names]
            inside = [name for name in submodules if module_file(name)]
            found += inside if inside else [module]
    return found


FILES = sorted(str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_imports_point_left(path: str) -> None:
    if path == "__init__.py" or path == "__main__.py":
        return
    own = level(path)
    for module in imports(PACKAGE / path):
        if not module.startswith("groundbreak."):
            continue
        target = module_file(module)
        assert target is not None, f"{path} imports {module}, which is not a file"
        same_folder = "/" in path and target.split("/")[0] == path.split("/")[0]
        assert level(target) < own or (same_folder and level(target) <= own), (
            f"{path} (level {own}) imports {target} (level {level(target)})"
        )


@pytest.mark.parametrize("path", FILES)
def test_torch_stays_in_its_rooms(path: str) -> None:
    if path.startswith(TORCH_ROOMS):
        return
    for module in imports(PACKAGE / path):
        assert module.split(".")[0] not in {"torch", "torchvision", "lightning"}, path


def test_only_one_file_opens_rasters() -> None:
    allowed = {"raster/opening.py", "raster/write.py"}
    for path in FILES:
        if "rasterio.open" in (PACKAGE / path).read_text(encoding="utf-8"):
            assert path in allowed, path
