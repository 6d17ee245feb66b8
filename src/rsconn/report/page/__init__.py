"""The page: results read once, cards of claims, words and numbers, the methods text."""
