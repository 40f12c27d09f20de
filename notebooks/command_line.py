"""Hyperparameters as they are typed, name=value: each becomes a value of the kind that the notebook's default has."""

import ast
import json
import math
import shlex

OF_MAKE = (
    "PYTHON",
    "NOTEBOOK",
    "RESULTS",
    "BIN",
    "READY",
    "SMALL",
)  # the Makefile's own variables, which are no hyperparameters
_BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
_BOOLEANS |= dict.fromkeys(("false", "f", "no", "n", "off", "0"), False)


def words_of_make(flags):
    r"""Return the words name=value of make's command line, as they were typed, from its variable MAKEFLAGS.

    Make passes them on after ' -- ', with a backslash before spaces and backslashes, and $ doubled. No shell has read
    them, so that quotes, semicolons and dollars are still there.

    Args:
        flags: the value of MAKEFLAGS in a recipe's environment.

    Example:
        >>> words_of_make(r"s -j2 -- NOTEBOOK=a.ipynb widths=[3,\ 20] name=$$HOME")
        ['name=$HOME', 'widths=[3, 20]']
    """
    _, _, typed = f" {flags}".partition(" -- ")
    words, word, characters = [], "", iter(typed)
    for character in characters:
        if character in " \t":
            words.append(word)
            word = ""
        else:
            word += next(characters, "") if character in "\\$" else character
    # Make lists the last word first.
    return [word for word in [*words, word][::-1] if word and word.partition("=")[0] not in OF_MAKE]


def hyperparameters(notebook):
    """Return {name: default} of the cell tagged `parameters`, and an empty dictionary if there is none.

    A default that is not written as a literal, such as 2 * 5, becomes `...`.

    Raises:
        ValueError: if the cell is not Python.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    defaults = {}
    for cell in cells:
        try:
            statements = ast.parse(cell.source).body
        except SyntaxError as error:
            raise ValueError(f"the cell tagged 'parameters' is not Python: {error}; mend it in the notebook") from error
        for statement in statements:
            if isinstance(statement, ast.Assign):
                try:
                    value = ast.literal_eval(statement.value)
                except ValueError:
                    value = ...
                defaults |= {target.id: value for target in statement.targets if isinstance(target, ast.Name)}
    return defaults


def parse(words, defaults):
    """Return {name: value} for words 'name=value', in the order of the defaults.

    A value has the kind of its default:

        True or False    true, yes, on, 1, false, no, off, 0 and the first letters, in any case
        whole number     digits, with a sign or underscores
        number           as Python writes it, finite
        text             as it was typed; quotes around the whole are taken off
        list             [...] or (...), with elements of the kind that the default's have
        None             None, or text

    Args:
        words: list of str.
        defaults: {name: default}, what `hyperparameters` returns.

    Raises:
        ValueError: for a word without '=', an unknown name, a name given twice, or a value of another kind. The message
            has the line to type.

    Example:
        >>> parse(["widths=(3, 20)", "bias=no"], {"bias": True, "widths": [5, 10], "seed": 1})
        {'bias': False, 'widths': [3, 20]}
    """
    if words and not defaults:
        raise ValueError(
            f"the notebook has no cell tagged 'parameters' that {words[0]!r} could change; tag one in Jupyter"
        )
    values = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in defaults:
            raise ValueError(
                f"{word!r} sets no hyperparameter of the notebook; write name=value, with a name in {list(defaults)}"
            )
        if name in values:
            raise ValueError(f"{name} is set twice; leave one of the two out")
        values[name] = _value(name, text, defaults[name])
    return {name: values[name] for name in defaults if name in values}


def _value(name, text, default):
    try:
        text.encode()
        return _READERS.get(type(default), _anything)(text, default)
    except ValueError:
        example = shlex.quote(_example(text, default))
        raise ValueError(f"{name} must be {_expected(default)}, got {text!r}; type {name}={example}") from None


def _boolean(text, default):
    word = _text(text, default).strip().lower()
    if word not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[word]


def _number(text, default):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _text(text, default):
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return _literal(text) if quoted else text


def _list(text, default):
    text = text.strip()
    if text[:1] + text[-1:] not in ("[]", "()"):
        raise ValueError
    values = list(_literal(text if text[0] == "[" else f"[{text[1:-1]}]"))
    kinds = {type(value) for value in default}
    number = kinds == {float}
    if kinds and not all(type(value) in kinds or (number and type(value) is int) for value in values):
        raise ValueError
    return values


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:  # all of them from what was typed
        raise ValueError from error


def _anything(text, default):
    try:
        return _literal(text)
    except ValueError:
        return text


_READERS = {
    bool: _boolean,
    int: lambda text, default: int(text),
    float: _number,
    str: _text,
    list: _list,
    tuple: _list,
    type(None): lambda text, default: None if text in ("", "None") else _text(text, default),
}
_KINDS = {bool: "True or False", int: "a whole number", float: "a finite number", type(None): "text or None"}


def _expected(default):
    if not isinstance(default, (list, tuple)):
        return _KINDS.get(type(default), "text")
    elements = {int: " of whole numbers", float: " of numbers", str: " of texts in quotes"}
    return f"a list{elements.get(type(default[0]), '') if default else ''} in brackets"


def _example(text, default):
    """Return what was probably meant, or else the default, as one would type it."""
    if isinstance(default, (list, tuple)):
        element = default[0] if default else ""
        read = _READERS.get(type(element), _anything)
        try:
            parts = [part.strip(" []()'\"") for part in text.split(",")]
            return json.dumps([read(part, element) for part in parts if part] or list(default))
        except ValueError:
            return json.dumps(list(default))
    if type(default) is int:
        try:
            number = float(text)
            return str(int(number) if number == int(number) else default)
        except (ValueError, OverflowError):
            return str(default)
    return str(default)
