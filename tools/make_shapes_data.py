"""`mmfastervit shapes` in a checkout."""

from mmfastervit.commands.shapes import main

if __name__ == "__main__":
    main()
