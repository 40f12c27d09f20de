import json

import pytest

from experiments.points_lines import key, parse

HEADER = {"variable": "widths", "bias": False, "n_train": 12, "jax": "0.10.2"}
RANK = {"rank": 8, "gap": 2e12, "threshold": 1e-13, "grade": "clear", "reason": ""}
POINT = {"value": [2], "seed": 1, "p": 14, "r": RANK | {"rank": 4}, "functional": RANK, "outer": RANK, "loss": RANK}
OTHER = POINT | {
    "seed": -(2**63),
    "loss": {"rank": 0, "gap": float("inf"), "threshold": 0.0, "grade": "open", "reason": "why"},
}
ELSEWHERE = POINT | {"value": "not asked for", "p": 100}
SIZES = {"[2]": (14, 4)}


def line(row):
    return json.dumps(row).encode() + b"\n"


WHOLE = line(HEADER) + line(POINT) + line(OTHER) + line(ELSEWHERE)


def parsed(data):
    return parse("FILE", data, json.dumps(HEADER), SIZES)


def test_every_point_by_its_value_and_seed():
    points = parsed(WHOLE)
    assert list(points) == [key(row["value"], row["seed"]) for row in (POINT, OTHER, ELSEWHERE)]
    assert [json.loads(text) for text in points.values()] == [POINT, OTHER, ELSEWHERE]


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf"], ids=repr)
def test_an_empty_file_has_no_points(data):
    assert parsed(data) == {}


