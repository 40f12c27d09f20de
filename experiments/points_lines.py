"""The lines of a sweep's results file: a header, then the points, one JSON object each. Damage is named by its line."""

import codecs
import json
import math

from counting import GRADES
from hessians import HessianTriple

_RANKS = "r", *HessianTriple._fields
_FIELDS = "value", "seed", "p", *_RANKS
_RANK_FIELDS = "rank", "gap", "threshold", "grade", "reason"


def key(value, seed):
    """Return the key of the point of a value and a seed."""
    return json.dumps([value, seed])


def parse(path, data, header, sizes):
    """Return {key: line} of the points in a results file, none for an empty one.

    A mark of UTF-8 at the beginning, and the ends of lines of Windows, are no damage.

    Args:
        path: of the file, for the messages.
        data: its bytes.
        header: what its first line must say, as JSON.
        sizes: as in `check_point`.

    Raises:
        ValueError: for a file that is damaged or has another header.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.strip():  # begun and not written, as a full disk leaves it
        return {}
    *lines, rest = data.split(b"\n")  # nothing is left where every line has its end
    points = {}
    for number, line in enumerate([*lines, rest] if rest else lines, start=1):
        try:
            text, row = _line(line, number > len(lines))
            if number > 1:
                check_point(row, sizes)
                name = key(row["value"], row["seed"])
                if name in points:
                    raise ValueError(f"the point of value {row['value']!r} and seed {row['seed']} is there already")
                points[name] = text
        except (ValueError, RecursionError) as error:
            what = "it is nested too deeply" if isinstance(error, RecursionError) else error
            if number == 1:
                remedy = "No point counts without this line, the setting: move the file away to begin anew"
            else:
                remedy = (
                    f"{count(len(points))} before it can be kept: delete that line and those that follow to go on "
                    "after them, or move the file away to begin anew"
                )
            raise ValueError(f"{path} is damaged in line {number}: {what}. {remedy}. It was left as it is") from error
        if number == 1:
            _check_header(path, row, json.loads(header))
    return points


def check_point(row, sizes):
    """Check every field of a point.

        {"value": ..., "seed": 1, "p": 20, "r": rank, "functional": rank, "outer": rank, "loss": rank}
        rank = {"rank": 8, "gap": 1e12, "threshold": 1e-13, "grade": "clear", "reason": ""}

    Args:
        row: the point, as a dict.
        sizes: {value as JSON: (p, the largest rank that its data can have)} for the values of the sweep. A file may
            hold points of other values.

    Raises:
        ValueError: that says what is wrong.
    """
    _check_fields("the point", row, _FIELDS)
    _check_integer("its seed", row["seed"], -(2**63), 2**63 - 1)
    p, most = sizes.get(json.dumps(row["value"]), (None, None))
    _check_integer("its p", row["p"], 1)
    if p not in (None, row["p"]):
        raise ValueError(f"its p must be {p}, the parameters of the network at {row['value']!r}, got {row['p']}")
    for name in _RANKS:
        found = row[name]
        _check_fields(f"its {name}", found, _RANK_FIELDS)
        _check_integer(f"the rank of its {name}", found["rank"], 0, most if name == "r" and most else row["p"])
        _check_float(f"the gap of its {name}", found["gap"], 1.0, infinite=True)
        _check_float(f"the threshold of its {name}", found["threshold"], 0.0, infinite=False)
        if found["grade"] not in GRADES:
            grades = ", ".join(GRADES)
            raise ValueError(f"the grade of its {name} must be one of {grades}, got {json.dumps(found['grade'])}")
        if not isinstance(found["reason"], str):
            raise ValueError(f"the reason of its {name} must be a text, got {json.dumps(found['reason'])}")


def count(points):
    """Return a number of points in words."""
    return f"{points} finished point{'' if points == 1 else 's'}"


def _line(line, cut):
    """Return a line as a text, and the object that it stands for."""
    if cut:
        raise ValueError("it has no end of line, and so it was cut off")
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"its byte {error.start + 1}, 0x{line[error.start]:02x}, is not UTF-8") from error
    if "\0" in text:
        raise ValueError(f"it holds {text.count(chr(0))} NUL bytes, as a power failure can leave them")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        row = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(row, dict):
        raise ValueError(f"it must be a JSON object {{...}}, got {text[:40]}")
    return text, row


def _object(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"it has a field twice, among {', '.join(names)}")
    return dict(pairs)


def _check_header(path, there, here):
    """Check that a file's header is that of the sweep, where 1 is not True."""
    there, here = ({name: repr(value) for name, value in header.items()} for header in (there, here))
    names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    if names:
        differences = ", ".join(
            f"{name} is {there.get(name, 'missing')} there, {here.get(name, 'missing')} here" for name in names
        )
        raise ValueError(
            f"{path} holds the sweep of another setting: {differences}. Name another file (sweeps.results_file "
            "names one for every setting), or move that one away"
        )


def _check_fields(name, found, fields):
    if not isinstance(found, dict) or set(found) != set(fields):
        got = f"the fields {', '.join(found)}" if isinstance(found, dict) else json.dumps(found)
        raise ValueError(f"{name} must have the fields {', '.join(fields)}, got {got}")


def _check_integer(name, found, low, high=None):
    if type(found) is not int or found < low or (high is not None and found > high):  # True is an int to isinstance
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be an integer {bounds}, got {json.dumps(found)}")


def _check_float(name, found, low, infinite):
    if type(found) is not float or not found >= low or (found == math.inf and not infinite):  # NaN is not >= low
        bounds = "or Infinity" if infinite else "and finite"
        raise ValueError(f"{name} must be a float, at least {low} {bounds}, got {json.dumps(found)}")
