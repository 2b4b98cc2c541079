"""masklet's speed and memory next to PyTorch, ONNX Runtime and OpenVINO, in one run.

    python bench/peers/compare.py --masklet target/release/masklet --data ../shared/data \\
        -o docs/performance-data.json --markdown docs/peers.md

All peers take turns, round after round, each time in a new process, on the same random checkpoint
and frames; the turn that begins moves on by one every round. What is finished is kept in the work
folder: an interrupted run continues where it stopped (--fresh begins anew).
"""

import argparse
import datetime
import hashlib
import json
import signal
import sys
from pathlib import Path

import psutil

import common
import machine
import peers
import report


def main():
    arguments = parse_arguments()
    # So that the process of the turn is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    store = Store(arguments)
    failures = skipped(arguments) | prepare(arguments)
    for number, peer in turns(arguments):
        if store.has(peer, number) or str(peer) in failures:
            continue
        busy = psutil.cpu_percent(interval=1.0)
        try:
            result = peers.measure(peer, arguments) | {"others_busy_percent": busy}
        except peers.Failed as failure:
            failures[str(peer)] = str(failure)
            print(f"{peer}: not run: {failure}", flush=True)
            continue
        store.add(peer, number, result)
        print(f"round {number + 1}: {peer}: {report.in_short(result)}", flush=True)
    data = store.data | {
        "failures": failures,
        "machine": machine.describe(),
        "versions": machine.versions(arguments.masklet.resolve()),
    }
    data["comparison"] = report.compare(data)
    write(arguments.output, json.dumps(data, indent=1) + "\n")
    text = report.markdown(data)
    write(arguments.markdown, text)
    print(text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masklet", type=Path, required=True, help="the binary")
    parser.add_argument("--data", type=Path, required=True, help="folder with davis2016-val/")
    parser.add_argument("--preset", default="sam2.1-tiny")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(peers.TASKS),
                        help=f"some of {','.join(peers.TASKS)} (video includes the further object)")
    parser.add_argument("--skip", type=lambda text: text.split(","), default=[],
                        help="peers with one of these in their name, as \"pytorch bf16\", slow where it is emulated")
    parser.add_argument("--work", type=Path, default=Path("target/peers"), help="for checkpoints and results")
    parser.add_argument("--fresh", action="store_true", help="forget finished rounds")
    parser.add_argument("-o", "--output", type=Path, help="all results, as JSON")
    parser.add_argument("--markdown", type=Path, help="the tables")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(peers.TASKS):
        parser.error(f"--only knows {', '.join(peers.TASKS)}, not {', '.join(sorted(unknown))}")
    if not arguments.masklet.is_file():
        parser.error(f"there is no file {arguments.masklet}")
    return arguments


def wanted(arguments):
    return [peer for peer in peers.PEERS if peer.task in (*arguments.only, "bench")]


def chosen(arguments):
    return [peer for peer in wanted(arguments) if not any(text in str(peer) for text in arguments.skip)]


def skipped(arguments):
    """The peers that are left out, with the reason."""
    return {str(peer): "left out by --skip" for peer in wanted(arguments) if peer not in chosen(arguments)}


def turns(arguments):
    """Rounds and peers in the order in which they run."""
    everyone = chosen(arguments)
    for number in range(arguments.rounds):
        first = number % len(everyone)
        for peer in everyone[first:] + everyone[:first]:
            if number < peer.rounds(arguments.rounds):
                yield number, peer


def prepare(arguments):
    """Makes what is missing, and names the peers that lack something, with the reason."""
    folder = common.Files(arguments.work, arguments.preset).folder
    folder.mkdir(parents=True, exist_ok=True)
    failures, failed_steps = {}, {}
    for peer in chosen(arguments):
        for step in peer.needs:
            done = folder / f"{step}.done"
            if not done.exists() and step not in failed_steps:
                print(f"preparing: {step}", flush=True)
                try:
                    peers.run(peers.prepare_command(step, arguments), arguments.threads)
                    done.touch()
                except peers.Failed as failure:
                    failed_steps[step] = str(failure)
            if step in failed_steps:
                failures.setdefault(str(peer), f"{step}: {failed_steps[step]}")
                print(f"{peer}: not run: {failures[str(peer)]}", flush=True)
    return failures


class Store:
    """Finished measurements, on disk after each. Another binary, another version of a package or
    other settings are another file or entry, so that results are never mixed."""

    def __init__(self, arguments):
        self.path = arguments.work / f"results-{arguments.preset}-{arguments.threads}-threads.json"
        self.masklet = hashlib.sha256(arguments.masklet.read_bytes()).hexdigest()[:12]
        self.packages = machine.versions(arguments.masklet.resolve())
        self.packages.pop("masklet")
        self.sitting = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        kept = json.loads(self.path.read_text()) if self.path.exists() and not arguments.fresh else []
        everyone = {str(peer) for peer in chosen(arguments)}
        self.others = [r for r in kept if not self.valid(r) or r["peer"] not in everyone or r["round"] >= arguments.rounds]
        results = [r for r in kept if r not in self.others]
        self.data = {
            "settings": {key: getattr(arguments, key) for key in ("preset", "rounds", "threads", "only", "skip")},
            "results": results,
        }

    def valid(self, result):
        return result["made_by"] == self.made_by(result["peer"])

    def made_by(self, peer):
        conditions = machine.describe()
        if " masklet " in peer:
            return {"masklet": self.masklet, "cpu": conditions["cpu"]}
        return {"packages": self.packages, "cpu": conditions["cpu"], "environment": conditions["environment"]}

    def has(self, peer, number):
        return any((r["peer"], r["round"]) == (str(peer), number) for r in self.data["results"])

    def add(self, peer, number, result):
        entry = {"peer": str(peer), "round": number, "sitting": self.sitting, "made_by": self.made_by(str(peer))}
        self.data["results"].append(entry | result)
        temporary = self.path.with_suffix(".tmp")
        write(temporary, json.dumps(self.data["results"] + self.others, indent=1))
        temporary.replace(self.path)


def write(path, text):
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
