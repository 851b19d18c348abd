"""A manager that trains nothing and hangs; copied into a project by the tests of what is started again."""

import time

from harness.launch.supervise import supervise
from harness.launch.watchdog import Settings
from harness.managers.base import BaseTrainingManager


class Stuck(BaseTrainingManager):
    """Hangs at its first starts."""

    def __init__(self, config, overrides, hangs):
        super().__init__(config)
        self.hangs = hangs

    def resume(self, run, stops):
        def work(poll, announce):
            announce("generating")
            with (run.path / "starts").open("a+") as file:
                file.write("start\n")
                file.seek(0)
                starts = len(file.readlines())
            while starts <= self.hangs:
                poll()
                time.sleep(0.05)

        return supervise(run, work, 1, stops=stops, watchdog=Settings.of(self.config.cluster))

    def train(self, data_path=None, output_dir=None, **settings): ...

    def evaluate(self, checkpoint=None, **settings): ...

    def save(self, path): ...

    def load(self, path): ...
