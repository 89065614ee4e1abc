"""Writes from `commands.json` and `answers.json` what must not be written twice.

    python3 -m clients.generator            writes the files
    python3 -m clients.generator --check    says which are stale, and fails

Written are the types and methods of both clients, the tables of
`docs/reference/answers.md`, and what `flashsale serve` answers over HTTP. It needs nothing but Python, so that `make lint` can check.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import page, python, serve, typescript
from .model import CLIENTS, Model


def texts(model: Model) -> dict[Path, str]:
    python_folder = CLIENTS / "python" / "src" / "flashsale"
    typescript_folder = CLIENTS / "typescript" / "src"
    written = {python_folder / name: write(model) for name, write in python.FILES.items()}
    written |= {typescript_folder / name: write(model) for name, write in typescript.FILES.items()}
    serve_folder = CLIENTS.parent / "companion" / "src" / "serve"
    written |= {serve_folder / name: write(model) for name, write in serve.FILES.items()}
    answers = CLIENTS.parent / "docs" / "reference" / "answers.md"
    written[answers] = page.write(model, answers.read_text())
    return written


def main() -> int:
    stale = []
    for path, text in texts(Model()).items():
        if not path.exists() or path.read_text() != text:
            stale.append(str(path.relative_to(CLIENTS.parent)))
            if "--check" not in sys.argv:
                path.write_text(text)
    if not stale:
        return 0
    if "--check" not in sys.argv:
        print("written: " + ", ".join(stale))
        return 0
    print("stale: " + ", ".join(stale) + "\nwrite them: python3 -m clients.generator", file=sys.stderr)
    return 1


sys.exit(main())
