"""Run a notebook headless with other hyperparameters: `python notebooks/run.py NOTEBOOK [name=value ...]`.

The names are those of the notebook's cell tagged `parameters`. Values are Python literals, such as 50 or [5, 10]. Any
other text, such as relu, is a string. The executed copy and its figures go to `results/<notebook>[-name=value...]/`.
The script prints the output of the cell tagged `table`.
"""

import argparse
import ast
import base64
import shutil
import sys
from pathlib import Path

import papermill

RESULTS = Path(__file__).resolve().parent.parent / "results"


def parse(settings, known):
    """Return {name: value} for words 'name=value', all of whose names are known.

    Raises:
        ValueError: for a word without '=' or a name that the notebook does not have. The message lists those it has.
    """
    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in known:
            raise ValueError(f"{setting!r} sets no hyperparameter of the notebook; write name=value, name in {known}")
        values[name] = _literal(value)
    return values


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def save_figures(notebook, folder):
    """Write every picture in the outputs to figure-1.png, figure-2.png, ... in the folder, and return their paths."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    paths = [folder / f"figure-{i}.png" for i, _ in enumerate(pictures, start=1)]
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(base64.b64decode(picture))
    return paths


def table(notebook):
    """Return the text printed by the cell tagged `table`."""
    cells = [cell for cell in notebook.cells if "table" in cell.metadata.get("tags", [])]
    return "".join(output.get("text", "") for cell in cells for output in cell.outputs)


def main(arguments=None):
    """Run the notebook that the command line names. Return 1, with the reason on stderr, if that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("settings", nargs="*", metavar="name=value")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for what is written")
    options = parser.parse_args(arguments)
    try:
        values = parse(options.settings, list(papermill.inspect_notebook(options.notebook)))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    # Every setting has its own folder, so that a run never overwrites the results of another one.
    suffix = "".join(f"-{name}={value}".replace(" ", "").replace("/", "_") for name, value in values.items())
    folder = options.results / f"{options.notebook.stem}{suffix}"
    working, finished = folder / "unfinished.ipynb", folder / options.notebook.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # At this log level the kernel does not remark that it listens on an unencrypted local port.
        notebook = papermill.execute_notebook(options.notebook, working, values, extra_arguments=["--log-level=40"])
    except papermill.PapermillExecutionError as error:
        print(f"error: {error.ename}: {error.evalue}\nThe notebook up to that cell: {working}", file=sys.stderr)
        return 1
    shutil.move(working, finished)
    figures = save_figures(notebook, folder)
    print(f"\n{table(notebook)}\nExecuted notebook: {finished}\nFigures: {', '.join(map(str, figures))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
