"""Figures and the page: draw and print result tables, compute nothing."""
