"""Who takes part: participants and phenotype tables, scores, the cohort table, the exclusion ledger."""
