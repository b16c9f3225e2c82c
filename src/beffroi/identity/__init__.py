"""People, roles, territories, keys, sessions: who acts, and what they may do.

`people` accounts · `keys` what programs hold · `sessions` and `links` what browsers hold · `sign_in` with its
rate limit · `gate` the fast check of each request · `territories` · `pseudonyms`.
"""
