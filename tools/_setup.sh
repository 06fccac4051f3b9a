# Puts this checkout's virtual environment in order, for tools/serve, tools/test and .ci/run.
#
# Sourced by bash (3.2 or newer), never run. It needs a Python of at least 3.11 with venv and
# nothing else; it writes to stderr only. PYTHON=/path/to/python chooses the interpreter that
# .venv is made with.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/yjs-relay-installed

# 3.12 comes first because it is the newest for which every test dependency has wheels.
python_candidates=(python3.12 python3.11 python3.13 python3.14 python3)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# Prints "<verdict> <version>" for an interpreter: old (before 3.11), bare (cannot make virtual
# environments) or good. Prints nothing when it does not run at all.
probe_python() {
  "$1" -c '
import sys
version = "%d.%d" % sys.version_info[:2]
try:
    import ensurepip, venv
    verdict = "good"
except ImportError:
    verdict = "bare"
print((verdict if sys.version_info >= (3, 11) else "old") + " " + version)
' 2>/dev/null </dev/null || true
}

# Sets `python` to the first interpreter that will do, or ends with one line that says why none.
find_python() {
  local candidate answer old='' bare=''
  if [[ -n ${PYTHON:-} ]]; then python_candidates=("$PYTHON"); fi
  for candidate in "${python_candidates[@]}"; do
    answer=$(probe_python "$candidate")
    case $answer in
      'good '*) python=$candidate; return ;;
      'bare '*) [[ -n $bare ]] || bare=${answer#* } ;;
      'old '*) old=${answer#* } ;;
    esac
  done
  if [[ -n $bare ]]; then
    die "Python $bare cannot make virtual environments: install its venv module" \
      "(Debian and Ubuntu: apt-get install python$bare-venv)"
  elif [[ -n $old ]]; then
    die "needs Python 3.11 or newer, found only $old: install one, or set PYTHON=/path/to/python"
  fi
  die "needs Python 3.11 or newer, found none that runs as ${python_candidates[*]}:" \
    "install one, or set PYTHON=/path/to/python"
}

# Prints the hash of pyproject.toml; fails when the environment's interpreter is gone or too old.
hash_project() {
  "$venv/bin/python" -I -S -c '
import sys, hashlib
if sys.version_info < (3, 11):
    sys.exit(1)
with open(sys.argv[1], "rb") as file:
    print(hashlib.sha256(file.read()).hexdigest())
' "$root/pyproject.toml" </dev/null
}

make_venv() {
  find_python
  say "making .venv with $python ($("$python" -V 2>&1))"
  "$python" -m venv --clear "$venv" >&2 || die "could not make $venv, see above"
}

# install_project [dev]: on return .venv holds this checkout, editable, with that extra. Without
# a change to pyproject.toml since the last time, one short Python process is all it costs.
#
# The stamp holds the checkout's path (scripts in .venv name it: a checkout that moved needs a
# new one), the hash of pyproject.toml, and the extra. It is written last, so that whatever is
# interrupted is done again.
install_project() {
  local extra=${1:-} hash='' old_root='' old_hash='' old_extra=''
  if [[ -f $stamp ]]; then
    { read -r old_root && read -r old_hash && read -r old_extra; } <"$stamp" || true
  fi
  if [[ -n $old_root && $old_root != "$root" ]] || ! hash=$(hash_project 2>/dev/null); then
    make_venv
    hash=$(hash_project) || die 'could not read pyproject.toml with the Python in .venv, see above'
    old_hash=''
    old_extra=''
  fi
  if [[ $hash == "$old_hash" && (-z $extra || $extra == "$old_extra") ]]; then return; fi

  if [[ $old_extra == dev ]]; then extra=dev; fi
  rm -f "$stamp"
  say "installing the project and what it needs into .venv (up to a minute, only this once)"
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    "$venv/bin/python" -m ensurepip --default-pip >/dev/null 2>&1 ||
    die "there is no pip in .venv and none could be put there: delete .venv and try again"
  (
    cd "$root"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
      --editable ".${extra:+[$extra]}" >&2 </dev/null
  ) || die 'pip could not install the project, see above'
  printf '%s\n' "$root" "$hash" "${extra:--}" >"$stamp"
}
