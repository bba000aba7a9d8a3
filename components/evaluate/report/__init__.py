"""The sections of a report, one module each; what goes into a page is escaped where it becomes HTML."""
