"""`mmfastervit swap` in a checkout."""

from mmfastervit.commands.swap import main

if __name__ == "__main__":
    main()
