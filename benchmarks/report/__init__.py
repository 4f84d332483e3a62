"""Results as sections with tables, targets and bar charts, stored as JSON and written as Markdown and SVG."""
