#!/bin/sh
# Prints the CTest lines for every case of a doctest executable: list_tests.sh EXECUTABLE PREFIX TIMEOUT LABELS
# A comma separates filters for doctest, and CMake's lists stumble over brackets and semicolons, so each of these
# becomes the wildcard that stands for one character.
set -eu
"$1" --list-test-cases | grep -v -e '^\[doctest\]' -e '^==*$' | while IFS= read -r name; do
  filter=$(printf '%s' "$name" | tr ',;[]\\"' '??????')
  printf 'add_test([==[%s%s]==] "%s" [==[--test-case=%s]==])\n' "$2" "$(printf '%s' "$name" | tr ';[]' ',()')" "$1" "$filter"
  printf 'set_tests_properties([==[%s%s]==] PROPERTIES TIMEOUT %s LABELS "%s")\n' \
    "$2" "$(printf '%s' "$name" | tr ';[]' ',()')" "$3" "$4"
done
