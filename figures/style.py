"""What all pictures share: colours and names."""

from hessians import HessianTriple

# Okabe and Ito's palette, told apart by colour-blind readers; one colour per matrix, everywhere.
COLORS = HessianTriple(functional="#0072B2", outer="#D55E00", loss="#009E73")

NAMES = HessianTriple(
    functional=r"functional Hessian $\mathbf{H}_f$",
    outer=r"outer product $\mathbf{H}_o$",
    loss=r"loss Hessian $\mathbf{H}_\mathcal{L}$",
)

NEGATIVE = "#CC79A7"  # of the same palette

LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]
