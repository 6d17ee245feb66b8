"""What can go wrong because of the input; everything else is a bug and keeps its traceback."""


class UserError(Exception):
    """A mistake that the user can mend: one line with the file, what was found and needed, and the option.

    The command line prints it without a traceback and exits with code 2.
    """


class SettingsError(UserError):
    """A config, ROI, claims or strategy file asks for something impossible."""


class TableError(UserError):
    """A participants, phenotype or confounds table cannot be used as it stands."""


class DatasetError(UserError):
    """The derivatives as a whole cannot be used: nothing found, duplicates, an image in another space."""


class RunError(UserError):
    """One run cannot be used; it becomes a row of the exclusion ledger and stops no other run."""


class ProblemsError(UserError):
    """Several mistakes found at once, one line each.

    Parameters
    ----------
    problems : list of str
        One line per mistake.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))
