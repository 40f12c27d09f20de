"""The example in the README runs, and prints what its last comment says."""

import re

from tests.conftest import ROOT


def example():
    """Return the one Python example of the README."""
    (found,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    return found


def test_the_example(capsys):
    exec(example(), {})
    assert capsys.readouterr().out.split() == example().rsplit("#", 1)[1].split() == ["175", "175"]
