"""Names that several processes must agree on."""

TRAIN_TASK = "forger.train"
TRAINING_QUEUE = "training"
BROKER_PREFIX = "forger:"
