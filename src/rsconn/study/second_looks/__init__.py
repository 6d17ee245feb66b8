"""What never decides a verdict but stands beside it: other analyses, one person at a time, motion, slopes."""
