"""What was claimed: samples, designs, tests, verdicts, the rows of group/claims.tsv."""
