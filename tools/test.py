"""`mmfastervit test` in a checkout."""

from mmfastervit.commands.test import main

if __name__ == "__main__":
    main()
