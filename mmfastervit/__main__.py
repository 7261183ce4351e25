"""``python -m mmfastervit COMMAND``: the command line without its console script."""

from mmfastervit.commands import main

if __name__ == "__main__":
    main()
