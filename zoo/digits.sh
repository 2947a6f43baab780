#!/usr/bin/env bash
# Trains the links of the digits that come with the package, and packs them: one of each scheme, at
# most 2 MB together. zoo/digits.sh [SCHEME ...]; runs are kept in build/zoo and resumed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=build/zoo
# Default settings of the recipes, but for sizes that would not fit.
heads="--set=link.head_width=64 --set=link.width=3"
# Alice's layer carries the simulated Eve with it.
surrogate="--set=privacy.eve_capacity=linear"
trunk="--set=link.width=6"
maps="--set=link.width=4 --set=semantic.classifier_width=2 --set=semantic.blocks=1"
declare -A settings=(
    [multitask]=$heads [minmax]=$heads
    [cooperative]="$heads $surrogate" [minmax-cooperative]="$heads $surrogate"
    [deepjscc]=$trunk [dp]=$trunk [shuffle]=$trunk [cipher]=$trunk [vfe]=$trunk [ibal]=$trunk
    [rotation]="$trunk --set=audit.variants=false"
    [lbvq]="--set=link.width=4" [uis]="--set=link.width=4"
    [mobilesc]=$maps [jscc-ofdm]=$maps [mobilenetv2]=$maps
    [deepjscc-image]="" [residual-jscc]="--set=link.width=8"
)
[ $# -gt 0 ] || set -- $(printf '%s\n' "${!settings[@]}" | sort)

for scheme; do
    run=$runs/$scheme
    if [ -e "$run/run.json" ]; then
        semveil train --resume "$run" --device cpu --quiet
    else
        # shellcheck disable=SC2086 # settings are several words
        semveil train "$scheme-digits" --device cpu --out "$run" --quiet ${settings[$scheme]}
    fi
done
# Afterwards: each training states whether the checkout was clean.
for scheme; do
    semveil zoo pack "$runs/$scheme" "digits/$scheme" --no-eve --replace
done
