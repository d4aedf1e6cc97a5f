"""The parts of bench/compare: one module per question, and what they share."""
