"""Wrong specs: each gives exactly one problem, with place, value, what was expected, and the remedy."""

# ruff: noqa: E501  # one case a line, so that the table reads as a table

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from paredown.errors import SpecError
from paredown.registry import Registry
from paredown.spec.loader import load_spec

BASE = """\
version: 1
name: wrong
task: {kind: classification}
data: {kind: digits}
model: {kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}
baseline: {epochs: 8, optimizer: {kind: sgd, lr: 0.1}, schedule: {kind: cosine}}
steps:
  - {kind: prune, criterion: {kind: l2}, scope: global, ratio: 0.5}
  - kind: distill
    teacher: {kind: baseline}
    losses: [{kind: kl, temperature: 4.0}, {kind: hard_label, weight: 0.3}]
    train: {epochs: 6, optimizer: {kind: sgd, lr: 0.05}}
  - kind: quantize
    mode: static
    weights: {bits: 8, granularity: channel}
    activations: {bits: 8, observer: {kind: minmax}}
    calibration: {samples: 256}
deploy: {runtime: {kind: onnxruntime}, max_metric_drop: 0.02}
run: {device: auto, threads: auto}
backends: [torch, paddle]
seeds: [0]
"""


QUANTIZE = """\
  - kind: quantize
    mode: static
    weights: {bits: 8, granularity: channel}
    activations: {bits: 8, observer: {kind: minmax}}
    calibration: {samples: 256}"""

DURING_AT_THE_END = """\
  - kind: finetune
    train: {epochs: 2, optimizer: {kind: sgd, lr: 0.05}}
    during:
      - """

MARK = "¦"


@dataclass(frozen=True)
class Wrong:
    """A mistake: `find` in the base is replaced by `put`, whose `¦` marks the place where `field` is refused.

    `place` (`line:column`) is given where the place is not in what was put.
    """

    name: str
    find: str
    put: str
    field: str
    what: str
    value: str
    expected: str
    remedy: str
    place: str | None = None

    def written(self) -> tuple[str, str]:
        """The spec with the mistake, and the place `line:column` of it."""
        assert BASE.count(self.find) == 1, "the table names one place in the base"
        marked = BASE.replace(self.find, self.put)
        before, mark, after = marked.partition(MARK)
        assert bool(mark) == (self.place is None)
        lines = before.split("\n")
        return before + after, self.place or f"{len(lines)}:{len(lines[-1]) + 1}"


PRUNE = "{kind: prune, criterion: {kind: l2}, scope: global, ratio: 0.5}"
TRAIN = "{epochs: 6, optimizer: {kind: sgd, lr: 0.05}}"
DURING = TRAIN + "\n    during:\n      - "

FIRST_STEPS = BASE[BASE.index("  - {kind: prune") : BASE.index("\n    train:")]

