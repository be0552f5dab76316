"""``python -m clawatch``."""

from clawatch.cli import main

if __name__ == "__main__":
    main()
