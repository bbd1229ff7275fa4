"""A benchmark as one page that opens in any browser, offline."""

from wavenetmv.bench.report.page import write_report
from wavenetmv.bench.report.pictures import (
    ComparisonPicture,
    Version,
    comparison_pictures,
    matched_rows,
    rate_targets,
)

__all__ = [
    "ComparisonPicture",
    "Version",
    "comparison_pictures",
    "matched_rows",
    "rate_targets",
    "write_report",
]
