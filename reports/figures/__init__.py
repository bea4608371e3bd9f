"""What sections show as SVG: one module for each kind of figure, one for how all of them are dressed."""
