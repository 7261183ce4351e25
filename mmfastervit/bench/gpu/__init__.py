"""Every figure that is owed of a GPU, in one run: `mmfastervit gpu-report`."""
