"""What a run of mmengine's Runner needs beside the config: options, checks, hooks, devices."""
