"""``mmfastervit export-coverage`` in a checkout."""

from mmfastervit.commands import main

if __name__ == "__main__":
    main("export-coverage")
