"""`mmfastervit benchmark` in a checkout."""

from mmfastervit.commands.benchmark import main

if __name__ == "__main__":
    main()
