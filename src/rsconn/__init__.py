"""rsconn: does this resting-state dataset support what a study said, claim by claim?"""

__version__ = "0.1.0"
