"""Names that several processes must agree on."""

from types import MappingProxyType

TRAIN, EVALUATE, GENERATE, TRANSLATE = "train", "evaluate", "generate", "translate"
"""the kinds of job"""
TASKS = MappingProxyType({kind: f"forger.{kind}" for kind in (TRAIN, EVALUATE, GENERATE, TRANSLATE)})
"""Celery's task for each kind"""
QUEUES = MappingProxyType({TRAIN: "training", EVALUATE: "evaluate", GENERATE: "evaluate", TRANSLATE: "evaluate"})
"""and the queue it is rung in: kinds that share one share its places and its order"""
INFER, INFERENCE = "forger.infer", "inference"
"""the task that asks an engine elsewhere, which is no job, and its queue"""
BROKER_PREFIX = "forger:"
LABELS, LEFT_OUT = "labels.csv", "left_out.csv"
"""tables beside the pictures of a shard: their classes; and those that could not be translated, with the reason"""
