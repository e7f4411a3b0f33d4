"""What a function reads is read anew at every call, by whatever way it reads it; what it does not read may change."""

import copy
import functools
import operator
import sys
from dataclasses import asdict, dataclass
from types import MappingProxyType, ModuleType

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn, optim


def with_default(mask):
    return lambda x, own=mask: x * ts.tensor(own)


def with_keyword(mask):
    return lambda x, *, own=mask: x * ts.tensor(own)


def with_partial(mask):
    return functools.partial(lambda mask, x: x * ts.tensor(mask), mask)


def with_named_partial(mask):
    return functools.partial(lambda x, mask: x * ts.tensor(mask), mask=mask)


@pytest.mark.parametrize("bind", [with_default, with_keyword, with_partial, with_named_partial])
def test_an_array_that_is_bound_to_a_function_may_change(bind):
    mask = np.ones(3, "float32")
    fast, step = ts.replay(bind(mask)), bind(mask)
    for k in range(3):
        mask[k] = 0.0
        assert_agree(step(ts.ones(3)), fast(ts.ones(3)))


def test_a_method_of_a_dict_reads_what_is_there():
    settings = {"scale": 2.0}
    get = settings.get
    fast = ts.replay(lambda x: x * get("scale"))
    for scale in (2.0, 3.0):
        settings["scale"] = scale
        assert fast(ts.ones(1)).item() == scale


class Trainer:
    """A training loop as an object, with a history, a counter and a schedule, which the step does not read."""

    def __init__(self):
        self.model, self.losses, self.steps = nn.GRU(2, 3), [], 0
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.1)
        self.schedule = optim.StepLR(self.optimizer, 2)
        self.scale = 1.0

    @ts.replay
    def step(self, x):
        self.optimizer.zero_grad()
        loss = (self.model(x)[0] ** 2).mean() * self.scale
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def train(self, batches, step):
        for x in batches:
            self.losses.append(step(x))
            self.steps += 1
            self.schedule.step()
            self.latest = x  # an attribute that was not there before
        return self.losses


def test_what_a_method_does_not_read_may_change():
    trainers, batches = [Trainer(), Trainer()], [ts.randn(4, 2, 2) for _ in range(6)]
    trainers[1].model.load_state_dict(trainers[0].model.state_dict())
    traces = Trainer.step.traces
    eager = trainers[0].train(batches, functools.partial(Trainer.step.function, trainers[0]))
    np.testing.assert_allclose(trainers[1].train(batches, trainers[1].step), eager, rtol=1e-5)
    assert Trainer.step.traces <= traces + 2  # an attribute came, once
    trainers[1].scale = 0.0  # what it reads
    assert trainers[1].step(batches[0]) == 0.0


class Point:
    def __init__(self):
        self.x = 2.0


def by_pattern(point):
    match point:
        case Point(x=found):
            return found


@pytest.mark.parametrize("read", [by_pattern, lambda point: vars(point)["x"], lambda point: point.__dict__["x"],
                                  lambda point: getattr(point, "".join(["x"]))])  # fmt: skip
def test_what_is_read_without_its_name_is_noticed(read):
    point = Point()
    fast = ts.replay(lambda x: x * read(point))
    for point.x in (2.0, 3.0):
        assert fast(ts.ones(1)).item() == point.x


def test_a_class_may_get_an_attribute_that_its_base_has():
    class Base:
        scale = 2.0

    class Child(Base):
        pass

    child = Child()
    fast = ts.replay(lambda x: x * child.scale)
    assert fast(ts.ones(1)).item() == 2.0
    Child.scale = 3.0
    assert fast(ts.ones(1)).item() == 3.0


@dataclass
class Settings:
    scale: float = 2.0
    unread: float = 0.0

    def doubled(self, x):
        return x * (2.0 * self.scale)

    halved = functools.partialmethod(lambda self, factor, x: x * self.scale * factor, 0.5)

    @ts.replay
    def replayed(self, x):
        return x * self.scale


class Descriptor:
    def __set_name__(self, owner, name):
        self.name = f"_{name}"

    def __get__(self, x, _=None):
        return vars(x)[self.name] * FACTORS["gain"]


class Described:
    gain = Descriptor()

    def __init__(self):
        self._gain = 2.0


FACTORS = {"gain": 1.0}
get, as_dict, read, template = operator.attrgetter("scale"), asdict, vars, "{0.scale}"


