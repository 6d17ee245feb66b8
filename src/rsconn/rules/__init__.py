"""One module per rule, named as rule and script are; paths in, paths out. `plan` says what there is to do."""
