"""`mmfastervit export` in a checkout."""

from mmfastervit.commands.export import main

if __name__ == "__main__":
    main()
