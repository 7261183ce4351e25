"""`mmfastervit coverage` in a checkout."""

from mmfastervit.commands.coverage import main

if __name__ == "__main__":
    main()
