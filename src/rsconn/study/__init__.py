"""The study: cohort, exclusion ledger, designs, verdicts and the tables behind the figures."""
