"""What the scripts that measure share: where things lie, a process and its figures, a table."""
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "bitquilt")
os.environ.setdefault("CARGO_TARGET_DIR", os.path.join(CACHE, "target"))
# Where tools/lib.sh puts the finished programs.
BITQUILT = os.path.join(CACHE, "bin", "bitquilt")
BITQUILT_NEURAL = os.path.join(CACHE, "bin", "bitquilt-neural")


def finish(command, allowed):
    """Runs a process to its end; returns what it printed and what it used."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in allowed:
        sys.exit(f"{' '.join(command)}: exit code {child.returncode}")
    return output, usage


def run(*command, allowed=(0,)):
    """Runs a process; returns its JSON, its wall seconds and its peak memory in MiB."""
    started = time.perf_counter()
    output, usage = finish(command, allowed)
    return json.loads(output or "null"), time.perf_counter() - started, usage.ru_maxrss / 1024


def processor_time(*command):
    """Runs a process; returns its processor seconds, of all threads."""
    _, usage = finish(command, (0,))
    return usage.ru_utime + usage.ru_stime


def table(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths)) + " |")
    print(flush=True)


def mnist_folder():
    """The folder with MNIST's IDX files."""
    return subprocess.run([os.path.join(ROOT, "tools", "fetch-mnist")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def machine():
    """Cores and processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        cpu = re.search(r"model name\s*: (.*)", info.read())
    return f"{os.cpu_count()} cores, {cpu.group(1) if cpu else 'unknown'}"
