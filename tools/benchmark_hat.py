"""What HAT brings to other backbones and what it costs: `python -m mmfastervit.bench.hat`."""

from mmfastervit.bench.hat import main

if __name__ == "__main__":
    main()
