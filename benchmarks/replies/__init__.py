"""Model replies made up by the thousand, right and wrong, for the sweep of false greens."""
