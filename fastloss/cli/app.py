"""The commands and their options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fastloss._base import registry
from fastloss._call import NanPolicy
from fastloss._config import config as configuration
from fastloss._config import show_config
from fastloss.cli import losses as catalogue
from fastloss.cli import printing
from fastloss.cli.errors import Refused
from fastloss.cli.reading import Chunk, open_table
from fastloss.cli.scoring import Task
from fastloss.cli.scoring import score as score_chunks
from fastloss.cli.writing import Writer, writing

app = typer.Typer(
    help="Losses of predictions in files, and the losses that there are.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

What = Literal["loss", "grad"]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def refusing(command: Callable[..., None]) -> Callable[..., None]:
    """Make refused input one line on standard error and exit code 2."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except Refused as refused:
            line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(refused))
            typer.echo(f"fastloss: {line}", err=True)
            raise typer.Exit(2) from None

    return run


@app.command(context_settings={"ignore_unknown_options": True})
@refusing
def score(
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="A .npy, .npz or .csv file; and the parameters of the loss as options."),
    ],
    loss: Annotated[str, typer.Option(help="A loss by any of its names; `fastloss losses` lists them.")],
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
    """
    made, files = catalogue.build(catalogue.find(loss), arguments)
    if len(files) != 1:
        raise Refused(f"there must be one file, not {len(files)}: {' '.join(files)}")
    options = {"nan_policy": nan_policy, "num_threads": num_threads}
    task = Task(open_table(Path(files[0]), mmap=mmap), made, true, tuple(pred), weight, by, options)
    if out is not None and made.aggregate:
        raise Refused(f"--out: {type(made).__name__} has no loss for each row")
    with writing(out, what, force=force) if out is not None else nullcontext() as writer:
        scores = score_chunks(task, printing.with_progress(_written(task, writer, what)))
    if as_json:
        columns = {"true": true, "pred": pred, "weight": weight, "by": by}
        printing.print_json(
            {"file": files[0], "loss": repr(made), **columns, **options, **printing.scores_as_values(scores)}
        )
    else:
        printing.print_scores(f"{made!r} of {files[0]}", by, scores)


def _written(task: Task, writer: Writer | None, what: What) -> Iterator[Chunk]:
    """The chunks of a task; of each, the losses or gradients go to the writer in passing."""
    empty = True
    for chunk in task.chunks():
        empty = False
        if writer is not None:
            verb = task.loss if what == "loss" else task.loss.grad
            arrays, options = task.arguments(chunk)
            with task.errors(chunk):
                part = verb(*arrays, **options, reduction="none")
            writer.append(part)
        yield chunk
    if empty:
        raise Refused(f"{task.table.path}: there are no rows")


@app.command()
@refusing
def losses(as_json: AsJson = False) -> None:
    """List the losses, their names and their parameters."""
    described = [catalogue.describe(registry[name]) for name in sorted(registry)]
    if as_json:
        printing.print_json({"losses": described})
    else:
        printing.print_losses(described)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Show what this installation runs on."""
    if as_json:
        printing.print_json(configuration())
    else:
        show_config()
