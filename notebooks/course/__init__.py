"""What the lessons share: answers that open on a click, self-checks that say what went wrong, and the table that grows."""

from course.checks import UNANSWERED, check_number, check_that, near
from course.folded import reveal
from course.progress import MY_RESULTS, add_column

__all__ = ["MY_RESULTS", "UNANSWERED", "add_column", "check_number", "check_that", "near", "reveal"]
