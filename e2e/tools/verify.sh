#!/usr/bin/env bash
# Checks all that can be checked without running Weir, goes on after a failure, and says for each what to
# do. It looks at the files that git knows, as they are now, and changes none of them.
set -uo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# check NAME ADVICE COMMAND...
check() {
  local name=$1 advice=$2
  shift 2
  if "$@" >"$scratch/said" 2>&1; then
    printf 'ok    %s\n' "$name"
    return
  fi
  failures=$((failures + 1))
  printf 'FAIL  %s: %s\n' "$name" "$advice"
  sed 's/^/      /' "$scratch/said"
}

# generated compares the tree with what it is after generating anew, in copies: the two differ where a
# file is stale, edited by hand, left over, or not known to git.
generated() {
  local copy
  for copy in before after; do
    mkdir "$scratch/$copy"
    git ls-files -z | while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
      tar --create --null --files-from=- | tar --extract --directory="$scratch/$copy" || return
  done
  "$scratch/after/e2e/tools/codegen/generate.sh" || return
  (cd "$scratch" && diff --recursive --brief before after)
}

formatted() {
  local odd
  odd=$(git ls-files -z '*.go' | while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
    xargs -0 gofmt -l) || return
  [ -z "$odd" ] || { echo "$odd"; return 1; }
}

check generated 'run make generate, and git add what it wrote.' generated
check gofmt 'run gofmt -w on these files.' formatted
check tidy 'run go mod tidy.' go mod tidy -diff
check vet 'correct what go vet points at.' go vet ./...
check lint 'correct the findings, or give a reason in //nolint:NAME // REASON.' make --no-print-directory lint
check architecture 'follow the rule, or change it in pkg/*_test.go and in the design.' go test -count=1 ./pkg

if [ "$failures" -gt 0 ]; then
  echo "$failures of 6 checks failed."
  exit 1
fi
