"""One analysis of a run: its choices (`specification`), and the one way from ROI series to edges (`run_chain`).

Arrays in, arrays out: no file, no table. What a run or a region must have to count stands in `usability`.
"""
