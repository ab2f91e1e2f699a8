# Set-up shared by the tools. Sourced, not run. Everything goes to a cache folder outside the repo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/bitquilt"
# Outside the clone, so that a second clone does not compile RocksDB again.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
mkdir -p "$cache"

# Where the finished programs are: `bitquilt`, and `bitquilt-neural` with the networks. What cargo leaves in its target
# folder is whatever was built there last, tests included.
programs="$cache/bin"
mkdir -p "$programs"

# Builds a program under its name there; what follows the name goes to cargo.
build_program() {
  local name="$1"
  shift
  cargo build --release --quiet "$@"
  # By rename: a running program keeps its file.
  cp "$CARGO_TARGET_DIR/release/bitquilt" "$programs/.$name.$$"
  mv "$programs/.$name.$$" "$programs/$name"
}

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { printf 'tools: %s\n' "$*" >&2; exit 2; }

# Runs a command and says how long it took.
timed() {
  local started=$SECONDS
  "$@"
  printf -- '-- %s: %d s\n' "$1 ${2:-}" $((SECONDS - started))
}

# Debian packages, where this may install them; otherwise says what to install.
install() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "install $*"
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >/dev/null
  else
    die "missing $*: install it (on Debian: apt-get install $*) and run this again"
  fi
}

# A Python with numpy and safetensors, for the checks that a Python user can open what we write.
python_environment() {
  python="$cache/venv/bin/python"
  if ! "$python" -c 'import numpy, safetensors' 2>/dev/null; then
    say "Python environment with numpy and safetensors in $cache/venv"
    python3 -m venv --clear "$cache/venv" 2>/dev/null || {
      install python3-venv
      python3 -m venv --clear "$cache/venv"
    }
    "$cache/venv/bin/pip" install -q --disable-pip-version-check numpy safetensors
  fi
}

# The names that the binding generator looks for; libclang-cpp, often there without it, is another library.
have_libclang() {
  local folder name
  for folder in '/usr/lib/llvm-*/lib' '/usr/lib*' '/usr/lib/*'; do
    for name in 'libclang.so*' 'libclang-[0-9]*.so*'; do
      compgen -G "$folder/$name" >/dev/null && return
    done
  done
  return 1
}

setup() {
  command -v cargo >/dev/null || die "missing cargo: install Rust 1.89 or newer from rustup or your distribution"
  command -v python3 >/dev/null || install python3
  command -v c++ >/dev/null || install g++
  if [ -z "${LIBCLANG_PATH:-}" ] && ! have_libclang; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      install libclang-dev
    else
      # The wheel has the library but not the compiler's own headers: the C compiler lends its.
      python_environment
      "$cache/venv/bin/pip" install -q --disable-pip-version-check libclang
      LIBCLANG_PATH="$("$python" -c 'import clang, pathlib; print(pathlib.Path(clang.__path__[0]) / "native")')"
      BINDGEN_EXTRA_CLANG_ARGS="-I$(cc -print-file-name=include)"
      export LIBCLANG_PATH BINDGEN_EXTRA_CLANG_ARGS
    fi
  fi
  if ! compgen -G "$CARGO_TARGET_DIR/release/deps/liblibrocksdb_sys-*.rlib" >/dev/null; then
    say "first build: RocksDB is compiled once, with all else about 11 minutes on 2 cores, more on busy ones"
  fi
}

# libtorch for the feature `neural`, in LIBTORCH: the user's own (LIBTORCH, or LIBTORCH_USE_PYTORCH=1 for that of
# her PyTorch 2.11.0), or the one of the PyPI wheel with the two CUDA libraries that it cannot start without:
# 590 MB to fetch, not the 4 GB of the wheel's dependencies. It runs on processors only; the same binary uses a
# GPU where a whole PyTorch is.
setup_torch() {
  if [ -n "${LIBTORCH:-}" ] || [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then
    return
  fi
  local folder="$cache/libtorch-2.11.0"
  if ! [ -e "$folder/torch/lib/libtorch_cpu.so" ]; then
    say "libtorch 2.11.0 in $folder: 590 MB, once"
    python_environment
    local work
    work="$(mktemp -d "$cache/libtorch.XXXXXX")"
    "$cache/venv/bin/pip" install -q --disable-pip-version-check --no-compile --no-deps --target "$work" \
      torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 || {
      rm -rf "$work"
      die "cannot install libtorch: set LIBTORCH to a libtorch 2.11.0, or LIBTORCH_USE_PYTORCH=1 for a Python with PyTorch"
    }
    rm -rf "$folder"
    mv "$work" "$folder"
  fi
  export LIBTORCH="$folder/torch"
}
