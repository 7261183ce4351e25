"""`mmfastervit train` in a checkout."""

from mmfastervit.commands.train import main

if __name__ == "__main__":
    main()
