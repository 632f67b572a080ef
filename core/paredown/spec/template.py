"""The spec that `paredown init` writes."""

from __future__ import annotations

TEMPLATE = """\
# A compression spec for paredown. The same file runs on every backend:
#   paredown validate FILE      is it right?
#   paredown explain FILE       what would be done?
#   paredown compare FILE --out DIR
version: 1
name: quickstart

# What the network is for, and what it learns from. `digits` is embedded and real: scikit-learn's handwritten digits.
# Another choice is {kind: fashion_mnist, limit: 6000}.
task: {kind: classification}
data: {kind: digits}

# The network, by its name in the zoo (`paredown zoo`). `weights: FILE` (.safetensors, .pth, .pdparams) or `weights:
# pretrained` replaces the drawn weights. A network of your own: {kind: builder, torch: "module:function"}.
model: {kind: zoo, name: resnet20, num_classes: 10, in_channels: 1, input_size: [8, 8]}

# How the uncompressed network is trained; `epochs: 0` takes the weights as they are.
baseline:
  epochs: 8
  batch_size: 64
  optimizer: {kind: sgd, lr: 0.1, momentum: 0.9, weight_decay: 0.0005}
  schedule: {kind: cosine}

# Each step works on the result of the one before it. Every step may be left out, or repeated.
steps:
  # Remove half of the channels, the least important first; coupled layers lose theirs together.
  - kind: prune
    granularity: channel
    criterion: {kind: l2}    # or l1, fpgm, taylor, bn_scale, activation, random
    scope: global            # or local: the same share in every group
    ratio: 0.5               # the share that is removed; or a target in its place, such as `keep: {macs: 0.5}`
    round_to: 8              # widths that are multiples of it; a width of 33 is slower than one of 40 in most runtimes

  # Recover under the uncompressed network. A `finetune` step has no teacher and no losses.
  - kind: distill
    teacher: {kind: baseline}
    losses:
      - {kind: kl, temperature: 4.0, weight: 0.7}
      - {kind: hard_label, weight: 0.3}
    train:
      epochs: 6
      batch_size: 64
      optimizer: {kind: sgd, lr: 0.05}

  # Eight-bit integers, with ranges seen on training images.
  - kind: quantize
    mode: static
    weights: {bits: 8, symmetric: true, granularity: channel}
    activations: {bits: 8, symmetric: false, observer: {kind: minmax}}
    calibration: {samples: 256}

# Which file is delivered: the best on `prefer` (latency or size) that loses at most `max_metric_drop` on validation.
deploy: {runtime: {kind: onnxruntime}, target: portable, prefer: size, max_metric_drop: 0.02}
run: {device: auto, threads: auto}
backends: [torch, paddle]
seeds: [0]
"""
"""A commented spec that means the same as `examples/quickstart.yaml`."""
