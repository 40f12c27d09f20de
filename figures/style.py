"""What all pictures and tables share: colours, line styles and names."""

from hessians import SYMBOLS, HessianTriple

# Okabe and Ito's palette, told apart by colour-blind readers.
PALETTE = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
COLORS = HessianTriple(functional=PALETTE[1], outer=PALETTE[2], loss=PALETTE[3])  # one per matrix, everywhere
MARKS = HessianTriple(functional="s", outer="^", loss="o")
NEGATIVE = PALETTE[4]  # negative eigenvalues
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]

_WORDS = HessianTriple(functional="functional Hessian", outer="outer product", loss="loss Hessian")
NAMES = HessianTriple(
    functional=rf"{_WORDS.functional} $\mathbf{{H}}_f$",
    outer=rf"{_WORDS.outer} $\mathbf{{H}}_o$",
    loss=rf"{_WORDS.loss} $\mathbf{{H}}_\mathcal{{L}}$",
)
TEXT_NAMES = HessianTriple(*(f"{words:<20}{symbol}" for words, symbol in zip(_WORDS, SYMBOLS, strict=True)))

LOSS_TITLES = {"mse": "squared loss", "cross": "cross-entropy", "cosh": "log-cosh"}
