# Sourced by the scripts beside it, which set `root`. `ensure_venv run` makes $root/.venv from
# requirements.lock, `ensure_venv dev` from requirements-dev.lock, unless it is there and current.
# shellcheck shell=sh
# A .pth file puts the checkout on the path and a small launcher is the `riskd` command: an editable
# install would do the same, but needs a build back end and, with pip, the network a second time.

venv="$root/.venv"
unset PYTHONHOME PYTHONPATH

fail() {
    printf 'riskd: %s\n' "$*" >&2
    exit 1
}

lock_path() {
    case $1 in
    run) printf '%s\n' "$root/requirements.lock" ;;
    dev) printf '%s\n' "$root/requirements-dev.lock" ;;
    esac
}

# suits PYTHON: is it CPython 3.11 to 3.13, able to make an environment?
suits() {
    "$1" -I -c '
import sys
assert sys.implementation.name == "cpython" and (3, 11) <= sys.version_info < (3, 14)
if sys.argv[1] == "pip":
    import ensurepip, venv
' "$installer" >/dev/null 2>&1
}

# Sets `python` to $PYTHON if that is given, else to the newest that suits.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || fail "PYTHON=$PYTHON is not CPython 3.11, 3.12 or 3.13 with the venv" \
            "and ensurepip modules. Name another one, or unset PYTHON."
        python=$PYTHON
        return
    fi
    for python in python3.13 python3.12 python3.11 python3; do
        if suits "$python"; then return; fi
    done
    fail "found no CPython 3.11, 3.12 or 3.13 that can make a virtual environment (tried" \
        "python3.13, python3.12, python3.11, python3). Install one, with its venv module" \
        "(Debian and Ubuntu: python3-venv), or name it: PYTHON=path/to/python $0"
}

# stamp PYTHON LEVEL: what an environment of this level is made of, on one line.
stamp() {
    "$1" -I -c '
import hashlib, pathlib, sys
digest = hashlib.sha256(pathlib.Path(sys.argv[1]).read_bytes()).hexdigest()
print(digest, sys.version.split()[0], sys.argv[2])
' "$(lock_path "$2")" "$root"
}

# is_current LEVEL: was .venv finished from this lock, at this place, and does its Python still run?
is_current() {
    [ -f "$venv/riskd-$1.stamp" ] || return 1
    found=$(cat "$venv/riskd-$1.stamp")
    [ "$found" = "$(stamp "$venv/bin/python" "$1" 2>/dev/null)" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$found" = "$(stamp "$PYTHON" "$1" 2>/dev/null)" ]
}

# The kernel frees the lock when its last holder ends, so a killed build leaves nothing behind.
# Descriptor 9 is shared with the Python process, so the shell keeps what Python locks.
take_lock() {
    (: >>"$root/.venv.lock") 2>/dev/null || fail "cannot write in $root, to make .venv."
    exec 9>>"$root/.venv.lock"
    "$python" -I -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("riskd: waiting for another script that is making .venv", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
' 9>&9 || fail "cannot lock $root/.venv.lock."
}

install_lock() {
    if [ "$installer" = uv ]; then
        uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$1"
    else
        "$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check \
            --no-deps --require-hashes -r "$1"
    fi || fail "could not install the packages of $(basename "$1"); the lines above say why." \
        "Without network access, point PIP_INDEX_URL or UV_INDEX_URL at a mirror. Then run again."
}

install_riskd() {
    site=$("$venv/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$root" >"$site/riskd.pth"
    cat >"$venv/bin/riskd" <<LAUNCHER
#!/bin/sh
'''exec' "$venv/bin/python" "\$0" "\$@"
' '''
import sys

from riskd.cli import main

sys.exit(main())
LAUNCHER
    chmod 755 "$venv/bin/riskd"
}

# Can packages be added to what is there? An environment that uv made has no pip.
can_add() {
    [ "$installer" = uv ] || "$venv/bin/python" -I -c 'import pip' >/dev/null 2>&1
}

build_venv() {
    lock=$(lock_path "$1")
    # The dev lock holds the run lock's versions, so adding it to a current environment is safe.
    if [ -f "$venv/riskd-dev.stamp" ] || ! is_current run || ! can_add; then
        printf 'riskd: making .venv from %s with %s and %s\n' \
            "$(basename "$lock")" "$("$python" -V)" "$installer" >&2
        rm -rf "$venv"
        if [ "$installer" = uv ]; then
            uv venv --quiet --no-project --python "$(command -v "$python")" "$venv"
        else
            "$python" -I -m venv "$venv"
        fi || fail "could not make $venv; the lines above say why."
    else
        printf 'riskd: adding %s to .venv with %s\n' "$(basename "$lock")" "$installer" >&2
    fi
    install_lock "$lock"
    install_riskd
    stamp "$venv/bin/python" run >"$venv/riskd-run.stamp"
    if [ "$1" = dev ]; then stamp "$venv/bin/python" dev >"$venv/riskd-dev.stamp"; fi
}

ensure_venv() {
    if is_current "$1"; then return; fi
    installer=pip
    if command -v uv >/dev/null 2>&1; then installer=uv; fi
    choose_python
    take_lock
    if ! is_current "$1"; then build_venv "$1"; fi
    exec 9>&-
}
