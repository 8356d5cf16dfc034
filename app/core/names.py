"""Names that several processes must agree on."""

from types import MappingProxyType

TRAIN, EVALUATE = "train", "evaluate"
"""the kinds of job"""
TASKS = MappingProxyType({TRAIN: "forger.train", EVALUATE: "forger.evaluate"})
"""Celery's task for each kind"""
QUEUES = MappingProxyType({TRAIN: "training", EVALUATE: "evaluate"})
"""and the queue it is rung in"""
INFER, INFERENCE = "forger.infer", "inference"
"""the task that asks an engine elsewhere, which is no job, and its queue"""
BROKER_PREFIX = "forger:"
