#!/usr/bin/env bash
# Checks what no test runs: formatting, lints, words, links, scripts, workflows, manifests.
#
#   scripts/lint.sh            everything; `scripts/setup.sh lint` installs what it takes
#   scripts/lint.sh quick      what takes seconds and is installed already, for the hook
#
# Goes on after a finding, so that one run shows them all.
set -euo pipefail
cd "$(dirname "$0")/.."

quick=no
[ "${1:-}" != quick ] || quick=yes
tools=$PWD/target/tools
failed=()

# check NAME COMMAND...: says what it is that failed; the command says what is wrong.
check() {
  local name=$1
  shift
  # A checker that is not here was not asked for: the hook works without `make lint`.
  if [ "$quick" = yes ] && ! command -v "$1" >/dev/null 2>&1; then return; fi
  "$@" || { failed+=("$name"); printf 'lint: %s: see above\n' "$name" >&2; }
}

# quietly COMMAND...: some praise what they find nothing wrong with.
quietly() { local said; said=$("$@" 2>&1) || { echo "$said"; return 1; }; }

# files PATTERN...: those that git knows or would take.
files() { git ls-files --cached --others --exclude-standard -- "$@"; }

mapfile -t scripts < <(files .ci/run '.githooks/*' 'scripts/*.sh' 'scripts/docker/*')
mapfile -t workflows < <(files '.github/workflows/*.yml')
mapfile -t compose < <(files 'examples/**/*.yml' | xargs grep -l '^services:')

check formatting cargo fmt --all --check
# Common misspellings, in code as well; its words: typos.toml.
check spelling "$tools/python/bin/typos" --hidden --format brief
# Files and headings that links name, and the shape of tables: .rumdl.toml.
check links "$tools/python/bin/rumdl" check --quiet .
# What is written from clients/answers.json and clients/commands.json.
check generated python3 -m clients.generator --check
check scripts "$tools/python/bin/shellcheck" "${scripts[@]}"

if [ "$quick" = no ]; then
  check workflows node scripts/lint/workflows.mjs "$tools/node" "${workflows[@]}"
  schema() { quietly "$tools/python/bin/check-jsonschema" --builtin-schema "vendor.$1" "${@:2}"; }
  check workflows schema github-workflows "${workflows[@]}"
  check workflows quietly "$tools/python/bin/zizmor" --offline --no-progress .github
  check templates schema github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
  check templates schema github-issue-config .github/ISSUE_TEMPLATE/config.yml
  check dependabot schema dependabot .github/dependabot.yml
  check compose schema compose-spec "${compose[@]}"
  # The oldest that has an `unhealthyPodEvictionPolicy` to rely on, and a late one.
  for version in 1.31 1.37; do
    check kubernetes "$tools/python/bin/kubernetes-validate" --quiet --no-warn --strict -k "$version" deploy/kubernetes/*.yaml
  done
  check clippy cargo clippy --workspace --all-targets --locked -- -D warnings
  # It documents what is private, so it may link there.
  check documentation env RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
    cargo doc --workspace --locked --no-deps --document-private-items --quiet
fi

[ ${#failed[@]} -eq 0 ] || { echo "lint: failed: ${failed[*]}" >&2; exit 1; }
