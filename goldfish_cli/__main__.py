"""``python -m goldfish_cli``: what ``accelerate launch -m goldfish_cli`` starts in each process."""

from goldfish_cli.cli import main

main()
