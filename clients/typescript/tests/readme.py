"""Prints a test of the README's examples, from top to bottom, for an empty server."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
blocks = re.findall(r"```ts\n(.*?)```", README.read_text(), re.DOTALL)
assert len(blocks) >= 5, "the README has lost its examples"
source = "\n".join(blocks).replace('"redis://localhost:6379"', "`redis://127.0.0.1:${process.env.FLASHSALE_PORT}`")
# Imports stand on top; the rest is one test.
imports = re.findall(r"^import [^;]*;\n", source, re.MULTILINE)
body = re.sub(r"^import [^;]*;\n", "", source, flags=re.MULTILINE)
print('import test from "node:test";\n\n' + "".join(imports))
print('test("the examples of the README run", async () => {\n' + body + "});")
