"""All runs on one page, `runs/index.html`: gathered from their records, drawn by the page's own script."""
