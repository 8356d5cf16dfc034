"""Limits that are no settings. GET /limits lists them beside those that are."""

PAGE = 100
"""entries in one page of a list"""
EVENTS = 500
"""events in one JSON reply"""
SEED_LIMIT = 2**63
"""seeds are smaller"""
SCALE = 16
"""times that a picture is enlarged"""
KEY_LENGTH = 255
"""characters of an Idempotency-Key"""
NAME_LENGTH = 63
"""characters of what a client names"""
ID_LENGTH = 64
"""characters of an id"""
EVALUATED_LEAST = 100
EVALUATED_MOST = 50_000
"""examples made for an evaluation"""
GENERATED_MOST = 10_000_000
"""pictures that one job generates"""
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
REPLY_POINTS, REPLY_POINTS_LEAST, REPLY_POINTS_MOST = 500, 10, 5000
"""points of a curve in one reply, unless it says how many"""
