"""Limits that are no settings. GET /limits lists them beside those that are."""

PAGE = 100
"""entries in one page of a list"""
EVENTS = 500
"""events in one JSON reply"""
SEED_LIMIT = 2**63
"""seeds are smaller"""
SCALE = 16
"""times that a picture is enlarged"""
ID_LENGTH = 64
"""characters of an id"""
EVALUATED_LEAST = 100
EVALUATED_MOST = 50_000
"""examples made for an evaluation"""
GENERATED_MOST = 10_000_000
"""pictures that one job generates"""
SENT_MOST = 500
"""pictures that are sent with a job"""
SHARD_MOST = 100_000
"""pictures in one file of those it leaves"""
SHARDS_MOST = 1000
"""files that it leaves"""
EXPERIMENT_JOBS = 200
"""jobs of one experiment"""
COMPARED_JOBS = 16
"""jobs compared in one reply"""
CURVE_POINTS = 200
"""points of a curve in a comparison"""
HEAD_BYTES = 64 << 10
"""bytes of an address with its headers, and of what stands between two parts of a body"""
HEAD_SECONDS = 30
"""from connecting, or from the reply before, to the end of a request's head"""
BODY_RATE = 1 << 10
"""bytes a second at which a body comes at least"""
BODY_SECONDS = 30
"""over which that rate is averaged"""
PARAMETERS = 200
"""parameters of an address"""
VALUES = 20_000
"""values in a JSON body, at any depth"""
ERRORS = 50
"""refused parts that one reply tells"""
STREAMS = 1000
"""streams of events that are open at once"""
DEPTH = 32
"""lists and objects inside each other in a JSON body"""
READING_CPU_S = 10
"""seconds of processor time to read one uploaded picture"""
INTAKE_CPU_S, INTAKE_CPU_S_PER_MB = 60, 10
"""seconds of processor time to read an uploaded dataset, and more of them for each of its 10^6 bytes"""
