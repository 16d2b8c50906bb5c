"""Films: clips and what they say in an index, questions answered from it with evidence."""
