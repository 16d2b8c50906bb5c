"""What an evaluation found, for people: one HTML page, or Markdown."""
