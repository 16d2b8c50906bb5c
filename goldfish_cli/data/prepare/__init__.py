"""Turn datasets as they are published into training data that was checked. One dataset a file."""
