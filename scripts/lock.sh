#!/bin/sh
# Re-derive the locks from pyproject.toml: exact versions with digests, for every Python from 3.11 on, naming no host.
set -eu
cd "$(dirname "$0")/.."
UV="${UV:-uv}"
flags="--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header"
$UV pip compile $flags --extra server --extra postgres --extra kms --extra cluster --group lab pyproject.toml -o requirements/run.lock "$@"
$UV pip compile $flags --extra server --extra postgres --extra kms --extra cluster --group lab --group dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock "$@"

# What an install from the wheel takes, by `pip install -c`: the same versions without digests, as pip would ask for
# one of the wheel itself. It is shipped in the wheel.
{
    echo "# The versions that this release was tested with: pip install -c constraints.txt 'renzheng-...whl[server]'"
    sed -n 's/ *\\$//; /^[A-Za-z0-9]/p' requirements/run.lock
} > src/renzheng/constraints.txt

# Judging on a Ray cluster: beside run.lock or dev.lock, and in their versions. Apart, as it is 150 MB that few need.
$UV pip compile $flags --extra ray -c requirements/dev.lock pyproject.toml -o requirements/ray.lock "$@"