def test_what_editors_do_to_a_file_is_no_damage():
    assert parsed(b"\xef\xbb\xbf" + WHOLE.replace(b"\n", b"\r\n")) == parsed(WHOLE)
    assert parsed(line(dict(reversed(HEADER.items())))) == {}


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (b"[1, 2]\n", r"it must be a JSON object \{...\}, got \[1, 2\]"),
        (b"null\n", r"it must be a JSON object \{...\}, got null"),
        (b"\n" + line(HEADER), "it is empty"),
        (line(HEADER)[:-1], "it has no end of line, and so it was cut off"),
        (b'{"variable": \n', r"it is not JSON \(Expecting value at column 14\)"),
        (b"\0" * 7 + b"\n", "it holds 7 NUL bytes, as a power failure can leave them"),
        ("é".encode("latin-1") + b"\n", "its byte 1, 0xe9, is not UTF-8"),
        (WHOLE.decode().encode("utf-16"), "its byte 1, 0xff, is not UTF-8"),
        (b'{"bias": 1, "bias": 2}\n', "it has a field twice, among bias, bias"),
        (b"[" * 100_000 + b"\n", "it is nested too deeply"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_damage_in_the_first_line(first, what):
    """To delete the line and those that follow would leave nothing."""
    with pytest.raises(ValueError, match=rf"^FILE is damaged in line 1: {what}\. No point counts") as caught:
        parsed(first)
    assert str(caught.value).endswith("move the file away to begin anew. It was left as it is")
    assert "delete" not in str(caught.value)


def changed(field, **changes):
    return POINT | {field: POINT[field] | changes}


FIELDS = "value, seed, p, r, functional, outer, loss"


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({}, f"the point must have the fields {FIELDS}, got the fields "),
        (POINT | {"q": 1}, f"the point must have the fields {FIELDS}, got the fields {FIELDS}, q"),
        (POINT | {"loss": None}, "its loss must have the fields rank, gap, threshold, grade, reason, got null"),
        (POINT | {"r": 4}, "its r must have the fields rank, gap, threshold, grade, reason, got 4"),
        (
            POINT | {"outer": {"rank": 8}},
            "its outer must have the fields rank, .*, reason, got the fields rank",
        ),
        (POINT | {"seed": True}, "its seed must be an integer from -9223372036854775808 to .*, got true"),
        (POINT | {"seed": 1.0}, "its seed must be an integer from .*, got 1.0"),
        (
            POINT | {"seed": 2**63},
            "its seed must be an integer from .* to 9223372036854775807, got 9223372036854775808",
        ),
        (POINT | {"p": "14"}, 'its p must be an integer of at least 1, got "14"'),
        (POINT | {"p": 15}, r"its p must be 14, the parameters of the network at \[2\], got 15"),
        (ELSEWHERE | {"p": 0}, "its p must be an integer of at least 1, got 0"),
        (changed("loss", rank=None), "the rank of its loss must be an integer from 0 to 14, got null"),
        (changed("loss", rank=15), "the rank of its loss must be an integer from 0 to 14, got 15"),
        (changed("outer", rank=-1), "the rank of its outer must be an integer from 0 to 14, got -1"),
        (changed("outer", rank=False), "the rank of its outer must be an integer from 0 to 14, got false"),
        (changed("functional", rank=8.0), "the rank of its functional must be an integer from 0 to 14, got 8.0"),
        (changed("r", rank=5), "the rank of its r must be an integer from 0 to 4, got 5"),
        (changed("r", gap=0.5), "the gap of its r must be a float, at least 1.0 or Infinity, got 0.5"),
        (changed("loss", gap=float("nan")), "the gap of its loss must be a float, at least 1.0 or Infinity, got NaN"),
        (changed("loss", gap="1e9"), 'the gap of its loss must be a float, at least 1.0 or Infinity, got "1e9"'),
        (changed("loss", gap=10**9), "the gap of its loss must be a float, at least 1.0 or Infinity, got 1000000000"),
        (
            changed("loss", threshold=-1e-13),
            "the threshold of its loss must be a float, at least 0.0 and finite, got -1e-13",
        ),
        (changed("loss", grade="sure"), 'the grade of its loss must be one of proved, clear, open, got "sure"'),
        (changed("loss", reason=None), "the reason of its loss must be a text, got null"),
        (changed("loss", threshold=float("inf")), "the threshold of its loss must be .*, got Infinity"),
        (POINT, r"the point of value \[2\] and seed 1 is there already"),
        ([POINT], r"it must be a JSON object \{...\}, got \[\{"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damage_in_a_point(row, what):
    with pytest.raises(ValueError, match=rf"^FILE is damaged in line 4: {what}") as caught:
        parsed(line(HEADER) + line(POINT) + line(OTHER) + line(row) + line(ELSEWHERE))
    assert str(caught.value).endswith(
        "2 finished points before it can be kept: delete that line and those that follow to go on after them, "
        "or move the file away to begin anew. It was left as it is"
    )


@pytest.mark.parametrize(
    ("damage", "number", "what"),
    [
        (line(HEADER) + line(POINT) + b"\xff" + line(OTHER), 3, "its byte 1, 0xff, is not UTF-8"),
        (line(HEADER) + line(POINT) + b"\0\0" + line(OTHER), 3, "it holds 2 NUL bytes"),
        (line(HEADER) + line(POINT) + b"\n" + line(OTHER), 3, "it is empty"),
        (line(HEADER) + line(POINT)[:-1], 2, "it has no end of line"),
        (line(HEADER) + line(POINT)[:-9] + b"\n", 2, "it is not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damage_of_a_line(damage, number, what):
    with pytest.raises(ValueError, match=rf"^FILE is damaged in line {number}: {what}"):
        parsed(damage)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER | {"n_train": 13}, "n_train is 13 there, 12 here"),
        (HEADER | {"bias": 0}, "bias is 0 there, False here"),
        ({"variable": "widths"}, "bias is missing there, False here, n_train is missing there, 12 here, jax"),
        (HEADER | {"torch": "2"}, "torch is '2' there, missing here"),
    ],
    ids=str,
)
def test_another_header(header, said):
    with pytest.raises(ValueError, match=rf"^FILE holds the sweep of another setting: {said}.* Name another file"):
        parsed(line(header) + line(POINT))
