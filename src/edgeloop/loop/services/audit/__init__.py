"""Do the loop's database and files agree, and are both whole? Finds, tells, repairs."""
