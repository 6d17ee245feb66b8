"""The door for people: ``rsconn demo``, ``simulate``, ``check``, ``run``, ``rois`` and the other commands."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from rsconn import __version__
from rsconn.errors import SettingsError, UserError, refuse_unreadable

_WHERE_TO_REPORT = (
    "This is a bug in rsconn: please report it with the lines above, the command and the config, "
    "in the issue tracker of the repository you installed rsconn from."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command line without the program's name; None takes it from the process.

    Returns
    -------
    int
        0 if all went well, 2 for a user's mistake (one line on standard error), 1 for a bug (traceback).
    """
    # one thread per process, before numpy is imported: workers use the cores, and sums keep their order
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")
    parser = _make_parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    # what follows a bare `--` belongs to Snakemake
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    options.snakemake = words[split + 1 :]
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        with refuse_unreadable():
            return command(options)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"rsconn: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rsconn: stopped; run the same command again to go on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except Exception:  # noqa: BLE001 - the last one to see it; shown whole
        import traceback

        traceback.print_exc()
        print(_WHERE_TO_REPORT, file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, as every other mistake is told."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"rsconn: {message} ({self.prog} --help)\n")


def _whole(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within limits."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None
        if number is None or not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} found, a whole number from {low} to {high} needed")
        return number

    return read


def _number(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """Return a reader of finite numbers within limits."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and low <= number <= high):
            limits = f" from {low:g} to {high:g}" if math.isfinite(high) else ""
            raise argparse.ArgumentTypeError(f"{text!r} found, a number{limits} needed")
        return number

    return read


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rsconn",
        description="Test, claim by claim, what a resting-state connectivity study said, on your data.",
    )
    parser.add_argument("--version", action="version", version=f"rsconn {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _add_demo, _add_simulate, _add_init, _add_check, _add_run, _add_power, _add_register, _add_rois, _add_score,
        _add_verify, _add_diff, _add_multiverse,
    ):  # fmt: skip
        add(commands)
    return parser


type_of_commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _add_cores(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cores",
        type=_whole(1, 10_000),
        default=None,
        metavar="N",
        help="processor cores to use (default: all)",
    )


def _add_demo(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("demo", help="simulate the study and run everything, to a report")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="default: here")
    _add_cores(parser)
    parser.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> int:
    from rsconn.commands.demo import run_demo

    return run_demo(options.folder, cores=options.cores, snakemake_options=options.snakemake)


def _add_simulate(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("simulate", help="write a simulated dataset with known truth")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--seed", type=_whole(0, 2**53), default=20220401, help="default: %(default)s")
    parser.add_argument("--null", action="store_true", help="plant no effect at all")
    parser.add_argument(
        "--effect",
        type=_number(0, 10),
        default=1.0,
        metavar="X",
        help="multiply every planted effect (default: 1)",
    )
    _add_cores(parser)
    parser.set_defaults(command=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from rsconn.commands.demo import simulate

    simulate(options.folder, seed=options.seed, null=options.null, effect=options.effect, cores=options.cores)
    return 0


def _add_init(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "init",
        help="look at a dataset and write a first config for it",
        epilog="Writes config.yaml, rois.yaml and claims.yaml with the reason of each guess; '# ?' marks questions.",
    )
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="raw dataset, derivatives or tables")
    parser.add_argument(
        "--table", type=Path, nargs="+", action="extend", default=[], metavar="FILE",
        help="further tables of people, joined to participants.tsv",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="default: here")
    parser.set_defaults(command=_init)


def _init(options: argparse.Namespace) -> int:
    from rsconn.commands.init import write_first_config

    lines, ready = write_first_config(options.dataset, options.table, options.output)
    print("\n".join(lines))
    return 0 if ready else 2


def _add_check(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("check", help="find every problem before any job; changes nothing")
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from rsconn.commands.check import check_config

    result = check_config(options.config)
    for line in result.lines:
        print(line)
    return 2 if result.problems else 0


def _add_run(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "run",
        help="run the workflow of a config, to a report",
        epilog="What follows a bare -- goes to Snakemake, such as: -- --dry-run",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    _add_cores(parser)
    parser.add_argument(
        "--profile", default="default", metavar="NAME", help="default, slurm, or a folder with a config.yaml"
    )
    parser.add_argument(
        "--anonymise", action="store_true", help="hide ids on the page and in figures, to share them"
    )
    _add_loudness(parser)
    parser.set_defaults(command=_run)


def _add_loudness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="no lines but errors and the verdicts")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="Snakemake's own lines instead of rsconn's"
    )


def _run(options: argparse.Namespace) -> int:
    from rsconn.commands.run import Loudness, run_workflow

    if options.quiet and options.verbose:
        raise SettingsError("-q and -v found; one of them is needed")
    loudness = Loudness.QUIET if options.quiet else Loudness.LINES
    return run_workflow(
        options.config,
        cores=options.cores,
        profile=options.profile,
        anonymise=options.anonymise,
        loudness=Loudness.SNAKEMAKE if options.verbose else loudness,
        snakemake_options=options.snakemake,
    )


def _add_power(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("power", help="how often each claim would be supported with a planned n")
    parser.add_argument("config", type=Path, metavar="CONFIG", help="its data need not exist yet")
    parser.add_argument(
        "--n",
        type=_whole(2, 100_000),
        nargs="+",
        default=None,
        metavar="N",
        help="people per group (default: 20 40 60 80 120)",
    )
    parser.add_argument(
        "--multiple", type=_number(0, 100), nargs="+", default=[1.0], metavar="X",
        help="true effects, as multiples of the smallest effect of interest (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--simulations",
        type=_whole(1, 1_000_000),
        default=400,
        metavar="N",
        help="cohorts per n (default: 400)",
    )
    parser.add_argument(
        "--output", type=Path, default=None, metavar="DIR", help="default: power/ in output_dir"
    )
    parser.set_defaults(command=_power)


def _power(options: argparse.Namespace) -> int:
    from rsconn.commands.power import DEFAULT_N, plan_power

    for line in plan_power(
        options.config,
        n_per_group=options.n or DEFAULT_N,
        multiples=options.multiple,
        n_simulations=options.simulations,
        output=options.output,
    ):
        print(line)
    return 0


def _add_register(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "register", help="write down claims and thresholds before the data are looked at"
    )
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument(
        "--output", type=Path, default=Path("registered.json"), metavar="FILE", help="default: %(default)s"
    )
    parser.set_defaults(command=_register)


def _register(options: argparse.Namespace) -> int:
    from rsconn.commands.register import write_registration

    for line in write_registration(options.config, options.output):
        print(line)
    return 0


def _add_rois(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("rois", help="make a ROI set from the maps of a finished run")
    ways = parser.add_subparsers(title="ways", required=True, metavar="WAY")
    parser = ways.add_parser(
        "from-map",
        help="significant clusters of a group map become a ROI set, marked as defined by that contrast",
        epilog="The set is circular in the data it was found in: claims on the same contrast are not testable there.",
    )
    parser.add_argument(
        "results", type=Path, metavar="RESULTS", help="output_dir of a finished run with seeds"
    )
    parser.add_argument("--seed", required=True, metavar="ROI", help="the seed whose map is meant")
    parser.add_argument(
        "--model", default="group", metavar="NAME", help="group, a score, or SCORE-by-group (default: group)"
    )
    parser.add_argument(
        "--correction",
        choices=["tfce", "extent", "mass", "max-t"],
        default="mass",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--alpha", type=_number(), default=None, help="family-wise (default: inference.alpha)"
    )
    parser.add_argument(
        "--leave-one-out", action="store_true",
        help="also each person's mean in clusters found without them, with a p that repeats the selection",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=Path, default=None, metavar="FILE", help="the run's config, for --leave-one-out"
    )
    parser.add_argument(
        "--output", type=Path, default=None, metavar="DIR", help="default: a folder in RESULTS/rois"
    )
    parser.set_defaults(command=_make_rois)


def _make_rois(options: argparse.Namespace) -> int:
    from rsconn.commands.rois_from_map import find_set, make_roi_set

    found = find_set(
        options.results,
        seed=options.seed,
        model=options.model,
        correction=options.correction,
        alpha=options.alpha,
    )
    left_out: list[str] = []
    if options.leave_one_out:
        from rsconn.commands.leave_one_out import write_left_out

        left_out = write_left_out(found, options.config, options.output)
    for line in [*make_roi_set(found, options.output), *left_out]:
        print(line)
    return 0


def _add_score(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("score", help="score a questionnaire's items and say how reliable they are")
    parser.add_argument("table", type=Path, metavar="TABLE", help="tab-separated, one row per person")
    parser.add_argument(
        "--instrument",
        required=True,
        metavar="NAME|FILE",
        help="IRI, ERQ, or a YAML file of your own (see config/questionnaires)",
    )
    parser.add_argument(
        "--items", required=True, metavar="PATTERN", help="how item columns are named, such as 'iri_{:02d}'"
    )
    parser.add_argument("--reversed", action="store_true", help="reversed items are stored already reversed")
    parser.add_argument(
        "--range", nargs=2, type=_number(), default=None, metavar=("LOW", "HIGH"), help="answers as stored"
    )
    parser.add_argument("--output", type=Path, default=None, metavar="FILE", help="write the scores here")
    parser.set_defaults(command=_score)


def _score(options: argparse.Namespace) -> int:
    from rsconn.commands.score import score_table

    if options.range and options.range[0] >= options.range[1]:
        low, high = options.range
        raise SettingsError(f"--range {low:g} {high:g}: the lowest answer first and then a higher one needed")
    for line in score_table(
        options.table,
        instrument=options.instrument,
        items=options.items,
        already_reversed=options.reversed,
        answer_range=tuple(options.range) if options.range else None,
        output=options.output,
    ):
        print(line)
    return 0


def _add_verify(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("verify", help="compute results again and name the first value that differs")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="output_dir of a finished run")
    parser.add_argument(
        "--config", type=Path, default=None, metavar="CONFIG", help="default: as the run noted it"
    )
    parser.add_argument(
        "--sample", type=int, default=None, metavar="N", help="only N batches of runs, up to their edges"
    )
    parser.add_argument("--seed", type=int, default=0, help="which batches are drawn (default: %(default)s)")
    _add_cores(parser)
    parser.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from rsconn.commands.verify import verify_results

    lines = verify_results(
        options.results, config=options.config, cores=options.cores, sample=options.sample, seed=options.seed
    )
    print("\n".join(lines))
    return 0


def _add_multiverse(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "multiverse", help="print what the other ways to analyse say, for all claims or way by way for one"
    )
    parser.add_argument("results", type=Path, help="output_dir of a finished run")
    parser.add_argument("--show", metavar="CLAIM", help="every way to analyse this claim, by its estimate")
    parser.set_defaults(command=_show_multiverse)


def _show_multiverse(options: argparse.Namespace) -> int:
    from rsconn.commands.show_multiverse import show_multiverse

    for line in show_multiverse(options.results, options.show):
        print(line)
    return 0


def _add_diff(commands: type_of_commands) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser("diff", help="which claims moved between two runs, and what else differs")
    parser.add_argument("before", type=Path, metavar="A", help="output_dir of a finished run")
    parser.add_argument("after", type=Path, metavar="B", help="output_dir of another")
    parser.set_defaults(command=_diff)


def _diff(options: argparse.Namespace) -> int:
    from rsconn.commands.diff import compare_results

    print("\n".join(compare_results(options.before, options.after)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