BY_NAME = [
    lambda x, own: x * get(own), lambda x, own: own.doubled(x), lambda x, own: own.halved(x),
    lambda x, own: own.replayed(x), lambda x, own: x * float(template.format(own)),
    lambda x, own: x * max([own], key=get).scale,
]  # fmt: skip
WHOLE = [
    lambda x, own: x * as_dict(own)["scale"], lambda x, own: x * read(own)["scale"],
    lambda x, own: x * copy.copy(own).scale, lambda x, own: x * (2.0 if own == Settings(2.0) else 3.0),
]  # fmt: skip


@pytest.mark.parametrize("scaled, reads_all", [*((each, False) for each in BY_NAME), *((each, True) for each in WHOLE)])
def test_an_attribute_that_is_read_by_any_way_is_read_anew(scaled, reads_all):
    own = Settings()
    step = lambda x: scaled(x, own)
    fast, x = ts.replay(step), ts.ones(2)
    for own.scale in (2.0, 3.0, 2.0):
        assert_agree(step(x), fast(x))
    traces = fast.traces
    for own.unread in (1.0, 2.0):
        assert_agree(step(x), fast(x))
    assert fast.traces == traces + 2 * reads_all


def test_a_descriptor_is_looked_into():
    own = Described()
    step = lambda x: x * own.gain
    fast, x = ts.replay(step), ts.ones(2)
    for own._gain, FACTORS["gain"] in ((2.0, 1.0), (3.0, 1.0), (3.0, 0.5)):
        assert_agree(step(x), fast(x))


def test_attributes_may_be_set_by_names_that_are_made():
    def training():
        own = SimpleState()

        def step(x):
            for i in range(2):  # the first is written alone
                setattr(own, f"h_{i}", x + (getattr(own, f"h_{i}") * 0.5 if i else 1.0))
            return x.sum()

        return own, step

    (one, eager), (other, step) = training(), training()
    fast = ts.replay(step)
    for k in range(4):
        x = ts.ones(3) * k
        assert_agree(eager(x), fast(x))
        assert_agree(one.h_0, other.h_0)
        assert_agree(one.h_1, other.h_1)


class SimpleState:
    def __init__(self):
        self.h_0 = self.h_1 = ts.zeros(3)


def test_attributes_come_and_go():
    class Base:
        scale = 2.0

    own = Base()
    own.note = "a note"
    fast, x = ts.replay(lambda x: x * own.scale), ts.ones(1)
    assert fast(x).item() == 2.0
    del own.note
    own.scale = 3.0  # as many as before
    assert fast(x).item() == 3.0


def test_hooks_are_looked_into():
    w, norms, settings = nn.Parameter([1.0, 2.0]), {"last": 0.0}, {"scale": 2.0}

    def hook(g):
        norms["last"] = g.norm().item()
        return g * settings["scale"]

    w.register_hook(hook)

    def step(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad

    fast = ts.replay(step)
    for settings["scale"] in (2.0, 3.0):
        for k in range(1, 4):
            x = ts.tensor([3.0, 4.0]) * k
            assert fast(x).tolist() == [3.0 * k * settings["scale"], 4.0 * k * settings["scale"]]
            assert norms["last"] == 5.0 * k


def test_a_module_in_a_closure_is_looked_into():
    config = ModuleType("config_of_a_test")
    config.scale = 2.0
    sys.modules[config.__name__] = config
    try:
        fast = ts.replay(lambda x: x * config.scale)
        for config.scale in (2.0, 3.0):
            assert fast(ts.ones(1)).item() == config.scale
    finally:
        del sys.modules[config.__name__]


SLOPE = 2.0


@functools.wraps(ts.relu)
def like_relu(x):
    return x * SLOPE


def test_a_function_that_stands_for_one_of_the_library_is_the_callers(monkeypatch):
    fast = ts.replay(lambda x: like_relu(x))
    for slope in (2.0, 3.0):
        monkeypatch.setattr(sys.modules[__name__], "SLOPE", slope)
        assert fast(ts.ones(1)).item() == slope


def test_a_view_of_a_dict_and_a_decorated_method_are_looked_into():
    settings = {"scale": 2.0}
    view = MappingProxyType(settings)

    class Timed:
        def __init__(self, function):
            self.function = function

        def __get__(self, x, _=None):
            return functools.partial(self.function, x)

    class Model(nn.Module):
        @Timed
        def forward(self, x):
            return x * view["scale"]

    model = Model()
    fast = ts.replay(lambda x: model(x))
    for settings["scale"] in (2.0, 3.0):
        assert fast(ts.ones(1)).item() == settings["scale"]
