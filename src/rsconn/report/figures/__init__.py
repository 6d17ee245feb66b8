"""One module per figure: its table, its drawing and its caption; `catalogue` names them all."""
