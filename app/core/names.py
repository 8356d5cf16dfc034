"""Define the names of tasks and queues on which several processes must agree."""

from types import MappingProxyType

from forger.wire import AUGMENT, EVALUATE, GENERATE, TRAIN, TRANSLATE

TASKS = MappingProxyType({kind: f"forger.{kind}" for kind in (TRAIN, EVALUATE, GENERATE, TRANSLATE, AUGMENT)})
"""Celery task by the kind of job"""
QUEUES = MappingProxyType(
    {TRAIN: "training", AUGMENT: "training", EVALUATE: "evaluate", GENERATE: "evaluate", TRANSLATE: "evaluate"}
)
"""Celery queue by the kind of job: kinds of one queue share its slots and its order"""
INFER_TASK, INFERENCE_QUEUE = "forger.infer", "inference"
"""the task that requests pictures of an inference worker, which is no job, and its queue"""
BROKER_PREFIX = "forger:"
