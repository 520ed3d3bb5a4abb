#!/bin/sh
# Re-derive the locks from pyproject.toml: exact versions with digests, for every Python from 3.11 on, naming no host.
set -eu
cd "$(dirname "$0")/.."
UV="${UV:-uv}"
flags="--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header"
$UV pip compile $flags --extra server --extra lab pyproject.toml -o requirements/run.lock "$@"
$UV pip compile $flags --all-extras --group dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock "$@"
