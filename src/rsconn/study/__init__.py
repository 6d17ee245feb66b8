"""The study: people, claims, second looks and maps, as tables and frozen results; knows no rule and draws nothing."""
