"""`mmfastervit convert` in a checkout."""

from mmfastervit.commands.convert import main

if __name__ == "__main__":
    main()
