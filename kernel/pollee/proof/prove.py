"""Proves every model, shows that none of them is empty, and that each seeded fault does harm: `make proof`.

`prove.py` runs everything; `prove.py NAME …` proves the models with these names. `--trace FILE` before that repeats runs of the
source, which the kit has had written.
"""

from __future__ import annotations

import multiprocessing
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import replay
import runs
import word
from faults import CASES, NOT_MODELLED
from models import MODELS
from transition import Model, obligations

def prove(name: str) -> tuple[str, list[str]]:
    """Shows every obligation of a model. Returns a line for the table, and what is not proved."""
    begin = time.time()
    missing = []
    count = 0
    for obligation in obligations(MODELS[name]()):
        count += 1
        verdict = obligation.prove()
        if verdict != "proved":
            missing.append(f"{name}: {obligation.label}: {verdict}")
    return f"{name:<24}{count:>6} obligations {time.time() - begin:>8.1f} s", missing


def run(name: str) -> tuple[str, list[str]]:
    """Shows that a model is not empty."""
    begin = time.time()
    complaints = runs.check(name)
    return f"{name:<24}{len(runs.WITNESSES[name]):>6} runs found  {time.time() - begin:>8.1f} s", complaints


def fault(nr: int) -> tuple[str, list[str]]:
    """Shows that a seeded fault breaks what it is said to break."""
    case = CASES[nr]
    complaint = case.check()
    line = f"{case.fault:<24} breaks “{case.invariant}” of {case.model(None).name}"
    return line, [f"{case.fault}: {complaint}"] if complaint else []


def conform(job: tuple[Path, str]) -> tuple[str, list[str]]:
    """Shows that runs of the source are runs of the model."""
    begin = time.time()
    trace, policy = job
    count, complaints = replay.replay(trace, policy)
    return f"{'source ' + policy:<24}{count:>6} operations  {time.time() - begin:>8.1f} s", complaints


def bits(_: str) -> tuple[str, list[str]]:
    """Shows that the arithmetic of the word does what the models say."""
    begin = time.time()
    lemmas = word.lemmas()
    missing = [f"word: {label}: {verdict}" for label, lemma in lemmas if (verdict := word.prove(lemma)) != "proved"]
    return f"{'word':<24}{len(lemmas):>6} obligations {time.time() - begin:>8.1f} s", missing


def unknown_faults() -> list[str]:
    """Faults of the source that no case seeds, and the other way round."""
    source = (Path(__file__).parent.parent / "src/fault.rs").read_text()
    body = source[source.index("pub enum Fault {"):]
    named = set(re.findall(r"^    (\w+),$", body[:body.index("\n}")], re.MULTILINE))
    seeded = {case.fault for case in CASES} | NOT_MODELLED
    return [f"src/fault.rs and faults.py differ: {name}" for name in sorted(named ^ seeded)]


def show(models: list[Model]) -> None:
    """For work on one model: each obligation that is not proved, and those that are slow."""
    for model in models:
        begin = time.time()
        count = 0
        for obligation in obligations(model):
            start = time.time()
            verdict = obligation.prove()
            count += 1
            if verdict != "proved" or time.time() - start > 2:
                print(f"    {obligation.label}: {verdict}, {time.time() - start:.1f} s", flush=True)
        print(f"{model.name}: {count} obligations, {time.time() - begin:.1f} s", flush=True)


def main(arguments: list[str]) -> int:
    trace = None
    if arguments[:1] == ["--trace"]:
        trace, arguments = Path(arguments[1]), arguments[2:]
    names = arguments or list(MODELS)
    jobs: list[tuple] = [(prove, name) for name in names]
    if trace:
        jobs += [(conform, (trace, policy)) for policy in replay.POLICIES]
    if not arguments:
        jobs += [(bits, "word")] + [(run, name) for name in MODELS] + [(fault, nr) for nr in range(len(CASES))]
    begin = time.time()
    complaints = unknown_faults()
    # A new process for each job: what z3 finds depends on what it was asked before.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for line, found in pool.map(_call, jobs):
            print(line + ("" if not found else "   NOT PROVED"), flush=True)
            complaints += found
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{'NOT PROVED' if complaints else 'proved'}, {time.time() - begin:.0f} s")
    return 1 if complaints else 0


def _call(job):
    function, argument = job
    return function(argument)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
