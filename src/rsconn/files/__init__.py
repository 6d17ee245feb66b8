"""Reading and writing: BIDS names, images, confounds, tables."""