WRONG = [
    Wrong("no version", "version: 1\n", "", "version", "is missing", "nothing", "`1`", "add `version: 1`", place="1:1"),
    Wrong("version of the future", "version: 1", "version: ¦7", "version", "newer", "7", "`1`", "upgrade"),
    Wrong("version zero", "version: 1", "version: ¦0", "version", "no version 0", "0", "`1`", "`version: 1`"),
    Wrong("version as text", "version: 1", 'version: ¦"1"', "version", "no version", '"1"', "`1`", "without quotes"),
    Wrong("version true", "version: 1", "version: ¦true", "version", "no version", "true", "`1`", "`version: 1`"),
    Wrong("version with point", "version: 1", "version: ¦1.0", "version", "no version", "1.0", "`1`", "without"),
    Wrong("no name", "name: wrong\n", "", "name", "is missing", "nothing", "text", "add `name`", place="1:1"),
    Wrong("name with a space", "name: wrong", "name: ¦very wrong", "name", "not a value", "very wrong", "matches", "write"),
    Wrong("name a number", "name: wrong", "name: ¦12", "name", "wrong type", "12", "text", '"12"'),
    Wrong("unknown section", "seeds: [0]", "¦seed: [0]", "seed", "unknown field", "[0]", "`seeds`", "did you mean `seeds`"),
    Wrong("unknown field, required one meant", "ratio: 0.5", "¦ratoi: 0.5", "steps[0].ratoi", "unknown field", "0.5", "`ratio`", "did you mean `ratio`"),
    Wrong("unknown field, nothing near", "ratio: 0.5", "ratio: 0.5, ¦colour: red", "steps[0].colour", "unknown field", "red", "`ratio`", "remove `colour`"),
    Wrong("field of another kind", "{kind: l2}", "{kind: l2, ¦temperature: 2}", "steps[0].criterion.temperature", "unknown field", "2", "`kind`", "remove"),
    Wrong("no task", "task: {kind: classification}\n", "", "task", "is missing", "nothing", "`classification`", "add `task`", place="1:1"),
    Wrong("task as text", "task: {kind: classification}", "task: ¦classification", "task", "wrong type", "classification", "`classification`", "{kind: classification}"),
    Wrong("kind missing", "criterion: {kind: l2}", "criterion: ¦{}", "steps[0].criterion.kind", "is missing", "nothing", "`l2`", "such as `kind: "),
    Wrong("kind misspelt", "kind: minmax", "kind: ¦mimmax", "steps[2].activations.observer.kind", "unknown kind `mimmax`", "mimmax", "`minmax`", "did you mean `minmax`"),
    Wrong("kind a number", "criterion: {kind: l2}", "criterion: {kind: ¦2}", "steps[0].criterion.kind", "unknown kind `2`", "2", "`l1`, `l2`", "`l2`"),
    Wrong("kind null", "criterion: {kind: l2}", "criterion: {kind:¦ }", "steps[0].criterion.kind", "unknown kind", "null", "`l1`, `l2`", "choose one of"),
    Wrong("unknown step", "kind: prune", "kind: ¦prunne", "steps[0].kind", "unknown kind", "prunne", "`finetune`", "did you mean `prune`"),
    Wrong("unknown data", "kind: digits", "kind: ¦digit", "data.kind", "unknown kind", "digit", "`fashion_mnist`", "did you mean `digits`"),
    Wrong("unknown optimizer", "optimizer: {kind: sgd, lr: 0.05}", "optimizer: {kind: ¦sdg, lr: 0.05}", "steps[1].train.optimizer.kind", "unknown kind", "sdg", "`adamw`", "did you mean `sgd`"),
    Wrong("unknown schedule", "kind: cosine", "kind: ¦cosin", "baseline.schedule.kind", "unknown kind", "cosin", "`constant`", "did you mean `cosine`"),
    Wrong("unknown scope", "scope: global", "scope: ¦globl", "steps[0].scope", "not a value", "globl", "`local`", "did you mean `global`"),
    Wrong("ratio one", "ratio: 0.5", "ratio: ¦1", "steps[0].ratio", "out of range", "1", "greater than 0 and less than 1", "write"),
    Wrong("ratio zero", "ratio: 0.5", "ratio: ¦0", "steps[0].ratio", "out of range", "0", "greater than 0", "write a number"),
    Wrong("ratio as a percentage", "ratio: 0.5", "ratio: ¦50", "steps[0].ratio", "out of range", "50", "less than 1", "50% is 0.5"),
    Wrong("ratio as text", "ratio: 0.5", 'ratio: ¦"0.5"', "steps[0].ratio", "wrong type", '"0.5"', "a number", "without quotes: 0.5"),
    Wrong("ratio not a number", "ratio: 0.5", "ratio: ¦.nan", "steps[0].ratio", "out of range", "NaN", "a number", "write"),
    Wrong("ratio empty", "ratio: 0.5", "ratio:¦ ", "steps[0].ratio", "does not say how much goes", "null", "`ratio`", "add `ratio: 0.5`"),
    Wrong("ratio true", "ratio: 0.5", "ratio: ¦true", "steps[0].ratio", "wrong type", "true", "a number", "write a number"),
    Wrong("lr infinite", "lr: 0.05", "lr: ¦1e999", "steps[1].train.optimizer.lr", "out of range", "Infinity", "greater than 0", "write"),
    Wrong("lr missing", "{kind: sgd, lr: 0.05}", "¦{kind: sgd}", "steps[1].train.optimizer.lr", "is missing", "nothing", "greater than 0", "add `lr`"),
    Wrong("epochs true", "{epochs: 6,", "{epochs: ¦true,", "steps[1].train.epochs", "wrong type", "true", "a whole number", "write"),
    Wrong("epochs zero", "{epochs: 6,", "{epochs: ¦0,", "steps[1].train.epochs", "out of range", "0", "a whole number greater than 0", "write"),
    Wrong("epochs a float", "{epochs: 6,", "{epochs: ¦6.0,", "steps[1].train.epochs", "wrong type", "6.0", "a whole number", "write 6"),
    Wrong("samples negative", "samples: 256", "samples: ¦-1", "steps[2].calibration.samples", "out of range", "-1", "greater than 0", "default, 256"),
    Wrong("yes for true", "{kind: sgd, lr: 0.05}", "{kind: sgd, lr: 0.05, nesterov: ¦yes}", "steps[1].train.optimizer.nesterov", "wrong type", "yes", "`true` or `false`", "write `true`"),
    Wrong("nesterov without momentum", "{kind: sgd, lr: 0.05}", "{kind: sgd, lr: 0.05, nesterov: ¦true, momentum: 0}", "steps[1].train.optimizer.nesterov", "needs momentum", "true", "momentum above 0", "momentum: 0.9"),
    Wrong("input size of one", "input_size: [8, 8]", "input_size: ¦[8]", "model.input_size[1]", "is missing", "nothing", "greater than 0", "all items"),
    Wrong("input size of three", "input_size: [8, 8]", "input_size: ¦[1, 8, 8]", "model.input_size", "too many items", "[1, 8, 8]", "a list of 2", "write a list of 2"),
    Wrong("input size one number", "input_size: [8, 8]", "input_size: ¦8", "model.input_size", "wrong type", "8", "a list of 2", "write a list: [8]"),
    Wrong("one class", "num_classes: 10", "num_classes: ¦1", "model.num_classes", "out of range", "1", "at least 2", "default, 10"),
    Wrong("threads as text", "threads: auto", "threads: ¦atuo", "run.threads", "wrong type", "atuo", "a whole number greater than 0 or `auto`", "did you mean `auto`"),
    Wrong("limit of an unknown split", "{kind: digits}", "{kind: digits, limit: {¦trian: 5}}", "data.limit.trian", "unknown field", "5", "`train`", "did you mean `train`"),
    Wrong("seeds not a list", "seeds: [0]", "seeds: ¦0", "seeds", "wrong type", "0", "a list of at least 1", "write a list: [0]"),
    Wrong("no backend", "backends: [torch, paddle]", "backends: ¦[]", "backends", "too few", "[]", "at least 1", 'default, ["torch"]'),
    Wrong("unknown backend", "[torch, paddle]", "[torch, ¦padle]", "backends[1]", "no backend `padle`", "padle", "`paddle`", "did you mean `paddle`"),
    Wrong("unknown trainer", "baseline: {epochs: 8,", "baseline: {epochs: 8, train_on: ¦torhc,", "baseline.train_on", "no backend `torhc`", "torhc", "`torch`", "did you mean `torch`"),
    Wrong("trainer of nothing", "input_size: [8, 8]}\nbaseline: {epochs: 8,", "input_size: [8, 8], weights: a.safetensors}\nbaseline: {epochs: 0, train_on: ¦torch,", "baseline.train_on", "nothing is trained here", "torch", "`epochs` of at least 1", "leave `train_on` out"),
    Wrong("backend twice", "[torch, paddle]", "[torch, ¦torch]", "backends[1]", "listed twice", "torch", "each value once", "remove"),
    Wrong("seed twice", "seeds: [0]", "seeds: [0, 1, ¦0]", "seeds[2]", "listed twice", "0", "each value once", "remove"),
    Wrong("seed negative", "seeds: [0]", "seeds: [¦-1]", "seeds[0]", "out of range", "-1", "at least 0", "write"),
    Wrong("seed too large", "seeds: [0]", "seeds: [¦4294967296]", "seeds[0]", "out of range", "4294967296", "less than 4294967296", "write"),
    Wrong("unknown network", "name: resnet20", "name: ¦resnet21", "model.name", "cannot build", "resnet21", "`torch`, `paddle`", "write `resnet20`"),
    Wrong("network of one backend", "name: resnet20", "name: ¦vgg19", "model.name", "`paddle` cannot build", "vgg19", "`paddle` can build", "leave only `torch`"),
    Wrong("untrained baseline", "baseline: {epochs: 8", "baseline: {epochs: ¦0", "baseline.epochs", "would be random", "0", "model.weights", "pretrained"),
    Wrong("weights of another format", "input_size: [8, 8]", "input_size: [8, 8], weights: ¦a.h5", "model.weights", "is no file of weights", "a.h5", ".safetensors", "give the path"),
    Wrong("weights of a builder", "input_size: [8, 8]", "input_size: [8, 8], weights: ¦built", "model.weights", "networks of a user's own code", "built", "`pretrained`", "give the path"),
    Wrong("misspelt pretrained", "input_size: [8, 8]", "input_size: [8, 8], weights: ¦pretraned", "model.weights", "no file of weights", "pretraned", "`pretrained`", "did you mean `pretrained`"),
    Wrong("lenient about no file", "input_size: [8, 8]", "input_size: [8, 8], strict: ¦false", "model.strict", "no effect without a file", "false", "a file in `weights`", "leave `strict` out"),
    Wrong("lenient about published weights", "input_size: [8, 8]", "input_size: [8, 8], weights: pretrained, strict: ¦false", "model.strict", "no effect without a file", "false", "a file in `weights`", "leave `strict` out"),
    Wrong("width that nobody plans", "weights: {bits: 8", "weights: {bits: ¦7", "steps[2].weights.bits", "not a value", "7", "`8`", "default, 8"),
    Wrong("loss without taps", "{kind: kl, temperature: 4.0}", "¦{kind: attention}", "steps[1].losses[0].taps", "is missing", "nothing", "a list of at least 1", "add `taps`"),
    Wrong("flow of one tap", "{kind: kl, temperature: 4.0}", "{kind: fsp, taps: ¦[{student: layer1}]}", "steps[1].losses[0].taps", "too few", "layer1", "at least 2", "write a list"),
    Wrong("library of another framework", "kind: zoo", "kind: ¦timm", "model.kind", "`paddle` cannot build networks of `timm`", "timm", "`torch`", "leave only `torch`"),
    Wrong("published weights of a library", "{kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}", "{kind: builder, torch: 'a:b', paddle: 'a:c', in_channels: 1, input_size: [8, 8], weights: ¦pretrained}", "model.weights", "nothing is downloaded", "pretrained", "`built`", "give the path"),
    Wrong("builder for one backend", "{kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}", "¦{kind: builder, torch: 'a:b', in_channels: 1, input_size: [8, 8]}", "model.paddle", "no function that builds the network on `paddle`", "builder", "`paddle: package.module:function`", "add `paddle`"),
    Wrong("builder within a function", "{kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}", "{kind: builder, torch: ¦'a:os.system', paddle: 'a:b'}", "model.torch", "not a value", "a:os.system", "text that matches", "write text"),
    Wrong("builder of an unknown backend", "{kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}", "{kind: builder, torch: 'a:b', paddle: 'a:b', builders: {pytorch: ¦'a:b'}}", "model.builders.pytorch", "there is no backend `pytorch`", "pytorch", "`torch`", "did you mean `torch`"),
    Wrong("another word for lr", "{kind: sgd, lr: 0.1}", "{kind: sgd, lr: 0.1, ¦learning_rate: 0.1}", "baseline.optimizer.learning_rate", "unknown field `learning_rate`", "0.1", "`lr`", "did you mean `lr`?"),
    Wrong("amp as a word", "device: auto", "device: auto, amp: ¦bfloat16", "run.amp", "of the wrong type", "bfloat16", "`true` or `false`", "write `true`"),
    Wrong("temperature zero", "temperature: 4.0", "temperature: ¦0", "steps[1].losses[0].temperature", "out of range", "0", "greater than 0", "default, 4"),
    Wrong("no losses", "losses: [{kind: kl, temperature: 4.0}, {kind: hard_label, weight: 0.3}]", "losses: ¦[]", "steps[1].losses", "too few", "[]", "at least 1", "write a list"),
    Wrong("losses of weight zero", "losses: [{kind: kl, temperature: 4.0}, {kind: hard_label, weight: 0.3}]", "losses: ¦[{kind: kl, weight: 0}]", "steps[1].losses", "weight 0", "kl", "above 0", "raise a weight"),
    Wrong("teacher not read", "losses: [{kind: kl, temperature: 4.0}, ", "losses: ¦[", "steps[1].losses", "no loss reads the teacher", "hard_label", "`kl`", "finetune"),
    Wrong("its own teacher", FIRST_STEPS, "  - kind: distill\n    losses: ¦[{kind: kl, temperature: 4.0}]", "steps[0].losses", "its own teacher", "kl", "labels", "hard_label"),
    Wrong("step after quantize", "calibration: {samples: 256}", "calibration: {samples: 256}\n  - ¦{kind: prune, criterion: {kind: l2}, ratio: 0.5}", "steps[3]", "`prune` stands after `quantize`", "prune", "as the last one", "before `steps[2]`"),
    Wrong("warm-up as long as training", "schedule: {kind: cosine}", "schedule: {kind: cosine, warmup_epochs: ¦8}", "baseline.schedule.warmup_epochs", "whole training", "8", "less than 8", "shorten"),
    Wrong("milestone never reached", "schedule: {kind: cosine}", "schedule: {kind: step, milestones: [4, ¦9]}", "baseline.schedule.milestones[1]", "never reached", "9", "less than 8", "earlier"),
    Wrong("milestones descend", "schedule: {kind: cosine}", "schedule: {kind: step, milestones: [4, ¦2]}", "baseline.schedule.milestones[1]", "must ascend", "2", "more than 4", "sort"),
    Wrong("metric drop as a percentage", "max_metric_drop: 0.02", "max_metric_drop: ¦2", "deploy.max_metric_drop", "out of range", "2", "at most 1", "2% is 0.02"),
    Wrong("key twice", "seeds: [0]", "seeds: [0]\n¦name: again", "name", "on line 2 and on line 22", "name", "once", "remove one"),
    Wrong("key twice in one line", "ratio: 0.5", "ratio: 0.5, ¦ratio: 0.6", "steps[0].ratio", "twice", "ratio", "once", "remove one"),
    Wrong("tag", "name: wrong", "name: ¦!!python/name:os.system", "", "tags are not allowed", "os.system", "plain values", "remove the tag"),
    Wrong("tab", "    teacher:", "¦\tteacher:", "", "tab", "teacher", "YAML", "spaces"),
    Wrong("bracket not closed", "seeds: [0]", "seeds: [0", "", "not YAML", "the end", "YAML", "mend", place="22:1"),
    Wrong("no such anchor", "seeds: [0]", "seeds: ¦*seeds", "", "undefined alias", "seeds", "YAML", "mend"),
    Wrong("merge key", "criterion: {kind: l2}", "criterion: {¦<<: {kind: l2}}", "steps[0].criterion", "merge keys", "<<", "written out", "write the fields"),
    Wrong("key a number", "seeds: [0]", "¦1: 2", "", "a key that is not text", "1", "names", "quotes"),
    Wrong("two documents", "seeds: [0]", "seeds: [0]\n¦---\nname: second", "", "more than one YAML document", "---", "one document", "---"),
    Wrong("anchor that holds itself", "seeds: [0]", "seeds: ¦&a [*a]", "", "levels of nesting", "levels", "at most", "flatten"),
    # How networks are quantized.
    Wrong("qat without training", "mode: static", "mode: ¦qat", "steps[2].mode", "this step does not train", "qat", "inside the `during`", "move the step into the `during`"),
    Wrong("static inside training", QUANTIZE, DURING_AT_THE_END + "{kind: quantize, mode: ¦static, activations: {observer: {kind: minmax}}}", "steps[2].during[0].mode", "does not go inside `during`", "static", "`mode: qat` inside", "write `mode: qat`"),
    Wrong("static without activations", QUANTIZE, "  - ¦{kind: quantize}", "steps[2]", "`activations` does not say how", "quantize", "an `observer`", "add `activations"),
    Wrong("weight_only with activations", QUANTIZE, "  - {kind: quantize, mode: weight_only, activations: ¦{observer: {kind: minmax}}}", "steps[2].activations", "does not go with `mode: weight_only`", "minmax", "no `activations`", "remove `activations`"),
    Wrong("fp16 with widths", QUANTIZE, "  - {kind: quantize, mode: fp16, weights: ¦{bits: 4}}", "steps[2].weights", "does not go with `mode: fp16`", "bits", "no `weights`", "remove `weights`"),
    Wrong("groups without a size", "granularity: channel}", "granularity: group}", "steps[2].weights", "how many weights share a scale", "group", "`group_size`", "add `group_size: 64`", place="15:14"),
    Wrong("a size without groups", "granularity: channel}", "granularity: channel, group_size: ¦64}", "steps[2].weights.group_size", "does not go with `granularity: channel`", "64", "beside `granularity: group`", "write `granularity: group`"),
    Wrong("asymmetric ternary", "weights: {bits: 8", "weights: {symmetric: ¦false, bits: 2", "steps[2].weights.symmetric", "ternary weights lie around zero", "false", "`symmetric: true`", "remove `symmetric`"),
    Wrong("dynamic with 4 bits", QUANTIZE, "  - {kind: quantize, mode: dynamic, weights: ¦{bits: 4}}", "steps[2].weights", "has 8-bit weights there", "4", "8 bits", "`mode: weight_only`"),
    Wrong("learned after training", "mode: static", "mode: static\n    learned: ¦true", "steps[2].learned", "does not go with `mode: static`", "true", "`mode: qat`", "remove `learned`"),
    Wrong("corrections in training", QUANTIZE, DURING_AT_THE_END + "{kind: quantize, preset: paddleslim_qat, corrections: ¦[{kind: bias_correction}]}", "steps[2].during[0].corrections", "does not go with `mode: qat`", "bias_correction", "after training", "remove `corrections`"),
    Wrong("learned and pact", QUANTIZE, DURING_AT_THE_END + "{kind: quantize, preset: paddleslim_qat, learned: true, pact: ¦true}", "steps[2].during[0].pact", "leaves nothing to `pact`", "true", "one of the two", "remove `pact`"),
    Wrong("pact of symmetric ranges", QUANTIZE, DURING_AT_THE_END + "{kind: quantize, preset: paddleslim_qat, pact: ¦true}", "steps[2].during[0].pact", "symmetric ones do not", "true", "`activations.symmetric: false`", "write `activations: {symmetric: false}`"),
    Wrong("BatchNorm frozen too late", QUANTIZE, DURING_AT_THE_END + "{kind: quantize, preset: paddleslim_qat, freeze_bn: ¦9}", "steps[2].during[0].freeze_bn", "the training is over", "9", "at most 2", "earlier epoch"),
    Wrong("an observer of whole sets in training", QUANTIZE, DURING_AT_THE_END + "{kind: quantize, preset: paddleslim_qat, activations: {observer: {kind: ¦entropy}}}", "steps[2].during[0].activations.observer.kind", "in training each batch", "entropy", "moving_average", "moving_average"),
    Wrong("unknown preset", "mode: static", "preset: ¦tensorrt", "steps[2].preset", "not a value", "tensorrt", "`paddleslim_qat`", "torch_default"),
    Wrong("equalization last", "mode: static", "mode: static\n    corrections: [{kind: bias_correction}, ¦{kind: equalization}]", "steps[2].corrections[1]", "changes the weights", "equalization", "the first correction", "to the front"),
    Wrong("rounding behind moved biases", "mode: static", "mode: static\n    corrections: [{kind: bias_correction}, ¦{kind: adaround}]", "steps[2].corrections[1]", "moved the biases for", "adaround", "before `bias_correction`", "exchange"),
    Wrong("entropy of 16 bits", "{bits: 8, observer: {kind: minmax}}", "{bits: 16, observer: {kind: ¦entropy}}", "steps[2].activations.observer.kind", "more levels than it has bins", "entropy", "another observer", "histogram"),
    Wrong("bins without bound", "{kind: minmax}", "{kind: histogram, bins: ¦99999999}", "steps[2].activations.observer.bins", "out of range", "99999999", "at most 65536", ""),
    Wrong("calibration of nothing", QUANTIZE, "  - {kind: quantize, mode: weight_only, calibration: ¦{samples: 64}}", "steps[2].calibration", "nothing looks at images", "64", "no `calibration`", "remove `calibration`"),
    Wrong("adaround on more than calibration", QUANTIZE, "  - {kind: quantize, activations: {observer: {kind: minmax}}, calibration: {samples: 64}, corrections: [{kind: adaround, samples: ¦65}]}", "steps[2].corrections[0].samples", "there are not so many", "65", "at most 64", "raise `calibration.samples`"),
    Wrong("calibration of what needs none", QUANTIZE, "  - {kind: quantize, mode: weight_only, corrections: [{kind: equalization}], calibration: ¦{samples: 64}}", "steps[2].calibration", "nothing looks at images", "64", "no `calibration`", "remove `calibration`"),
    Wrong("a correction twice", "mode: static", "mode: static\n    corrections: [{kind: bias_correction}, ¦{kind: bias_correction}]", "steps[2].corrections[1]", "asked for twice", "bias_correction", "once", "remove one"),
    Wrong("binary weights that were zero", QUANTIZE, "  - {kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.5}\n  - {kind: quantize, mode: weight_only, weights: {bits: ¦1}}", "steps[3].weights.bits", "would not stay", "1", "at least 2 bits", "`bits: 2`"),
    Wrong("fp16 with analysis", QUANTIZE, "  - {kind: quantize, mode: fp16, analysis: ¦true}", "steps[2].analysis", "makes none", "true", "integers", "remove `analysis`"),
    Wrong("rounding of binary weights", "weights: {bits: 8", "corrections: [¦{kind: adaround}]\n    weights: {bits: 1", "steps[2].corrections[0]", "a sign alone", "bits", "`4` or `2`", "remove the correction"),
    Wrong("a selector that says nothing", "mode: static", "mode: static\n    protect: [¦{}]", "steps[2].protect[0]", "the selector says nothing", "{}", "`names`", "write what is meant"),
    # How much goes.
    Wrong("neither ratio nor keep", PRUNE, "¦{kind: prune, criterion: {kind: l2}}", "steps[0]", "does not say how much goes", "prune", "`ratio`", "`keep: {macs: 0.5}`"),
    Wrong("weights without a ratio", PRUNE, "¦{kind: prune, criterion: {kind: l2}, granularity: weight}", "steps[0]", "does not say how much goes", "weight", "`ratio`, the share that is removed", "add `ratio: 0.5`"),
    Wrong("ratio and keep", "ratio: 0.5", "ratio: 0.5, keep: ¦{macs: 0.5}", "steps[0].keep", "both say how much goes", "macs", "one of the two", "remove `ratio` or `keep`"),
    Wrong("keep of nothing", "ratio: 0.5", "keep: ¦{}", "steps[0].keep", "names no measure", "{}", "exactly one of `macs`", "keep: {macs: 0.5}"),
    Wrong("keep of two measures", "ratio: 0.5", "keep: ¦{macs: 0.5, params: 0.5}", "steps[0].keep", "names 2 measures", "params", "exactly one of", "leave only one"),
    Wrong("keep of everything", "ratio: 0.5", "keep: {macs: ¦1.0}", "steps[0].keep.macs", "out of range", "1.0", "less than 1", "write"),
    Wrong("keep of what nobody counts", "ratio: 0.5", "keep: {¦flops: 0.5}", "steps[0].keep.flops", "unknown field `flops`", "0.5", "`macs`, `params`, `bytes`", "remove `flops`"),
    Wrong("keep as a number", "ratio: 0.5", "keep: ¦0.5", "steps[0].keep", "wrong type", "0.5", "`macs`", "write a mapping"),
    Wrong("macs kept by zeros", "ratio: 0.5", "granularity: weight, keep: ¦{macs: 0.5}", "steps[0].keep", "a zero is still multiplied", "macs", "`ratio`", "`granularity: channel`"),
    Wrong("parameters kept by zeros", "ratio: 0.5", "granularity: weight, keep: ¦{params: 0.5}", "steps[0].keep", "a zero is still stored", "params", "`ratio`", "write `ratio`"),
    Wrong("bytes kept by zeros", "ratio: 0.5", "granularity: weight, keep: ¦{bytes: 0.5}", "steps[0].keep", "a zero is still stored", "bytes", "`ratio`", "write `ratio`"),
    # Patterns.
    Wrong("pattern with a ratio", "ratio: 0.5", "granularity: n_m, n: 2, m: 4, ratio: ¦0.5", "steps[0].ratio", "does not go with `granularity: n_m`", "0.5", "`n` and `m` alone", "remove `ratio`"),
    Wrong("pattern with keep", "ratio: 0.5", "granularity: n_m, n: 2, m: 4, keep: ¦{macs: 0.5}", "steps[0].keep", "does not go with `granularity: n_m`", "macs", "`n` and `m` alone", "remove `keep`"),
    Wrong("pattern without m", PRUNE, "¦{kind: prune, criterion: {kind: l2}, granularity: n_m, n: 2}", "steps[0]", "`granularity: n_m` needs `m`", "n_m", "`n` and `m`", "write `n: 2, m: 4`"),
    Wrong("pattern without numbers", PRUNE, "¦{kind: prune, criterion: {kind: l2}, granularity: n_m}", "steps[0]", "needs `n` and `m`", "n_m", "at most n stay", "write `n: 2, m: 4`"),
    Wrong("pattern that keeps all", "ratio: 0.5", "granularity: n_m, n: ¦4, m: 4", "steps[0].n", "nothing would go", "4", "less than 4", "`n` is the number that stays"),
    Wrong("pattern that keeps none", "ratio: 0.5", "granularity: n_m, n: ¦0, m: 4", "steps[0].n", "out of range", "0", "greater than 0", "write"),
    Wrong("pattern for channels", "ratio: 0.5", "ratio: 0.5, n: ¦2", "steps[0].n", "belongs to the pattern of `n_m`", "2", "`granularity` is `n_m`", "write `granularity: n_m`"),
    Wrong("pattern for weights", "ratio: 0.5", "granularity: weight, ratio: 0.5, m: ¦4", "steps[0].m", "does not go with `granularity: weight`", "4", "`n_m`", "remove `m`"),
    Wrong("pattern with overrides", "ratio: 0.5", "granularity: n_m, n: 2, m: 4, overrides: ¦[{select: {types: [conv]}, ratio: 0.5}]", "steps[0].overrides", "`granularity: n_m` has none", "conv", "no `overrides`", "`protect`"),
    # What only channels have.
    Wrong("widths of weights", "ratio: 0.5", "granularity: weight, ratio: 0.5, round_to: ¦8", "steps[0].round_to", "zeros leave every width as it is", "8", "`granularity` is `channel`", "remove `round_to`"),
    Wrong("rounds of weights", "ratio: 0.5", "granularity: weight, ratio: 0.5, rounds: ¦3", "steps[0].rounds", "does not go with `granularity: weight`", "3", "`granularity` is `channel`", "`during`"),
    Wrong("rounds of a pattern", "ratio: 0.5", "granularity: n_m, n: 2, m: 4, rounds: ¦3", "steps[0].rounds", "does not go with `granularity: n_m`", "3", "`granularity` is `channel`", "remove `rounds`"),
    Wrong("recovery of weights", "ratio: 0.5", "granularity: weight, ratio: 0.5, recover: ¦{epochs: 1, optimizer: {kind: sgd, lr: 0.1}}", "steps[0].recover", "does not go with `granularity: weight`", "epochs", "`channel`", "a `finetune` step"),
    Wrong("allocation of weights", "ratio: 0.5", "granularity: weight, ratio: 0.5, allocation: ¦{kind: sensitivity}", "steps[0].allocation", "does not go with `granularity: weight`", "sensitivity", "`channel`", "remove `allocation`"),
    Wrong("round to nothing", "ratio: 0.5", "ratio: 0.5, round_to: ¦0", "steps[0].round_to", "out of range", "0", "greater than 0", "default, 1"),
    Wrong("rounds without recovery", "ratio: 0.5", "ratio: 0.5, rounds: ¦3", "steps[0].rounds", "`recover` is missing", "3", "`recover` beside `rounds`", "add `recover: "),
    Wrong("recovery of one round", "ratio: 0.5", "ratio: 0.5, recover: ¦{epochs: 1, optimizer: {kind: sgd, lr: 0.1}}", "steps[0].recover", "one round only", "epochs", "at least 2", "set `rounds`"),
    Wrong("recovery that warms up for ever", "ratio: 0.5", "ratio: 0.5, rounds: 2, recover: {epochs: 1, optimizer: {kind: sgd, lr: 0.1}, schedule: {kind: cosine, warmup_epochs: ¦1}}", "steps[0].recover.schedule.warmup_epochs", "the warm-up takes the whole training", "1", "less than 1", "train longer"),
    Wrong("sensitivity where channels compete", "ratio: 0.5", "ratio: 0.5, allocation: ¦{kind: sensitivity}", "steps[0].allocation", "the channels of all groups compete by score", "sensitivity", "`scope: local`", "write `scope: local`"),
    Wrong("sensitivity of one ratio twice", "scope: global, ratio: 0.5", "scope: local, ratio: 0.5, allocation: {kind: sensitivity, ratios: [0.5, ¦0.5]}", "steps[0].allocation.ratios[1]", "listed twice", "0.5", "each value once: one measurement a ratio", "remove"),
    Wrong("sensitivity of nothing", "scope: global, ratio: 0.5", "scope: local, ratio: 0.5, allocation: {kind: sensitivity, ratios: ¦[]}", "steps[0].allocation.ratios", "too few", "[]", "at least 1", "default"),
    Wrong("unknown allocation", "ratio: 0.5", "ratio: 0.5, allocation: {kind: ¦uniforn}", "steps[0].allocation.kind", "unknown kind", "uniforn", "`sensitivity`", "did you mean `uniform`"),
    Wrong("unknown granularity", "ratio: 0.5", "ratio: 0.5, granularity: ¦chanel", "steps[0].granularity", "not a value", "chanel", "`n_m`", "did you mean `channel`"),
    # Criteria.
    Wrong("criterion of channels for weights", "criterion: {kind: l2}, scope: global, ratio: 0.5", "criterion: {kind: ¦taylor}, granularity: weight, ratio: 0.5", "steps[0].criterion.kind", "`taylor` does not fit `granularity: weight`", "taylor", "`l1`, `l2`, `lamp`, `random`", "`granularity: channel`"),
    Wrong("criterion of weights for channels", "criterion: {kind: l2}", "criterion: {kind: ¦lamp}", "steps[0].criterion.kind", "`lamp` does not fit `granularity: channel`", "lamp", "`bn_scale`", "`granularity: weight`"),
    Wrong("criterion of weights for a pattern", "criterion: {kind: l2}, scope: global, ratio: 0.5", "criterion: {kind: ¦lamp}, granularity: n_m, n: 2, m: 4", "steps[0].criterion.kind", "`lamp` does not fit `granularity: n_m`", "lamp", "`l1`, `l2`, `random`", "`granularity: weight`"),
    Wrong("gradients of no image", "{kind: l2}", "{kind: taylor, samples: ¦0}", "steps[0].criterion.samples", "out of range", "0", "greater than 0", "default, 512"),
    Wrong("activations of no image", "{kind: l2}", "{kind: activation, samples: ¦0}", "steps[0].criterion.samples", "out of range", "0", "greater than 0", "default, 512"),
    Wrong("unknown statistic", "{kind: l2}", "{kind: activation, statistic: ¦apos}", "steps[0].criterion.statistic", "not a value", "apos", "`apoz`", "did you mean `apoz`"),
    Wrong("unknown criterion", "{kind: l2}", "{kind: ¦tailor}", "steps[0].criterion.kind", "unknown kind `tailor`", "tailor", "`taylor`", "did you mean `taylor`"),
    # Selectors.
    Wrong("protection of nothing said", "ratio: 0.5", "ratio: 0.5, protect: [¦{}]", "steps[0].protect[0]", "would pick every layer", "{}", "`names`, `types` or `roles`", "{types: [linear]}"),
    Wrong("override of nothing said", "ratio: 0.5", "ratio: 0.5, overrides: [{select: ¦{names: []}, ratio: 0.2}]", "steps[0].overrides[0].select", "would pick every layer", "{}", "`names`", "write what is meant"),
    Wrong("expression that is none", "ratio: 0.5", "ratio: 0.5, protect: [{names: [¦'re:layer(']}]", "steps[0].protect[0].names[0]", "the regular expression cannot be read", "re:layer(", "a glob", "without `re:`"),
    Wrong("empty name", "ratio: 0.5", "ratio: 0.5, overrides: [{select: {names: [fc, ¦'']}, ratio: 0.2}]", "steps[0].overrides[0].select.names[1]", "the pattern is empty", '""', "a glob", "mend"),
    Wrong("empty expression", "ratio: 0.5", "ratio: 0.5, protect: [{names: [¦'re:']}]", "steps[0].protect[0].names[0]", "the pattern is empty", "re:", "a glob", "mend"),
    Wrong("unknown role", "ratio: 0.5", "ratio: 0.5, protect: [{roles: [¦clasifier]}]", "steps[0].protect[0].roles[0]", "not a value", "clasifier", "`stem`", "did you mean `classifier`"),
    Wrong("unknown type", "ratio: 0.5", "ratio: 0.5, protect: [{types: [¦conv2d]}]", "steps[0].protect[0].types[0]", "not a value", "conv2d", "`depthwise`", "did you mean `conv`"),
    Wrong("names as text", "ratio: 0.5", "ratio: 0.5, protect: [{names: ¦fc}]", "steps[0].protect[0].names", "wrong type", "fc", "a list", 'write a list: ["fc"]'),
    Wrong("override without a ratio", "ratio: 0.5", "ratio: 0.5, overrides: [¦{select: {names: [fc]}}]", "steps[0].overrides[0].ratio", "is missing", "nothing", "less than 1", "add `ratio`"),
    # Inside training.
    Wrong("schedule outside training", "ratio: 0.5", "granularity: weight, ratio: 0.5, schedule: ¦{kind: cubic}", "steps[0].schedule", "this step does not train", "cubic", "`during`", "move the step"),
    Wrong("growth without a schedule", TRAIN, DURING + "¦{kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.8}", "steps[1].during[0]", "does not say when masks grow", "prune", "`schedule: {kind: cubic}`", "add `schedule"),
    Wrong("channels inside training", TRAIN, DURING + "{kind: prune, granularity: ¦channel, criterion: {kind: l1}, ratio: 0.8, schedule: {kind: cubic}}", "steps[1].during[0].granularity", "only masks of single weights grow", "channel", "`weight`", "a step of its own"),
    Wrong("pattern inside training", TRAIN, DURING + "{kind: prune, granularity: ¦n_m, criterion: {kind: l1}, n: 2, m: 4, schedule: {kind: cubic}}", "steps[1].during[0].granularity", "only masks of single weights grow", "n_m", "`weight`", "write `granularity: weight`"),
    Wrong("growth past the end", TRAIN, DURING + "{kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.8, schedule: {kind: cubic, end: ¦7}}", "steps[1].during[0].schedule.end", "over before the masks are full", "7", "at most 6", "train longer"),
    Wrong("growth backwards", TRAIN, DURING + "{kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.8, schedule: {kind: cubic, begin: ¦3, end: 3}}", "steps[1].during[0].schedule.begin", "no time to grow", "3", "less than 3, `end`", "a later `end`"),
    Wrong("growth that begins in the last quarter", TRAIN, DURING + "{kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.8, schedule: {kind: cubic, begin: ¦5}}", "steps[1].during[0].schedule.begin", "no time to grow", "5", "less than 4.5, where masks stop", "an earlier epoch"),
    Wrong("two growths", TRAIN, DURING + "{kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.8, schedule: {kind: cubic}}\n      - ¦{kind: prune, granularity: weight, criterion: {kind: l1}, ratio: 0.9, schedule: {kind: cubic}}", "steps[1].during[1]", "two schedules would decide", "prune", "at most one `prune`", "`overrides`"),
    Wrong("wrong criterion inside training", TRAIN, DURING + "{kind: prune, granularity: weight, criterion: {kind: ¦fpgm}, ratio: 0.8, schedule: {kind: cubic}}", "steps[1].during[0].criterion.kind", "`fpgm` does not fit", "fpgm", "`lamp`", "choose"),
    Wrong("unknown field inside training", TRAIN, DURING + "{kind: prune, granularity: weight, criterion: {kind: l1}, ¦ratoi: 0.8, schedule: {kind: cubic}}", "steps[1].during[0].ratoi", "unknown field", "0.8", "`ratio`", "did you mean `ratio`"),
    Wrong("finetune inside training", TRAIN, DURING + "{kind: ¦finetune}", "steps[1].during[0].kind", "unknown kind", "finetune", "`prune`, `quantize`", "choose one of"),
    Wrong("negative penalty", "{epochs: 6, optimizer: {kind: sgd, lr: 0.05}}", "{epochs: 6, optimizer: {kind: sgd, lr: 0.05}, bn_l1: ¦-0.1}", "steps[1].train.bn_l1", "out of range", "-0.1", "at least 0", "default, 0.0"),
    Wrong("penalty on the baseline", "baseline: {epochs: 8,", "baseline: {epochs: 8, ¦bn_l1: 0.1,", "baseline.bn_l1", "unknown field `bn_l1`", "0.1", "`epochs`", "remove `bn_l1`"),
    # Orders.
    Wrong("channels after a pattern", PRUNE, "{kind: prune, criterion: {kind: l2}, granularity: n_m, n: 2, m: 4}\n  - ¦{kind: prune, criterion: {kind: l2}, ratio: 0.5}", "steps[1]", "the pattern would break", "channel", "channel pruning before `n_m`", "before `steps[0]`"),
    Wrong("two patterns in a row", PRUNE, "{kind: prune, criterion: {kind: l2}, granularity: n_m, n: 2, m: 4}\n  - ¦{kind: prune, criterion: {kind: l2}, granularity: n_m, n: 1, m: 4}", "steps[1]", "of two patterns in a row one is wasted", "n: 1, m: 4", "one pattern", "remove one"),
    Wrong("a pattern within another", PRUNE, "{kind: prune, criterion: {kind: l2}, granularity: n_m, n: 2, m: 4}\n  - {kind: finetune, train: {epochs: 1, optimizer: {kind: sgd, lr: 0.1}}}\n  - ¦{kind: prune, criterion: {kind: l2}, granularity: n_m, n: 4, m: 8}", "steps[2]", "fits 4:8 already", "n: 4, m: 8", "a stricter one", "remove one"),
    Wrong("prune after quantize", "calibration: {samples: 256}\n", "calibration: {samples: 256}\n  - ¦{kind: prune, criterion: {kind: l2}, ratio: 0.5}\n", "steps[3]", "`prune` stands after `quantize`", "prune", "as the last one", "move `prune` before `steps[2]`"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda case: case.name)
def test_a_wrong_spec_gives_one_clear_problem(wrong: Wrong, registry: Registry, tmp_path: Path) -> None:
    text, place = wrong.written()
    file = tmp_path / "wrong.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(file, registry)
    problems = caught.value.problems
    assert len(problems) == 1, str(caught.value)
    (problem,) = problems
    assert problem.where == f"{file}:{place}" + (f": {wrong.field}" if wrong.field else "")
    assert wrong.what in problem.what
    parts = ((problem.value, wrong.value), (problem.expected, wrong.expected), (problem.remedy, wrong.remedy))
    for part, text in parts:
        assert part is not None
        assert text in part


def test_the_base_of_the_table_is_right(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "right.yaml"
    file.write_text(BASE, "utf-8")
    assert load_spec(file, registry).name == "wrong"
    assert len(WRONG) >= 50
