"""Define the fixed limits. GET /limits lists them together with those that are settings."""

MAX_PAGE_ENTRIES = 100
"""entries in one page of a list"""
MAX_REPLY_EVENTS = 500
"""events in one JSON reply"""
SEED_LIMIT = 2**63
"""every seed is smaller"""
MAX_SCALE = 16
"""factor by which /sample enlarges a picture"""
MAX_FRAMES = 240
"""pictures of an interpolation"""
MAX_WAYPOINTS = 16
"""waypoints of an interpolation"""
MAX_ANIMATION_PIXELS = 4 << 20
"""pixels of all frames of an animation: it takes some seconds to encode"""
MAX_TERMS = 16
"""terms of latent arithmetic"""
MAX_TERM_WEIGHT = 100
"""magnitude of a term's weight"""
MAX_LATENT = 10_000
"""magnitude of a number in a latent that is sent"""
MAX_ID_CHARACTERS = 64
"""characters of an id"""
MIN_EVALUATED_EXAMPLES = 100
MAX_EVALUATED_EXAMPLES = 50_000
"""generated examples of an evaluation"""
MAX_GENERATED_PICTURES = 10_000_000
"""pictures that one job generates"""
MAX_SENT_PICTURES = 500
"""pictures that a request sends with its job"""
MAX_SHARD_PICTURES = 100_000
"""pictures in one shard"""
MAX_SHARDS = 1000
"""shards of one job"""
MAX_AUGMENTED_PICTURES = 100_000
"""pictures that one augmentation keeps"""
MIN_AUGMENTATION_SEEDS, MAX_AUGMENTATION_SEEDS = 3, 10
"""seeds of the classifiers of an augmentation"""
MIN_CLASSIFIER_STEPS, MAX_CLASSIFIER_STEPS = 10, 5000
"""training steps of one classifier of an augmentation"""
MAX_EXPERIMENT_JOBS = 200
"""jobs of one experiment"""
MAX_COMPARED_JOBS = 16
"""jobs compared in one reply"""
COMPARED_CURVE_POINTS = 200
"""points of a curve in a comparison"""
MIN_ROUND_PICTURES, MAX_ROUND_PICTURES = 10, 200
"""pictures of a round in which a person tells real ones from fakes"""
MIN_ANSWER_MS, MAX_ANSWER_MS = 100, 600_000
"""milliseconds from a picture to the answer of a person"""
MAX_ROUNDS = 1000
"""rounds that are kept for one version of a model"""
MAX_NEAREST = 20
"""training pictures that one search for the nearest returns"""
MAX_SEARCHED_BYTES = 1 << 30
"""bytes of a dataset's pictures, at the side that is compared, that are searched"""
MAX_FEATURE_PICTURES = 64
"""pictures of one request for features"""
MAX_SEARCH_STEPS = 1000
"""steps of a search for the latent of a picture"""
MAX_RESTARTS = 32
"""attempts of such a search"""
MAX_DIRECTIONS_AT_ONCE, MAX_DIRECTIONS = 32, 256
"""directions that one request finds, and that are kept for one version of a model"""
MAX_MOVES = 64
"""moves along directions in one request"""
MAX_AMOUNT = 1000
"""magnitude of a move"""
MAX_HEAD_BYTES = 64 << 10
"""bytes of an address with its headers, and of the text between two parts of a body"""
HEAD_TIMEOUT_S = 30
"""from the connection, or from the reply before, to the end of a request's head"""
MIN_BODY_BYTES_PER_S = 1 << 10
"""bytes per second: the least rate of a body"""
BODY_RATE_WINDOW_S = 30
"""seconds over which that rate is averaged"""
MAX_QUERY_PARAMETERS = 200
"""parameters of an address (query)"""
MAX_JSON_VALUES = 20_000
"""values in a JSON body, at any depth"""
MAX_REPORTED_ERRORS = 50
"""refused parts that one reply names"""
MAX_EVENT_STREAMS = 1000
"""event streams that are open at the same time"""
MAX_JSON_DEPTH = 32
"""nesting of lists and objects in a JSON body"""
PICTURE_CPU_S = 10
"""seconds of processor time to read one uploaded picture"""
INTAKE_CPU_S, INTAKE_CPU_S_PER_MB = 60, 10
"""seconds of processor time to read an uploaded dataset, and the seconds added for each of its 10^6 bytes"""
