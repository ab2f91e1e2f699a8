"""What the scripts that measure share: where things lie, a process and its figures, a table, the file of a result."""
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "bitquilt")
os.environ.setdefault("CARGO_TARGET_DIR", os.path.join(CACHE, "target"))
# Where tools/lib.sh puts the finished programs, if none is named.
BITQUILT = os.environ.get("BITQUILT", os.path.join(CACHE, "bin", "bitquilt"))
BITQUILT_NEURAL = os.environ.get("BITQUILT", os.path.join(CACHE, "bin", "bitquilt-neural"))
RESULTS = os.path.join(ROOT, "docs", "results")


def build(script):
    """Builds a program by one of the scripts in tools/, if none is named in BITQUILT."""
    if "BITQUILT" not in os.environ:
        subprocess.run([os.path.join(ROOT, "tools", script)], check=True, stdout=subprocess.DEVNULL)


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


def bench(name):
    """The path of a benchmark of the library, compiled."""
    messages = subprocess.run(["cargo", "bench", "--bench", name, "--no-run"], cwd=ROOT, check=True,
                              stderr=subprocess.PIPE, text=True).stderr
    return os.path.join(ROOT, re.search(rf"\((\S*{name}-\w+)\)", messages).group(1))


def mnist_folder():
    """The folder with MNIST's IDX files."""
    return subprocess.run([os.path.join(ROOT, "tools", "fetch-mnist")], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def machine():
    """Cores and processor, with the numbers that tell what a virtual machine's name does not."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        of = dict(re.findall(r"^(\w[\w ]*?)\s*: (.*)$", info.read(), re.MULTILINE))
    numbers = ", ".join(f"{name.removeprefix('cpu ')} {of[name]}" for name in ("cpu family", "model") if name in of)
    return f"{os.cpu_count()} cores, {of.get('model name', 'unknown')}" + (f" ({numbers})" if numbers else "")


def columns(*titles_and_formats):
    """The columns of a table, each a title and a format of `str.format`: columns("window", "", "seconds", "{:.1f}")."""
    titles, formats = titles_and_formats[::2], titles_and_formats[1::2]
    return [{"title": title, "format": text or "{}"} for title, text in zip(titles, formats, strict=True)]


def cell(value, text):
    """A value as a table shows it; a list fills a format with several places, and nothing is a dash."""
    if value is None:
        return "–"
    return text.format(*value) if isinstance(value, list) else text.format(value)


def markdown(table):
    """A table, {"columns", "rows"}, as lines of Markdown: text to the left, numbers to the right."""
    of, rows = table["columns"], table["rows"]
    for row in rows:
        if len(row) != len(of):
            raise ValueError(f"a row of {len(row)} values under {len(of)} columns: {row}")
    text = [all(isinstance(row[i], str) for row in rows) for i in range(len(of))]
    shown = [[column["title"] for column in of]]
    shown += [[cell(value, column["format"]) for value, column in zip(row, of)] for row in rows]
    widths = [max(3, *(len(line[i]) for line in shown)) for i in range(len(of))]
    pad = lambda line: [value.ljust(width) if left else value.rjust(width)
                        for value, width, left in zip(line, widths, text)]
    rule = ["-" * width if left else "-" * (width - 1) + ":" for width, left in zip(widths, text)]
    return ["| " + " | ".join(line) + " |" for line in [pad(shown[0]), rule, *map(pad, shown[1:])]]


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def command_line():
    """This process as a user would type it at the root of the repository."""
    words = [os.path.relpath(os.path.abspath(sys.argv[0]), ROOT), *sys.argv[1:]]
    named = os.environ.get("BITQUILT")
    return shlex.join(([f"BITQUILT={named}"] if named else []) + words)


class Results:
    """Where the results of one run go: a file for each part that is measured, in a folder.

    The state of the repository is what it was when the run began: what it writes itself does not count.
    """

    def __init__(self, folder=RESULTS):
        self.folder = folder
        # Results and the tables made of them say nothing about what was measured.
        changed = git("status", "--porcelain", "--", ".", ":!docs/results", ":!docs/figures", ":!README.md")
        self.of = {"machine": machine(), "date": datetime.date.today().isoformat(), "commit": git("rev-parse", "HEAD"),
                   "dirty": bool(changed), "command": command_line()}

    def write(self, name, **tables):
        """Prints tables and writes them to `name`.json, in place of what was measured before."""
        for title, table in tables.items():
            print(f"{name}: {title}", *markdown(table), "", sep="\n", flush=True)
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, f"{name}.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(document({**self.of, "tables": tables}))
        os.replace(path + ".new", path)


def document(result):
    """A result as text: JSON, one row of a table a line."""
    def lines(table):
        of = ",\n        ".join(json.dumps(column, ensure_ascii=False) for column in table["columns"])
        rows = ",\n        ".join(json.dumps(row, ensure_ascii=False) for row in table["rows"])
        return f'{{\n      "columns": [\n        {of}\n      ],\n      "rows": [\n        {rows}\n      ]\n    }}'
    head = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
            for key, value in result.items() if key != "tables"]
    tables = ",\n".join(f"    {json.dumps(name)}: {lines(table)}" for name, table in result["tables"].items())
    text = "{\n" + ",\n".join(head) + ',\n  "tables": {\n' + tables + "\n  }\n}\n"
    assert json.loads(text) == result
    return text


def add_out(parser):
    """The option that every script that measures has."""
    parser.add_argument("--out", metavar="FOLDER", default=RESULTS,
                        help="where the results go, a file for each part (default docs/results)")
