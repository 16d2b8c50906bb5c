"""How far a score can be trusted: intervals, comparisons, agreement, corrections."""
