"""The commands and their options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

import fastloss
from fastloss import registry
from fastloss._core.evaluation import NanPolicy
from fastloss.cli import losses as catalogue
from fastloss.cli import printing
from fastloss.cli.ending import Refused
from fastloss.cli.reading import Chunk, open_table
from fastloss.cli.scoring import Task
from fastloss.cli.scoring import score as score_chunks
from fastloss.cli.writing import Writer, writing

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

What = Literal["loss", "grad"]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _names(incomplete: str) -> list[str]:
    return [name for name in sorted(catalogue.names()) if name.startswith(incomplete)]


@app.callback(invoke_without_command=True)
def fastloss_command(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Losses of predictions in files, and the losses that there are.

    The exit status is 0, or 1 where the output cannot be written, 2 where options or a file are refused, 130 after
    Ctrl-C, 143 after SIGTERM; then a line on standard error says why.
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
        typer.Argument(metavar="FILE", help="A .npy, .npz or .csv file; and the parameters of the loss as options."),
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
    by: Annotated[str | None, typer.Option(metavar="COLUMN", help="Score the rows of each value apart, too.")] = None,
    nan_policy: Annotated[NanPolicy, typer.Option(help="What a missing target does.")] = "propagate",
    num_threads: Annotated[int | None, typer.Option(min=1, help="Threads, by default all that may be used.")] = None,
    mmap: Annotated[bool, typer.Option("--mmap", help="Map a .npy file to memory, if nothing else writes it.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write a value for each row to a .npy, .npz or .csv file.")] = None,
    what: Annotated[What, typer.Option(help="What --out gets: weighted losses or their derivatives.")] = "loss",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score the predictions in a file.

    The columns of a .csv file and of a structured .npy array go by their names, those of a 2-d .npy array by
    their numbers from 0, and the arrays of a .npz archive by theirs. The parameters of the loss are options:
    fastloss score predictions.csv --loss huber --delta 2 --true y --pred p

    A .csv file is UTF-8 text with a header and commas. A number is digits with a point and an exponent, or inf;
    quotes and spaces around it do not matter, and 1,000, 1_000, 0x10 and True are none. Missing numbers are NaN:
    empty cells, NA, N/A, NaN, nan, NULL and null. Blank lines are skipped.

    Groups are the cells of --by as they stand in the file, in the order of their numbers where they are numbers;
    empty ones are missing. A terminal shows the 50 of greatest mean loss if there are more; a pipe and --json get all.
    """
    options = [option for parameter in context.command.params for option in parameter.opts]
    made, files = catalogue.build(catalogue.find(loss, "--loss"), arguments, options)
    if len(files) != 1:
        raise Refused(f"there must be one file, not {len(files)}: {' '.join(files)}")
    path = Path(files[0])
    settings = {"nan_policy": nan_policy, "num_threads": num_threads}
    task = Task(open_table(path, mmap=mmap), made, true, tuple(pred), weight, by, settings)
    if out is not None and not made.signature.additive:
        raise Refused(f"--out: {type(made).__name__} has no loss for each row")
    with writing(out, what, source=path, force=force) if out is not None else nullcontext() as writer:
        scores = score_chunks(task, printing.with_progress(_written(task, writer, what)))
    if as_json:
        columns = {"true": true, "pred": pred, "weight": weight, "by": by}
        printing.print_json(
            {"file": files[0], "loss": repr(made), **columns, **settings, **printing.scores_as_values(scores)}
        )
    else:
        printing.print_scores(f"{made!r} of {files[0]}", by, scores)
    printing.tell_nans(scores)


def _written(task: Task, writer: Writer | None, what: What) -> Iterator[Chunk]:
    """The chunks of a task; of each, the losses or gradients go to the writer in passing."""
    empty = True
    for chunk in task.chunks():
        empty = False
        if writer is not None:
            verb = task.loss if what == "loss" else task.loss.grad
            with task.errors(chunk):
                arrays, options = task.arguments(chunk)
                part = verb(*arrays, **options, reduction="none")
            writer.append(part)
        yield chunk
    if empty:
        raise Refused(f"{task.table.path}: there are no rows")


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
        printing.print_json(described) if as_json else printing.print_loss(described)
        return
    all_described = [catalogue.describe(registry[name]) for name in sorted(registry)]
    printing.print_json({"losses": all_described}) if as_json else printing.print_losses(all_described)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Show what this installation runs on."""
    if as_json:
        printing.print_json(fastloss.config())
    else:
        fastloss.show_config()
