"""Run a notebook headless with other hyperparameters: `python notebooks/run.py [NOTEBOOK] [name=value ...]`.

Without a notebook it takes the first one, hessian_rank.ipynb. The names are those of the notebook's cell tagged
`parameters`, and the values are of the kind that they have there. The executed copy and its figures go to
`results/<notebook>[-name=value...]/`. The script prints the output of the cells tagged `table`.
"""

import argparse
import base64
import hashlib
import logging
import os
import re
import shutil
import sys
from pathlib import Path

from command_line import hyperparameters, parse, words_of_make

HERE = Path(__file__).resolve().parent
FIRST = HERE / "hessian_rank.ipynb"
RESULTS = HERE.parent / "results"
_SETTING = re.compile(r"\w+=(?!.*\.ipynb$)")  # a word that is no notebook's name
_LONGEST = 150  # bytes of a folder's name: file systems take 255


def main(arguments=None):
    """Run the notebook that the command line names. Return 1, with the reason on stderr, if that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", help=f"default: {FIRST.name}")
    parser.add_argument("settings", nargs="*", metavar="name=value")
    parser.add_argument("--results", type=_path, default=RESULTS, help="folder for what is written")
    parser.add_argument("--make", action="store_true", help="take the settings from the command line of make as well")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a name that a terminal cannot show is shown in part, and is no error
        stream.reconfigure(errors="replace")
    notebook, settings = options.notebook, options.settings
    if notebook is None or (_SETTING.match(notebook) and not options.make):
        notebook, settings = FIRST, [*([notebook] if notebook else []), *settings]
    words = settings + (words_of_make(os.environ.get("MAKEFLAGS", "")) if options.make else [])
    kept = []
    try:
        run(_path(notebook), words, options.results, kept.append)
    except KeyboardInterrupt:
        print("\nInterrupted", *_kept(kept), sep="\n", file=sys.stderr)
        return 130  # what a shell expects after Ctrl-C
    except Exception as error:
        print(f"\nerror: {_reason(error)}", *_kept(kept), sep="\n", file=sys.stderr)
        return 1
    return 0


def run(path, words, results, keep):
    """Execute a notebook with the settings `words`, and print its table and where the rest is.

    Args:
        path: of the notebook.
        words: list of str, name=value.
        results: folder for what is written.
        keep: called with the path of the unfinished copy, as soon as there is one.

    Raises:
        ValueError: for a notebook that cannot be read, or for bad words.
        OSError: if the results cannot be written.
        papermill.PapermillExecutionError: if a cell raises an error.
        nbclient.exceptions.DeadKernelError: if the kernel dies.
    """
    import papermill  # here, and not above: it takes a second, in which Ctrl-C must end quietly too

    for logger in ("papermill", "traitlets"):  # what they and nbclient log is said again by what they raise
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    notebook = _read(path)
    values = parse(words, hyperparameters(notebook))
    folder = results / folder_name(path.stem, values)
    working, finished = folder / "unfinished.ipynb", folder / path.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        keep(working)
        # At this log level the kernel does not remark that it listens on an unencrypted local port, or is interrupted.
        names = (str(name).replace("{", "{{").replace("}", "}}") for name in (path, working))  # papermill's formats
        executed = papermill.execute_notebook(*names, values, extra_arguments=["--log-level=50"])
        shutil.move(working, finished)
        figures = save_figures(executed, folder)
    except OSError as error:
        raise OSError(
            f"results cannot be written to {folder}: {error.strerror or error}. Make room or mend that folder, or name "
            "another one: make run RESULTS=/tmp/results, or notebooks/run.py --results"
        ) from error
    printed = table(executed).strip("\n")
    print(*(["", printed, ""] if printed else []), f"Executed notebook: {finished}", sep="\n")
    if figures:
        print(f"Figures: {', '.join(map(str, figures))}")


def _read(path):
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise ValueError(f"the notebook {path} cannot be read: {error.strerror}; look at its name") from error
    except Exception as error:  # of many kinds: nbformat expects JSON of a certain form
        raise ValueError(f"{path} is no Jupyter notebook, or a damaged one: {type(error).__name__}") from error


def folder_name(stem, values):
    """Return the name of the folder for a notebook and its hyperparameters, a different one for every setting.

    So a run never overwrites the results of another one. Where a name would be too long, or would hold characters that
    file names should not, a part of it is replaced by a digest of the whole.

    Example:
        >>> folder_name("hessian_rank", {"widths": [20, 20], "loss_name": "cross"})
        'hessian_rank-widths=[20,20]-loss_name=cross'
    """
    whole = stem + "".join(f"-{name}={value}".replace(" ", "") for name, value in values.items())
    plain = re.sub(r"[^\w\-=\[\],.'+()]", "_", whole)
    if plain == whole.replace(" ", "_") and len(plain.encode()) <= _LONGEST:
        return plain
    digest = hashlib.sha256(repr((stem, values)).encode()).hexdigest()[:10]
    return plain.encode()[:_LONGEST].decode(errors="ignore") + "-" + digest


def save_figures(notebook, folder):
    """Write every picture in the outputs to figure-1.png, figure-2.png, ... in the folder, and return their paths."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    paths = [folder / f"figure-{i}.png" for i, _ in enumerate(pictures, start=1)]
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(base64.b64decode(picture))
    return paths


def table(notebook):
    """Return the text printed by the cells tagged `table`, an empty line between them, without progress bars."""
    cells = [cell for cell in notebook.cells if "table" in cell.metadata.get("tags", [])]
    texts = ["".join(output.get("text", "") for output in cell.outputs).replace("\r\n", "\n") for cell in cells]
    texts = [re.sub(r"(?m)^.*\r.*\n?", "", text) for text in texts]  # a bar goes back to the start of its line
    return "\n".join(filter(None, texts))


def _path(text):
    return Path(os.path.expanduser(text))


def _kept(paths):
    return [f"The notebook up to that cell: {path}" for path in paths if path.exists()]


def _reason(error):
    """Return what is wrong, and what to do."""
    if hasattr(error, "evalue"):  # papermill's: a cell raised it
        return f"{error.ename}: {error.evalue}"
    if type(error).__name__ == "DeadKernelError":
        return (
            "the notebook's kernel died, most likely because memory ran out; choose smaller widths, a smaller dim or "
            "fewer samples, or close other programs"
        )
    if type(error).__name__ == "NoSuchKernel":
        return f"the notebook's kernel {error.name!r} is not installed; open it with make lab, and choose another"
    return str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
