"""Names that several processes must agree on."""

from types import MappingProxyType

from forger.wire import EVALUATE, GENERATE, TRAIN, TRANSLATE

TASKS = MappingProxyType({kind: f"forger.{kind}" for kind in (TRAIN, EVALUATE, GENERATE, TRANSLATE)})
"""Celery's task for each kind"""
QUEUES = MappingProxyType({TRAIN: "training", EVALUATE: "evaluate", GENERATE: "evaluate", TRANSLATE: "evaluate"})
"""and the queue it is rung in: kinds that share one share its places and its order"""
INFER, INFERENCE = "forger.infer", "inference"
"""the task that asks an engine elsewhere, which is no job, and its queue"""
BROKER_PREFIX = "forger:"
