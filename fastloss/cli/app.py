"""The commands and their options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import fastloss
from fastloss import Loss
from fastloss._core.evaluation import NanPolicy
from fastloss.arrow.columns import NullPolicy
from fastloss.arrow.errors import NoColumn
from fastloss.arrow.files import files as open_files
from fastloss.arrow.scoring import Output, Scored, Task
from fastloss.cli import losses as catalogue
from fastloss.cli import plotting, printing
from fastloss.cli.ending import Refused, Stopped, in_background
from fastloss.cli.scoring import Scores, Watch
from fastloss.cli.scoring import score as score_source
from fastloss.cli.writing import Writer, replacing, writing

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

LEVEL = 0.95  # of confidence intervals that are shown unasked
OPTIONS = {
    "y_true": "--true", "y_pred": "--pred", "sample_weight": "--weight", "compare": "--compare", "groups": "--by",
}  # fmt: skip

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _names(incomplete: str) -> list[str]:
    return [name for name in sorted(catalogue.names()) if name.startswith(incomplete)]


@app.callback(invoke_without_command=True)
def fastloss_command(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Losses of predictions in files, and the losses that there are.

    The exit status is 0, or 1 where the output cannot be written, 2 where options or a file are refused, 3 where a loss
    is above --fail-above, 130 after Ctrl-C, 143 after SIGTERM; then a line on standard error says why.
    """
    if version:
        print(f"fastloss {fastloss.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(context_settings={"ignore_unknown_options": True})
def score(
    context: typer.Context,
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Files, patterns and folders; - is standard input. And the parameters of the loss."
        ),
    ],
    loss: Annotated[
        str, typer.Option(help="A loss by any of its names; `fastloss losses` lists them.", autocompletion=_names)
    ],
    pred: Annotated[
        list[str], typer.Option(metavar="COLUMN", help="The predictions; once for each, where a loss takes several.")
    ],
    true: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The targets; optional where a loss needs none.")
    ] = None,
    weight: Annotated[str | None, typer.Option(metavar="COLUMN", help="The weight of each row.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Score the rows of each value apart, too; of several, those of each tuple."
        ),
    ] = None,
    compare: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Other predictions: show how much their losses differ.")
    ] = None,
    ci: Annotated[
        float | None, typer.Option(metavar="LEVEL", help="Show confidence intervals, such as those of 0.95.")
    ] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(metavar="LOSS", help="Exit with 3 if the mean, or the difference, is above this or NaN."),
    ] = None,
    nan_policy: Annotated[NanPolicy, typer.Option(help="What a missing target does.")] = "propagate",
    null_policy: Annotated[
        NullPolicy, typer.Option(help="What a null does: count as NaN, leave its row out, or end.")
    ] = "propagate",
    num_threads: Annotated[int | None, typer.Option(min=1, help="Threads, by default all that may be used.")] = None,
    mmap: Annotated[
        bool, typer.Option("--mmap", help="Map .npy files to memory, if nothing else writes them.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write a value for each row to a .parquet, .arrow, .csv, .npy or .npz file.")
    ] = None,
    what: Annotated[Output, typer.Option(help="What --out gets: weighted losses or their derivatives.")] = "loss",
    plot: Annotated[
        Path | None, typer.Option(help="Draw the groups in a .html, .png, .svg or .pdf file; needs Matplotlib.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files of --out and --plot.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score the predictions in files.

    Files are Parquet, Arrow, .csv, .tsv, JSON lines, .npy or .npz, by their suffixes, with .gz, .bz2, .zst, .lz4 or .br
    after it if they are compressed; quote patterns such as 'dump/*.parquet' if they match more than a shell takes. Of a
    folder all such files are read, and a folder name=value in it is a column. Logits are a column of lists. Rows are
    read a few at a time, however many there are.

    The columns of a .npy file go by their numbers from 0, or by the names of its structured type, and the arrays of a
    .npz archive by theirs. The parameters of the loss are options:
    fastloss score predictions.csv --loss huber --delta 2 --true y --pred p

    A .csv file is UTF-8 text with a header and commas, a .tsv file has tabs. A number is digits with a point and an
    exponent, or inf; quotes and spaces around it do not matter, and 1,000, 1_000, 0x10 and True are none. Missing
    numbers are null: empty cells, NA, N/A, NaN, nan, NULL and null. Blank lines are skipped.

    Groups are the cells of --by as they stand in the file, in the order of their numbers where they are numbers;
    empty ones are missing. A terminal shows the 50 of greatest mean loss if there are more; a pipe and --json get all.
    """
    options = [option for parameter in context.command.params for option in parameter.opts]
    made, paths = catalogue.build(catalogue.find(loss, "--loss"), arguments, options)
    title = f"{made!r} of {' '.join(paths)}"
    level = _level(ci, bool(compare or plot))
    if plot is not None:
        plotting.check(plot, by)
    with _refusals(), ExitStack() as files:
        _check(made, true, {"--out": out, "--compare": compare})
        task = Task(
            made, true, tuple(pred), weight, tuple(by or ()), tuple(compare or ()), (what,) if out else (), null_policy,
            nan_policy,
        )  # fmt: skip
        source = open_files(paths, mmap=mmap)
        replaced = partial(replacing, sources=source.paths, force=force)
        writer = files.enter_context(writing(out, what, replaced)) if out else None
        picture = files.enter_context(replaced("--plot", plot)) if plot else None
        scores = _scored(partial(score_source, task, source, num_threads, level), writer)
        if not scores.rows:
            raise Refused(f"{' '.join(paths)}: there are no rows")
        if plot is not None and picture is not None:
            plotting.draw(picture, plot.suffix.lower(), title, task, level, scores)
    if as_json:
        columns = {"true": true, "pred": pred, "weight": weight, "by": by, "compare": compare}
        settings = {"nan_policy": nan_policy, "null_policy": null_policy, "num_threads": num_threads, "ci": level}
        printing.print_json(
            {"files": paths, "loss": repr(made), **columns, **settings, **printing.scores_as_values(scores)}
        )
    else:
        printing.print_scores(title, task, level, scores)
    printing.tell_nans(scores)
    _check_limit(scores, fail_above)


def _level(given: float | None, needed: bool) -> float | None:
    """The level of the confidence intervals to show, if any."""
    if given is not None and not 0 < given < 1:
        raise Refused(f"--ci: it is {given}, must lie between 0 and 1")
    return LEVEL if given is None and needed else given


def _check(loss: Loss, true: str | None, of_rows: Mapping[str, object]) -> None:
    """Refuse what a loss cannot do."""
    owner = type(loss).__name__
    if true is None and not loss.signature.unsupervised:
        raise Refused(f"--true: {owner} needs the column of its targets")
    for option, given in of_rows.items():
        if given and not loss.signature.additive:
            raise Refused(f"{option}: {owner} has no loss for each row")


@contextmanager
def _refusals() -> Iterator[None]:
    """Name options in place of arguments in what is refused."""
    try:
        yield
    except NoColumn as error:
        raise Refused(f"{OPTIONS[error.argument]}: {error.reason}") from error
    except (TypeError, ValueError, IndexError) as error:
        raise Refused(str(error)) from error


def _scored(score: Callable[[Watch], Scores], writer: Writer | None) -> Scores:
    """The scores of a source, with a bar on the way; what is asked for of each row goes to the writer in passing."""
    progress = printing.Progress()

    def watch(scored: Scored) -> None:
        if writer is not None:
            writer.append(scored)
        progress.rows += scored.piece.rows
        progress.done = scored.piece.done

    try:
        with progress:
            return in_background(lambda: score(watch), progress.show)
    except Stopped as stop:
        stop.done = f" after {progress}"
        raise


def _check_limit(scores: Scores, limit: float | None) -> None:
    """End with a status of its own where the loss is above what it may be."""
    what, mean = "mean difference" if len(scores.total) > 1 else "mean loss", scores.total[-1].mean
    if limit is not None and not mean <= limit:
        raise Refused(f"--fail-above: the {what} is {mean:.6g}, must be at most {limit:.6g}", 3)


@app.command()
def losses(
    name: Annotated[
        str | None, typer.Argument(metavar="[LOSS]", help="Show this one in full.", autocompletion=_names)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the losses, their names and their parameters, or show one in full."""
    if name is not None:
        cls = catalogue.find(name, "losses")
        described = {**catalogue.describe(cls), "documentation": catalogue.documentation(cls)}
        printing.print_json(printing.plain(described)) if as_json else printing.print_loss(described)
        return
    registry = fastloss.registry
    all_described = [catalogue.describe(registry[name]) for name in sorted(registry)]
    printing.print_json({"losses": printing.plain(all_described)}) if as_json else printing.print_losses(all_described)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Show what this installation runs on."""
    if as_json:
        printing.print_json(printing.plain(fastloss.config()))
    else:
        fastloss.show_config()
