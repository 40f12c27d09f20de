"""What all pictures and tables share: colours, line styles and names."""

from hessians import SYMBOLS, HessianTriple

# Okabe and Ito's palette, whose colours colour-blind readers can tell apart.
PALETTE = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
COLORS = HessianTriple(functional=PALETTE[1], outer=PALETTE[2], loss=PALETTE[3])  # each matrix has one, everywhere
MARKS = HessianTriple(functional="s", outer="^", loss="o")  # and a mark beside its colour
NEGATIVE = PALETTE[4]  # of negative eigenvalues
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]  # as many as the palette has colours
_WORDS = HessianTriple(functional="functional Hessian", outer="outer product", loss="loss Hessian")
NAMES = HessianTriple(
    functional=rf"{_WORDS.functional} $\mathbf{{H}}_f$",
    outer=rf"{_WORDS.outer} $\mathbf{{H}}_o$",
    loss=rf"{_WORDS.loss} $\mathbf{{H}}_\mathcal{{L}}$",
)
TEXT_NAMES = HessianTriple(*(f"{words:<20}{symbol}" for words, symbol in zip(_WORDS, SYMBOLS, strict=True)))
LOSS_TITLES = {"mse": "squared loss", "cross": "cross-entropy", "cosh": "log-cosh"}
