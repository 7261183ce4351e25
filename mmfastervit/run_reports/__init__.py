"""Looking at what runs left: their curves, and where a model errs. One file a question.

- ``logs``: what mmengine's logs of a run say, through kills and restarts;
- ``panels``: what is drawn of several runs; ``colours``, ``drawing``: how;
- ``boxes``, ``matching``: which detections are right, and of which kind each error is;
- ``precision``: average precision, and what it gains where a kind of error is mended;
- ``confusion``: which classes are taken for which; ``maps``: the same for label maps;
- ``collecting``: taking predictions and labels from a test that runs;
- ``painting``: the worst pictures; ``page``, ``report``: one HTML file of all that.
"""
