# Copyright: Contributors to the Underlay project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated part of `docs/`: the reference's pages, and the JSON Schema for editors.

    python -m tools.reference [--check]

Both come from what the collection itself reads: the roles' argument specs and the plugins'
DOCUMENTATION, EXAMPLES and RETURN. `--check` writes nothing and fails when a file is not current.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tools import checkout, prepare, steps

DOCS = checkout.ROOT / "docs"
PAGES = DOCS / "reference"
SCHEMA = DOCS / "underlay.schema.json"


def wanted() -> dict[Path, str]:
    """Every generated file and its text."""
    # Late: both need PyYAML, which is there once .venv is.
    from tools import reference_pages, reference_schema

    pages = {PAGES / name: text for name, text in reference_pages.pages().items()}
    return {**pages, SCHEMA: reference_schema.text()}


def outdated(files: Mapping[Path, str]) -> list[Path]:
    """The files that are missing, differ, or are pages of something that is no more."""
    differing = [file for file, text in files.items() if _text(file) != text]
    return sorted({*differing, *_orphans(files)})


def write(files: Mapping[Path, str]) -> list[Path]:
    """Bring `docs/` to these files; returns those that were written or removed."""
    changed = outdated(files)
    for file in changed:
        if file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(files[file], encoding="utf-8")
        else:
            file.unlink()
    return changed


def _orphans(files: Mapping[Path, str]) -> list[Path]:
    return [file for file in PAGES.glob("*.md") if file not in files]


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


def _in_venv() -> None:
    """Go on in `.venv`, which has PyYAML; returns at once where this is it."""
    if Path(sys.prefix).resolve() == checkout.VENV.resolve():
        return
    prepare.everything("plan")
    program = checkout.venv_program("python")
    sys.stdout.flush()
    os.chdir(checkout.ROOT)
    os.execve(program, [program, "-m", "tools.reference", *sys.argv[1:]], steps.environment())


def _names(files: list[Path]) -> str:
    return ", ".join(str(file.relative_to(checkout.ROOT)) for file in files)


def main() -> None:
    """Write the files, or check that they are current."""
    parser = argparse.ArgumentParser(description="The reference and the editors' JSON Schema.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when outdated")
    chosen = parser.parse_args()
    with steps.stoppable():
        _in_venv()
        files = wanted()
        if chosen.check:
            if old := outdated(files):
                raise steps.StopError(f"not current: {_names(old)}. Run: make docs")
            steps.say(f"{len(files)} files are current")
        else:
            changed = write(files)
            steps.say(f"written: {_names(changed)}" if changed else "nothing to write")


if __name__ == "__main__":
    main()
